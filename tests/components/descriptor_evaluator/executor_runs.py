"""Runs of the evaluator's executor on a few made-up patches and tiny SavedModels."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from tfx.components.util import model_utils
from tfx.types import artifact_utils, standard_artifacts

from components.descriptor_evaluator import executor
from components.descriptor_evaluator.descriptors import csv_tree, handcrafted
from components.descriptor_evaluator.gate import verdict
from components.descriptor_evaluator.gate.validation import Validation
from components.descriptor_evaluator.settings import EvaluationSettings
from trainer.core.variants import PATCH_SIZE, TARGETS
from trainer.data import manifest, records

POINTS = 24
SEQUENCES = [("i_a", "a"), ("v_a", "a"), ("i_b", "b"), ("v_b", "b")]
FLOORS = {
    "baseline": None,
    "floors": [
        {"task": "matching", "at_least": 0.9},
        {"task": "retrieval", "noise": "e", "at_least": 0.5},
    ],
    "production": {"mode": "point"},
    "resamples": 200,
}


def make_patches(seed: int) -> np.ndarray:
    """Smooth random patches, uint8 [POINTS, 16, 65, 65]; noise grows from e to t."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(40, 215, (POINTS, 7, 7)).astype(np.float32)
    base = np.stack(
        [cv2.resize(c, (PATCH_SIZE, PATCH_SIZE), interpolation=cv2.INTER_CUBIC) for c in coarse]
    )
    strength = [0.0] + [level for level in (4.0, 10.0, 20.0) for _ in range(TARGETS)]
    variants = [base + rng.normal(0, s + 1e-3, base.shape) for s in strength]
    return np.clip(np.stack(variants, axis=1), 0, 255).astype(np.uint8)


def write_examples(root: Path) -> str:
    """Writes shards and a manifest with an eval and a val split."""
    splits: dict = {"train": [], "val": [], "eval": []}
    for number, (name, source) in enumerate([*SEQUENCES, ("v_c", "c")]):
        split = "val" if source == "c" else "eval"
        shard = f"Split-{split}/{name}-00000-of-00001"
        (root / f"Split-{split}").mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(str(root / shard)) as writer:
            for index, patches in enumerate(make_patches(number)):
                record = records.PointPatches(name, source, name[0], index, patches)
                writer.write(records.encode(record))
        splits[split].append(
            manifest.SequenceEntry(
                name=name,
                source=source,
                kind=name[0],
                count=POINTS,
                shards=(shard,),
                checksum=f"{number}",
            )
        )
    manifest.write(manifest.Manifest(splits=splits), str(root))
    return str(root)


class TinyModel(tf.Module):
    """Pixels shrunk to 8 x 8 as a descriptor, or something broken."""

    def __init__(self, behaviour: str):
        super().__init__()
        self._behaviour = behaviour

    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.uint8, name="patches")])
    def serve(self, patches):
        """Describes uint8 [N, h, w]."""
        small = tf.image.resize(tf.cast(patches, tf.float32)[..., None], [8, 8], method="area")
        flat = tf.reshape(small, [-1, 64])
        flat -= tf.reduce_mean(flat, axis=1, keepdims=True)
        found = tf.math.l2_normalize(flat, axis=1)
        if self._behaviour == "constant":
            found = tf.ones_like(found) / 8.0
        if self._behaviour == "noise":
            found = tf.ones_like(found) / 8.0 + 1e-7 * found
        if self._behaviour == "poor":
            found = tf.concat([found[:, :1], tf.zeros_like(found[:, 1:])], axis=1)
        if self._behaviour == "nan":
            found = found * float("nan")
        if self._behaviour == "crash":
            with tf.control_dependencies([tf.debugging.assert_less(found, -2.0, "deliberate")]):
                found = tf.identity(found)
        return {"descriptors": found}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Saves a tiny model once per behaviour; returns the artifact's folder."""
    made: dict[str, str] = {}

    def make(behaviour: str) -> str:
        if behaviour not in made:
            folder = tmp_path_factory.mktemp(f"model_{behaviour}")
            model = TinyModel(behaviour)
            name = "other" if behaviour == "unsigned" else "serving_default"
            tf.saved_model.save(
                model, str(folder / "Format-Serving"), signatures={name: model.serve}
            )
            made[behaviour] = str(folder)
        return made[behaviour]

    return make


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return write_examples(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Shared by the module, so that the baselines are scored once."""
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def without_tfma(monkeypatch):
    """TFMA takes seconds and has tests of its own."""
    monkeypatch.setattr(executor.Executor, "_validate", lambda *args: Validation(ok=True))


@pytest.fixture
def run(examples, models, cache, tmp_path):
    """Runs the executor; returns the verdict, the blessing and the evaluation's folder."""
    runs = iter(range(10))

    def run_executor(behaviour, gate_settings=FLOORS, production=None, cache_dir=cache, **inputs):
        root = tmp_path / f"run{next(runs)}"

        def artifact(kind, uri):
            made = kind()
            made.uri = str(uri)
            return made

        given = artifact(standard_artifacts.Examples, inputs.get("examples", examples))
        given.split_names = artifact_utils.encode_split_names(["train", "val", "eval"])
        input_dict = {
            "examples": [given],
            "model": [artifact(standard_artifacts.Model, inputs.get("model", models(behaviour)))],
        }
        if production is not None:
            path = inputs.get("production_model") or (models(production) if production else "")
            served = artifact(standard_artifacts.Model, path)
            served.set_string_custom_property("model_path", inputs.get("served_from", ""))
            served.set_int_custom_property("exists", int(bool(production)))
            served.set_string_custom_property("checksum", "" if production else "none")
            input_dict["baseline_model"] = [served]
        evaluation = artifact(standard_artifacts.ModelEvaluation, root / "evaluation")
        blessing = artifact(standard_artifacts.ModelBlessing, root / "blessing")
        settings = EvaluationSettings.model_validate(
            {"gate": gate_settings, "references": inputs.get("references", {})}
        )
        context = executor.Executor.Context(tmp_dir=str(root / "tmp"), unique_id="1")
        executor.Executor(context).Do(
            input_dict,
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "settings": settings.model_dump_json(),
                "code_fingerprint": "code",
                "cache_dir": cache_dir,
            },
        )
        return verdict.read(evaluation.uri), blessing, Path(evaluation.uri)

    return run_executor


def assert_blessing(blessing, blessed: bool):
    names = {path.name for path in Path(blessing.uri).iterdir()}
    assert names == {"BLESSED" if blessed else "NOT_BLESSED"}
    assert model_utils.is_model_blessed(blessing) is blessed


def descriptor_files_of(name: str, folder: Path) -> Path:
    """Writes a handmade descriptor of the held-out sequences as a CSV tree."""
    for number, (sequence, _) in enumerate(SEQUENCES):
        described = handcrafted.describe_sequence(name, make_patches(number))
        csv_tree.write_sequence(str(folder), sequence, described)
    return folder
