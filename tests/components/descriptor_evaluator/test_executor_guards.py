"""Refusals that a mean alone would not give: collapsed models, and losses on a guarded slice."""

import json

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tests.components.descriptor_evaluator.executor_runs import (
    FLOORS,
    SEQUENCES,
    assert_blessing,
    cache,
    examples,
    run,
    without_tfma,
)
from trainer.core.variants import PATCH_SIZE, TARGETS, variant_index
from trainer.data import manifest, records

__all__ = ["cache", "examples", "run", "without_tfma"]  # fixtures

POINTS = 24
REFERENCE = {  # a gate on the reference's own average precision, which collapse can deceive
    "metric": "ap",
    "baseline": None,
    "floors": [{"task": "retrieval", "at_least": 0.0}],
    "production": {"mode": "point"},
    "resamples": 200,
}


class Model(tf.Module):
    """A SavedModel with the serving signature; what it gives depends on `behaviour`."""

    def __init__(self, behaviour: str):
        super().__init__()
        self._behaviour = behaviour

    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.uint8, name="patches")])
    def serve(self, patches):
        """Describes uint8 [N, h, w]."""
        small = tf.image.resize(tf.cast(patches, tf.float32)[..., None], [8, 8], method="area")
        flat = tf.reshape(small, [-1, 64])
        flat -= tf.reduce_mean(flat, axis=1, keepdims=True)
        if self._behaviour == "equal":
            flat = tf.ones_like(flat)
        if self._behaviour == "equal but for noise":
            seed = tf.stack([tf.reduce_sum(tf.cast(patches, tf.int32)), 1])
            flat = tf.ones_like(flat) + 1e-7 * tf.random.stateless_normal(tf.shape(flat), seed)
        if self._behaviour == "blind to contrast":  # an inverted patch is described alike
            flat = tf.sort(tf.abs(flat), axis=1)
        return {"descriptors": tf.math.l2_normalize(flat, axis=1)}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Saves a model once per behaviour; returns the artifact's folder."""
    made: dict[str, str] = {}

    def make(behaviour: str) -> str:
        if behaviour not in made:
            folder = tmp_path_factory.mktemp("model")
            model = Model(behaviour)
            signatures = {"serving_default": model.serve}
            tf.saved_model.save(model, str(folder / "Format-Serving"), signatures=signatures)
            made[behaviour] = str(folder)
        return made[behaviour]

    return make


@pytest.fixture(scope="module")
def inverted_examples(tmp_path_factory):
    """Noisy patches; the tough ones of `v_` sequences are negatives besides."""
    root = tmp_path_factory.mktemp("inverted")
    entries = []
    for number, (name, source) in enumerate(SEQUENCES):
        shard = f"Split-eval/{name}-00000-of-00001"
        (root / "Split-eval").mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(root / shard)) as writer:
            for index, patches in enumerate(noisy_patches(number, inverted=name[0] == "v")):
                record = records.PointPatches(name, source, name[0], index, patches)
                writer.write(records.encode(record))
        entries.append(
            manifest.SequenceEntry(
                name=name, source=source, kind=name[0], count=POINTS, shards=(shard,),
                checksum=f"inverted {number}",
            )
        )  # fmt: skip
    manifest.write(manifest.Manifest(splits={"eval": tuple(entries)}), str(root))
    return str(root)


def noisy_patches(seed: int, inverted: bool) -> np.ndarray:
    """Smooth random patches, uint8 [POINTS, 16, 65, 65], with noise that grows from e to t."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(40, 215, (POINTS, 7, 7)).astype(np.float32)
    size = (PATCH_SIZE, PATCH_SIZE)
    base = np.stack([cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC) for grid in coarse])
    strength = np.repeat([0.0, 20.0, 40.0, 60.0], [1, TARGETS, TARGETS, TARGETS])
    variants = base[:, None] + strength[:, None, None] * rng.standard_normal((POINTS, 16, *size))
    patches = np.clip(variants, 0, 255).astype(np.uint8)
    if inverted:
        tough = slice(variant_index("t", 1), None)
        patches[:, tough] = 255 - patches[:, tough]
    return patches


@pytest.mark.slow
@pytest.mark.usefixtures("without_tfma")
@pytest.mark.parametrize("behaviour", ["equal", "equal but for noise"])
def test_a_collapsed_model_is_refused_with_that_reason(run, behaviour):
    found, blessing, folder = run(behaviour, REFERENCE)
    assert_blessing(blessing, False)
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith("The descriptors are degenerate: ")
    assert "the model has collapsed" in found.reasons[0]
    retrieval = json.loads((folder / "summary.json").read_text())["retrieval"]["mean"]
    if behaviour == "equal":
        assert retrieval > 0.999  # the reference's value: the positives stand first in the pool
    else:
        assert retrieval < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("guarded", [False, True])
def test_a_model_that_gains_on_average_but_loses_on_tough_viewpoint_is_refused_where_guarded(
    run, inverted_examples, guarded
):
    slices = [{}, {"noise": "t", "kind": "v"}] if guarded else [{}]
    settings = FLOORS | {
        "floors": [{"task": "matching", "at_least": 0.1}],
        "production": {"mode": "point", "slices": slices},
    }
    found, blessing, _ = run(
        "plain", settings, production="blind to contrast", examples=inverted_examples
    )
    assert_blessing(blessing, not guarded)
    gains = {row.task: row.change.mean for row in found.table if row.noise == "mean"}
    assert gains["matching"] > 0.1 and gains["retrieval"] > 0.01
    if guarded:
        first, second, tfma = found.reasons
        assert first.startswith("matching mAP (tough, viewpoint) is ")
        assert second.startswith("retrieval mAP (tough, viewpoint) is ")
        assert "below production; allowed: at most 1.00 below, missed by " in first
        assert tfma == "TFMA's validation refuses the same slices."
