"""The stages of a pipeline on made-up photographs, each with its time and its peak memory.

Run by `benchmarks.growth.growth` in a process of its own, as the components run them: in Beam's
runner for one machine with one worker, which is this process.
"""

from __future__ import annotations

import json
import posixpath
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import cv2
import numpy as np
import tensorflow as tf
from tfx import types
from tfx.components import StatisticsGen
from tfx.types import standard_artifacts

from components.core import beam_runner
from components.descriptor_evaluator.descriptors.describer import Describer
from components.descriptor_evaluator.descriptors.store import DescribeSequence, StoredDescriptors
from components.descriptor_evaluator.protocol.tasks import SequenceInfo, TaskSettings, draw
from components.descriptor_evaluator.scoring.beam_scoring import score_in_beam
from components.example_gen.component import PatchExampleGen
from components.example_gen.formats import reading
from components.example_gen.settings import DataSettings
from components.schema.component import packaged_schema
from trainer.core.config import ModelConfig, TrainerConfig
from trainer.data import image, manifest, packing
from trainer.data.manifest import SequenceEntry
from trainer.model import export, l2net

WIDTH, HEIGHT, _SHAPES = 640, 480, 400
_SELF = Path("/proc/self")
_MODEL = "candidate"


def write_photographs(folder: Path, count: int) -> None:
    """Writes pictures of WIDTH x HEIGHT pixels that overlapping ellipses fill, as PNG files."""
    folder.mkdir()
    for number in range(count):
        rng = np.random.default_rng(number)
        picture = np.full((HEIGHT, WIDTH), 128, np.uint8)
        for _ in range(_SHAPES):
            centre = int(rng.integers(WIDTH)), int(rng.integers(HEIGHT))
            axes = int(rng.integers(3, 40)), int(rng.integers(3, 40))
            grey = int(rng.integers(256))
            cv2.ellipse(picture, centre, axes, float(rng.integers(180)), 0, 360, grey, -1)
        noisy = cv2.GaussianBlur(picture, (0, 0), 0.8) + rng.normal(0, 3, picture.shape)
        cv2.imwrite(str(folder / f"p{number:05d}.png"), np.clip(noisy, 0, 255).astype(np.uint8))


def write_model(folder: str) -> None:
    """Saves the default network with the weights it begins with."""
    config, normalisation = ModelConfig(), image.Normalisation(kind="patch")
    network = l2net.build(config, seed=1)
    patches = np.random.default_rng(0).integers(0, 256, (4, 32, 32), np.uint8)
    described = network(image.normalise(tf.constant(patches), normalisation), training=False)[1]
    nothing = manifest.Manifest(splits={"train": (), "val": (), "eval": ()})
    itself = export.describe_itself(network, TrainerConfig(model=config), normalisation, nothing)
    reference = export.Reference(patches, described.numpy())
    export.save(network, normalisation, itself, folder, reference)


