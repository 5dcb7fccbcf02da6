"""What descriptors are worth in structure from motion: COLMAP reconstructs a castle from them.

COLMAP's own SIFT (root-normalised, by its own matcher) against the demo's model: on the very
keypoints that COLMAP found, matched by us or by COLMAP's matcher from the bytes in the database,
and on the points that `hpatches features` finds. All with the same number of points, camera
and mapper; then the true matches of the model and RootSIFT on OpenCV's SIFT keypoints.

COLMAP runs in a process of its own, with pycolmap of `make bench-env` or `make setup`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table

from benchmarks.downstream import scene as scenes
from benchmarks.downstream import true_matches
from benchmarks.downstream.scene import Scene
from benchmarks.harness.targets import Figure, held_to
from benchmarks.harness.timing import ROOT
from components.matching import descriptors, points
from components.matching.features import describing, pairs
from components.matching.points import Keypoints
from components.matching.settings import FeatureSettings
from pipeline.runs import lookup
from trainer.core.errors import UserError
from trainer.model import colmap_bytes

POINTS = 4000  # of a photograph
_WORKER = "benchmarks.downstream.colmap_worker"
_BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
SIFT, OURS = "SIFT, COLMAP's matcher", "model on SIFT's keypoints, our matches"


def run(work: str) -> Group:
    """Returns what COLMAP made of each, and true matches by size of point."""
    python = colmap_python()
    model = lookup.model(work)
    scene = scenes.load()
    with tempfile.TemporaryDirectory() as folder:
        results = _reconstruct_all(python, model, scene, Path(folder))
    by_region = true_matches.measure(model)
    more = results[OURS]["verified"] / results[SIFT]["verified"]
    figures = [
        Figure("verified matches by SIFT's", more, "at least", 1.2),
        Figure(
            "registered images", results[OURS]["registered"], "at least",
            results[SIFT]["registered"],
        ),
    ]  # fmt: skip
    return Group(true_matches.table(by_region), held_to(_table(results), figures))


def colmap_python() -> str:
    """Returns an interpreter that has pycolmap.

    Raises:
        UserError: When there is none.
    """
    if list(_BENCH_PYTHON.parents[1].glob("lib/python*/site-packages/pycolmap")):
        return str(_BENCH_PYTHON)
    if importlib.util.find_spec("pycolmap"):
        return sys.executable
    raise UserError("pycolmap is missing; `make bench-env` installs it in an environment apart")


def reconstruct(python: str, database: Path, images: str, **options: Any) -> dict[str, Any]:
    """Has COLMAP reconstruct a database in a process of its own; see `colmap_worker`."""
    given = {"threads": os.cpu_count() or 1, "camera": camera(), **options}
    done = subprocess.run(
        [python, "-m", _WORKER, str(database), images, json.dumps(given)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{_WORKER} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def camera() -> list[float]:
    """Returns the castle's camera as COLMAP's SIMPLE_RADIAL, without distortion to begin with."""
    return [scenes.FOCAL_LENGTH, *scenes.CENTRE, 0.0]


def _reconstruct_all(
    python: str, model: str, scene: Scene, folder: Path
) -> dict[str, dict[str, Any]]:
    images = str(Path(scene.folder).resolve())
    results = {}
    sift = folder / "sift.db"
    results[SIFT] = reconstruct(python, sift, images, sift=POINTS, match=True)

    ours = folder / "ours.db"
    shutil.copy(sift, ours)
    _describe_keypoints(ours, scene, model)
    theirs = folder / "bytes.db"
    shutil.copy(ours, theirs)
    pairs.match(str(ours), str(ours))
    results[OURS] = reconstruct(python, ours, images)
    name = "model on SIFT's keypoints, COLMAP's matcher"
    results[name] = reconstruct(python, theirs, images, match=True)

    for detector in ("sift", "training"):
        own, features = (folder / f"own-{detector}.{kind}" for kind in ("db", "h5"))
        settings = FeatureSettings(points=POINTS, detector=detector)
        outputs = [str(own), str(features)]
        describing.describe(images, outputs, model=model, settings=settings)
        pairs.match(str(features), str(own))
        name = f"model on {'OpenCV SIFT' if detector == 'sift' else detector} keypoints"
        results[name] = reconstruct(python, own, images)
    return results


def _describe_keypoints(database: Path, scene: Scene, model: str) -> None:
    """Puts the model's descriptors in place of those in a database, and drops its matches."""
    rules, _ = descriptors.extraction_for(model)
    describe = descriptors.load_model(model).describe
    with closing(sqlite3.connect(database)) as opened:
        for name, item in zip(scene.names, scene.photographs, strict=True):
            number, blob = opened.execute(
                "SELECT images.image_id, data FROM images JOIN keypoints "
                "ON images.image_id = keypoints.image_id WHERE name = ?",
                [name],
            ).fetchone()
            places = keypoints(np.frombuffer(blob, np.float32).reshape(-1, 6))
            patches = points.cut(item.image, places, rules.region, rules.smoothing)
            codes = colmap_bytes.encode(describe(patches))
            opened.execute(
                "UPDATE descriptors SET data = ? WHERE image_id = ?", [codes.tobytes(), number]
            )
        for table in ("matches", "two_view_geometries"):
            opened.execute(f"DELETE FROM {table}")
        opened.commit()


def keypoints(shapes: np.ndarray) -> Keypoints:
    """Returns COLMAP's keypoints as points.

    Args:
        shapes: float32 [N, 6], as `colmap.affine_keypoints` returns them; shear is left out.
    """
    x, y, a11, _, a21, _ = shapes.T
    positions = np.stack([x - 0.5, y - 0.5, np.hypot(a11, a21)], axis=1)
    return Keypoints(positions, np.arctan2(a21, a11).astype(np.float64), np.ones(len(x)))


def _table(results: dict[str, dict[str, Any]]) -> Table:
    table = Table(title=f"COLMAP on 11 photographs of a castle, {POINTS:,} points each")
    table.add_column("features")
    for column in ("points", "matches", "verified", "pairs", "images", "3D points", "track length"):
        table.add_column(column, justify="right")
    table.add_column("reprojection error", justify="right")
    for name, result in results.items():
        keys = ("keypoints", "matches", "verified", "verified_pairs", "registered", "points")
        error = "" if result["error"] is None else f"{result['error']:.2f} px"
        table.add_row(
            name, *(f"{result[key]:,}" for key in keys), f"{result['track_length']:.2f}", error
        )
    return table
