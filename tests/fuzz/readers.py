"""Every reader of files that users give or that lie on a disk, with files that are whole.

A reader writes whole files below a folder and says which one is to be damaged and how the folder
is read. Several files of one reader (formats of images, the parts of a checkpoint) take turns.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
from PIL import Image

from components.descriptor_evaluator.descriptors import csv_tree, saved_model
from components.descriptor_evaluator.gate import verdict
from components.descriptor_evaluator.protocol import tasks
from components.descriptor_evaluator.report_data import exhibits
from components.descriptor_evaluator.scoring import result_files
from components.descriptor_evaluator.scoring.scores_cache import Scored, ScoresCache
from components.example_gen import splits
from components.example_gen.formats import images, scene_table, strips
from components.example_gen.geometry import homography
from components.matching.brown import photo_tour
from components.matching.features import formats, pairs
from components.serving.pusher import push_log
from pipeline.config.tree import load_config
from pipeline.kfp import check as spec_check
from pipeline.kfp import files as spec_files
from pipeline.kfp.local.run_folder import Run, RunFolder
from pipeline.runs import records
from tests.components.descriptor_evaluator.gate import score_samples
from tests.components.matching.brown import photo_tours
from tests.components.matching.features import described
from tests.pipeline.runs.summaries import summary
from tests.support import synthetic
from tests.support.pictures import SHIFT, texture, write_strips
from tests.support.small_spec import small_spec
from trainer import __main__ as trainer_main
from trainer.core.variants import VARIANTS
from trainer.data import manifest
from trainer.data import records as point_records
from trainer.engine.checkpoints import Checkpoint, CheckpointStore
from trainer.engine.learner import Snapshot
from trainer.reporting import result as training_result


@dataclasses.dataclass(frozen=True)
class Reader:
    """A reader.

    Attributes:
        write: Writes whole files below a folder; returns those to damage, in turn.
        read: Reads the folder, of whose files the given one is damaged.
    """

    write: Callable[[Path], list[Path]]
    read: Callable[[Path, Path], Any]


def _one(name: str, text: str) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        path = folder / name
        path.write_text(text)
        return [path]

    return write


def _pictures(folder: Path) -> list[Path]:
    colour = Image.fromarray(cv2.cvtColor(texture(60, 50), cv2.COLOR_GRAY2RGB))
    paths = [
        folder / f"a.{suffix}"
        for suffix in ("png", "jpg", "tif", "bmp", "ppm", "webp", "pgm", "tiff")
    ]
    for path in paths[:-2]:
        colour.save(path)
    colour.convert("L").save(paths[-2])
    colour.convert("RGBA").save(paths[-1], compression="tiff_lzw")
    return paths


def _strips(folder: Path) -> list[Path]:
    sequence = write_strips(folder / "v_a", count=2)
    (sequence / strips.POSITIONS).write_text("x,y,sigma\n1.0,2.0,3.0\n4.0,5.0,6.0\n")
    return [sequence / f"{variant}.png" for variant in VARIANTS[:2]]


def _read_strips(folder: Path, _: Path) -> None:
    (item,) = strips.check("v_a", (str(folder / "v_a"),), "a")
    strips.load(item)


def _descriptors(folder: Path) -> list[Path]:
    rows = np.random.default_rng(0).normal(size=(16, 4, 8)).astype(np.float32)
    csv_tree.write_sequence(str(folder), "v_a", rows)
    return [folder / "v_a" / "ref.csv"]


def _features(folder: Path) -> list[Path]:
    paths = [folder / f"features.{kind}" for kind in ("h5", "npz", "db")]
    for path in paths:
        with formats.writer(str(path))(str(path), described.IDENTITY) as add:
            add(described.features("a.jpg"))
            add(described.features("b.jpg", count=3))
    return paths


def _read_features(_: Path, path: Path) -> None:
    with contextlib.closing(formats.read(str(path))) as store:
        for name in store.counts:
            store.descriptors(name)


_PAIRS = "s1,t1,idx1,s2,t2,idx2\nv_a,0,0,v_a,3,0\nv_b,1,1,v_b,5,1\n"
_PUBLISHED = {
    "verif_pos": _PAIRS,
    "verif_neg_intra": _PAIRS,
    "verif_neg_inter": _PAIRS,
    "retr_queries": "s,idx\nv_a,2\n",
    "retr_distractors": "s,idx\nv_b,1\nv_a,0\n",
}


def _task_files(folder: Path) -> list[Path]:
    paths = []
    for stem, text in _PUBLISHED.items():
        paths.append(folder / f"{stem}_split-x.csv")
        paths[-1].write_text(text)
    return paths


def _drawn() -> Any:
    infos = [tasks.SequenceInfo(name, name, name[0], 6) for name in ("i_one", "v_two")]
    return tasks.draw(infos, tasks.TaskSettings())


def _stored_result(folder: Path) -> list[Path]:
    rows = tuple(score_samples.table(score_samples.level(0.5), 3).rows)
    about = {"data_checksum": "abc", "scored": "pixels", "distance": "l1"}
    result_files.write_new(str(folder / "result"), Scored(rows), _drawn(), about)
    return sorted(path for path in (folder / "result").rglob("*") if path.is_file())


def _scores_cache(folder: Path) -> list[Path]:
    rows = tuple(score_samples.table(score_samples.level(0.5), 3).rows)
    ScoresCache(str(folder)).put("key", Scored(rows, {"degeneracy": {"spread": 1.0}}))
    return list(folder.iterdir())


def _verdict(folder: Path) -> list[Path]:
    row = verdict.TableRow("matching", "mean", "ap", 0.75, 0.7, 0.8, 5, {"rootsift": 0.6})
    passed = verdict.Check("floor", True, "all is well")
    return [Path(verdict.write(verdict.Verdict((passed,), (row,)), str(folder)))]


def _exhibits(folder: Path) -> list[Path]:
    return [Path(exhibits.write(str(folder), {"candidate": {"verification": {"x": [1.0]}}}))]


def _push_log(folder: Path) -> list[Path]:
    destination = str(folder / "serving")
    for version in (1, 2, 3):
        entry = push_log.PushEntry(action="push", version=version, checksum="abc")
        push_log.append(destination, entry)
    return [Path(push_log.log_path(destination))]


def _examples(folder: Path) -> list[Path]:
    synthetic.write_examples(folder, {"train": {"v_a": ("a", 2)}, "val": {}, "eval": {}})
    return [folder / "manifest.json"]


def _shard(folder: Path) -> list[Path]:
    _examples(folder)
    return [next((folder / "Split-train").iterdir())]


def _spec(folder: Path) -> list[Path]:
    paths = [folder / "spec.yaml", folder / "spec.json"]
    for path in paths:
        spec_files.write(small_spec(), str(path))
    return paths


def _run_folder(folder: Path) -> list[Path]:
    RunFolder(folder).save(Run("run-1", "asked"))
    return [folder / "run.json"]


def _run_records(folder: Path) -> list[Path]:
    return [Path(records.record_run(str(folder), summary(1)))]


def _checkpoint(folder: Path) -> list[Path]:
    snapshot = Snapshot((np.ones((2, 3), np.float32),), (np.int64(1), np.ones(4, np.float32)))
    store = CheckpointStore(str(folder))
    path = Path(store.save(Checkpoint(5, {"learner": snapshot}, {"epoch": 1})))
    return sorted(path.iterdir())


def _training_result(folder: Path) -> list[Path]:
    fields = {field.name: 1 for field in dataclasses.fields(training_result.TrainingResult)}
    (folder / training_result.FILE_NAME).write_text(json.dumps(fields))
    return [folder / training_result.FILE_NAME]


def _tour(folder: Path) -> list[Path]:
    photo_tours.write(folder, count=20)
    return [folder / photo_tour.INFO, *folder.glob("m*.txt")]


def _read_tour(folder: Path, _: Path) -> None:
    tour = photo_tour.open_set(str(folder))
    photo_tour.read_pairs(tour, photo_tour.choose_pairs_file(tour))


def _identity(folder: Path) -> list[Path]:
    content = {"descriptor_id": "a", "sequences": {"train": ["v_a"]}, "scenes": {"train": ["a"]}}
    (folder / "assets.extra").mkdir()
    (folder / saved_model.IDENTITY_FILE).write_text(json.dumps(content))
    return [folder / saved_model.IDENTITY_FILE]


class _Rows(tf.Module):
    """Describes a patch by its first row, times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 65, 65], tf.uint8, "patches")])
    def serve(self, patches):
        return {"descriptors": self.weight * tf.cast(patches[:, 0], tf.float32)}