class Stages:
    """Runs the stages one after the other.

    Args:
        root: Folder with `photographs` and `model`; what is made goes below `made`.
        points: Points of an image sequence.

    Attributes:
        costs: By stage `wall` and `cpu` seconds, and `peak`, the most memory of this process
            while the stage ran, in MB.
    """

    def __init__(self, root: str, points: int) -> None:
        self._data, self._model = f"{root}/photographs", f"{root}/model"
        self._made = f"{root}/made"
        self._settings = DataSettings(format="photos", max_points=points)
        self._examples = _artifact(standard_artifacts.Examples, f"{self._made}/examples")
        self.costs: dict[str, dict[str, float]] = {}

    def run(self) -> dict[str, Any]:
        """Runs all; returns the costs by stage and the sizes of what was made."""
        self._take("survey", self._survey)
        self._take("cut", self._cut)
        entries = [e for part in manifest.read(self._root).splits.values() for e in part]
        self._take("statistics", self._statistics)
        self._take("pack", self._pack)
        self._take("describe", lambda: self._describe(entries))
        for name, which in (
            ("score pairs and matches", ("verification", "matching")),
            ("score retrieval", ("retrieval",)),
        ):
            self._take(name, partial(self._score, entries, which))
        return {
            "stages": self.costs,
            "photographs": len(list(Path(self._data).iterdir())),
            "points": sum(entry.count for entry in entries),
            "sequences": len(entries),
            "trained_on": manifest.read(self._root).count("train"),
            "bytes": {
                name: _bytes_below(Path(self._made, name))
                for name in ("examples", "packed", "descriptors")
            }
            | {"manifest": Path(self._root, manifest.FILE_NAME).stat().st_size},
        }

    @property
    def _root(self) -> str:
        return self._examples.uri

    def _take(self, name: str, work: Callable[[], None]) -> None:
        (_SELF / "clear_refs").write_text("5")  # VmHWM begins again
        wall, cpu = time.perf_counter(), _processor_seconds()
        work()
        self.costs[name] = {
            "wall": time.perf_counter() - wall,
            "cpu": _processor_seconds() - cpu,
            "peak": _peak() / 2**20,
        }

    def _survey(self) -> None:
        reading.survey("photos", self._data, self._settings)

    def _cut(self) -> None:
        component = PatchExampleGen(
            input_base=self._data,
            format="photos",
            settings_json=self._settings.model_dump_json(),
            split_lists=None,
            code_fingerprint="",
            pattern=None,
        )
        _execute(component, {"examples": self._examples})

    def _statistics(self) -> None:
        schema = _artifact(standard_artifacts.Schema, f"{self._made}/schema")
        Path(schema.uri).mkdir()
        Path(schema.uri, "schema.pbtxt").write_text(packaged_schema())
        component = StatisticsGen(
            examples=types.Channel(type=standard_artifacts.Examples),
            schema=types.Channel(type=standard_artifacts.Schema),
        )
        made = _artifact(standard_artifacts.ExampleStatistics, f"{self._made}/statistics")
        given = {"examples": self._examples, "schema": schema}
        _execute(component, {"statistics": made}, given)

    def _pack(self) -> None:
        packing.pack(self._root, "train", None, f"{self._made}/packed")

    def _describe(self, entries: Sequence[SequenceEntry]) -> None:
        work = DescribeSequence(
            self._root,
            [Describer(_MODEL, model=self._model)],
            f"{self._made}/descriptors",
            len(entries),
        )
        with beam.Pipeline() as pipeline:
            _ = pipeline | beam.Create(list(entries)) | beam.Reshuffle() | beam.ParDo(work)

    def _score(self, entries: Sequence[SequenceEntry], which: Sequence[str]) -> None:
        folder = posixpath.join(self._made, "descriptors", _MODEL)
        infos = [SequenceInfo(e.name, e.scene, e.kind, e.count) for e in entries]
        score_in_beam(
            StoredDescriptors(folder, [entry.name for entry in entries]),
            draw(infos, TaskSettings()),
            which,
            make_pipeline=beam.Pipeline,
            folder=f"{self._made}/{which[0]}",
        )


def _artifact(kind: Any, uri: str) -> Any:
    made = kind()
    made.uri = uri
    return made


def _execute(component: Any, outputs: dict[str, Any], inputs: dict[str, Any] | None = None) -> None:
    """Runs a component's executor as TFX does."""
    component.executor_spec.executor_class().Do(
        {key: [value] for key, value in (inputs or {}).items()},
        {key: [value] for key, value in outputs.items()},
        dict(component.exec_properties),
    )


def _processor_seconds() -> float:
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])


def _peak() -> int:
    lines = (_SELF / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Makes data, runs the stages in a folder and prints what they took as JSON."""
    beam_runner.use_direct_runner_by_default()
    root, (photographs, points) = sys.argv[1], map(int, sys.argv[2:])
    write_photographs(Path(root, "photographs"), photographs)
    write_model(f"{root}/model")
    print(json.dumps(Stages(root, points).run()))


if __name__ == "__main__":
    main()
