"""Every kind of data through the command line, and data that must stop a run."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from components.example_gen.formats import strips
from components.example_gen.formats.base import PatchSet
from pipeline import cli
from tests.e2e.conftest import _SMALL, LENIENT
from trainer.core.variants import VARIANTS

pytestmark = pytest.mark.slow

_DRAWN = 30


def _hpatches(*arguments: str):
    return CliRunner().invoke(cli.cli, list(arguments), catch_exceptions=False)


def _settings(*overrides: str) -> list[str]:
    return [word for text in (*_SMALL, *LENIENT, *overrides) for word in ("--set", text)]


def _release(root: Path, names: list[str], blank: str = "") -> Path:
    """A patch release: points are smooth random textures, variants are shifted and noisy."""
    for number, name in enumerate(names):
        random = np.random.default_rng(number)
        patches = np.empty((_DRAWN, len(VARIANTS), 65, 65), np.uint8)
        for point in range(_DRAWN):
            texture = random.uniform(0, 255, (12, 12)).astype(np.float32)
            texture = cv2.resize(texture, (81, 81), interpolation=cv2.INTER_CUBIC)
            for variant in range(len(VARIANTS)):
                x, y = random.integers(0, 4 + variant // 4, 2)
                noise = random.normal(0, 4 + variant, (65, 65))
                patches[point, variant] = np.clip(texture[y : y + 65, x : x + 65] + noise, 0, 255)
        if name == blank:
            patches[3] = 128
        positions = np.zeros((_DRAWN, 3), np.float32)
        strips.write_release(PatchSet(name, name, name[0], patches, positions), str(root))
    return root


NAMES = ["v_a", "i_b", "v_c", "i_d", "v_e", "i_f"]


def test_a_patch_release_runs_to_its_end(tmp_path: Path):
    data = _release(tmp_path / "release", NAMES)
    done = _hpatches(
        *("run", "--config", "strips", "--data", str(data), "--work", str(tmp_path / "work")),
        *_settings("evaluation.gate.production.mode=point"),
    )
    assert done.exit_code == 0, done.output
    assert "matching" in done.output and "Blessed" in done.output


def test_blank_patches_stop_the_run_before_transform(tmp_path: Path):
    data = _release(tmp_path / "release", NAMES, blank="i_b")
    work = tmp_path / "work"
    done = _hpatches(
        *("run", "--config", "strips", "--data", str(data), "--work", str(work)), *_settings()
    )
    assert done.exit_code == 2
    assert "contrast" in done.stderr and "anomalies.json" in done.stderr
    assert "Traceback" not in done.stderr
    report = json.loads((work / "reports" / "anomalies.json").read_text())
    assert "contrast" in {item["feature"] for item in report["anomalies"]}
    assert not (work / "artifacts" / "Transform").exists()
    assert not (work / "serving").exists()


def test_require_blessing_exits_with_3(tmp_path: Path):
    data = _release(tmp_path / "release", NAMES)
    done = _hpatches(
        *("run", "--config", "strips", "--data", str(data), "--work", str(tmp_path / "work")),
        *_settings(
            "evaluation.gate.production.mode=point",
            "evaluation.gate.floors=["
            "{task: matching, at_least: 1.0}, {task: verification, at_least: 1.0}]",
        ),
        "--require-blessing",
    )
    assert done.exit_code == 3, done.output
    assert "Not blessed" in done.output and "Nothing pushed" in done.output


def test_the_six_real_sequences_run(shared: Path, tmp_path: Path):
    done = _hpatches(
        *("run", "--format", "sequences", "--data", str(shared / "sequences")),
        *("--work", str(tmp_path / "work")),
        *_settings(),
    )
    assert done.exit_code == 0, done.output
    (manifest_file,) = (tmp_path / "work").rglob("manifest.json")
    splits = json.loads(manifest_file.read_text())["splits"]
    assert len(splits["train"]) + len(splits["val"]) == 4 and len(splits["eval"]) == 2


def test_more_patch_sequences_asked_than_there_are(tmp_path: Path):
    data = _release(tmp_path / "release", NAMES)
    done = _hpatches(
        *("run", "--config", "strips", "--data", str(data), "--work", str(tmp_path / "work")),
        *_settings("training.stages.1.points_per_batch=5000"),
    )
    assert done.exit_code == 2
    assert "5000" in done.stderr and "Traceback" not in done.stderr