def _model(folder: Path) -> list[Path]:
    module = _Rows()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    return [folder / "saved_model.pb", *sorted((folder / "variables").iterdir())]


def _read_override(_: Path, path: Path) -> None:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    load_config("demo", [f"training.seed={text}"])


_CONFIG = """base: demo
data: {max_points: 40}
training:
  seed: 3
  stages:
  - {points_per_batch: 16, patches_per_point: 2, min_steps: 10, max_steps: 20}
evaluation: {distance: l1}
"""
_TRAINER = "seed: 3\nstages:\n- {points_per_batch: 16, patches_per_point: 2}\n"
_SPLITS = json.dumps({"a": {"name": "a", "train": ["v_a"], "test": ["v_b"]}})

READERS = {
    "image": Reader(_pictures, lambda _, path: images.read_grey(str(path))),
    "image header": Reader(_pictures, lambda _, path: images.check_header(str(path))),
    "strip": Reader(_strips, lambda _, path: images.read_strip(str(path))),
    "strip header": Reader(_strips, _read_strips),
    "positions.csv": Reader(
        lambda folder: [_strips(folder)[0].parent / strips.POSITIONS], _read_strips
    ),
    "scenes.csv": Reader(
        _one(scene_table.FILE_NAME, "name,scene\nv_a,a\nv_b,b\n"),
        lambda folder, _: scene_table.read(str(folder)),
    ),
    "homography": Reader(
        _one("H_1_2", "\n".join(" ".join(map(str, row)) for row in SHIFT.tolist())),
        lambda _, path: homography.read(str(path)),
    ),
    "splits": Reader(
        _one("splits.json", _SPLITS), lambda _, path: splits.read_split_file(str(path), "a")
    ),
    "descriptors": Reader(
        _descriptors, lambda folder, _: csv_tree.read_sequence(str(folder), "v_a", 4)
    ),
    "task files": Reader(
        _task_files, lambda folder, _: tasks.load_official(str(folder), "x", {"v_a": 3, "v_b": 2})
    ),
    "configuration": Reader(_one("a.yaml", _CONFIG), lambda _, path: load_config(str(path))),
    "--set": Reader(_one("value", "3"), _read_override),
    "trainer's configuration": Reader(
        _one("a.yaml", _TRAINER), lambda _, path: trainer_main._config(str(path), None)
    ),
    "compiled pipeline": Reader(
        _spec, lambda _, path: spec_check.check_spec(spec_files.read(str(path)))
    ),
    "run of a compiled pipeline": Reader(
        _run_folder, lambda folder, _: RunFolder(folder).open_run("asked")
    ),
    "run records": Reader(_run_records, lambda folder, _: records.list_runs(str(folder))),
    "push log": Reader(_push_log, lambda folder, _: push_log.read(str(folder / "serving"))),
    "verdict": Reader(_verdict, lambda folder, _: verdict.read(str(folder))),
    "exhibits": Reader(_exhibits, lambda folder, _: exhibits.read(str(folder))),
    "stored result": Reader(
        _stored_result, lambda folder, _: result_files.read(str(folder / "result"))
    ),
    "cached scores": Reader(_scores_cache, lambda folder, _: ScoresCache(str(folder)).get("key")),
    "manifest": Reader(_examples, lambda folder, _: manifest.read(str(folder))),
    "records": Reader(_shard, lambda _, path: list(point_records.read_shard(str(path)))),
    "checkpoint": Reader(_checkpoint, lambda folder, _: CheckpointStore(str(folder)).restore()),
    "training result": Reader(
        _training_result, lambda folder, _: training_result.read(str(folder))
    ),
    "features": Reader(_features, _read_features),
    "pairs": Reader(
        _one("pairs.txt", "a.jpg b.jpg\nb.jpg c.jpg\n"), lambda _, path: pairs.read_pairs(str(path))
    ),
    "PhotoTour": Reader(_tour, _read_tour),
    "SavedModel": Reader(_model, lambda folder, _: saved_model.load_model(str(folder))),
    "identity of a model": Reader(
        _identity, lambda folder, _: saved_model.read_identity(str(folder))
    ),
}
