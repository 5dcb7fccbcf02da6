"""Runs of the evaluator's executor on a few made-up patches and tiny SavedModels."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from tfx.components.util import model_utils

from components.core.names import CARD_SCORES_FILE
from components.descriptor_evaluator.descriptors import csv_tree, handcrafted
from trainer.core.variants import PATCH_SIZE, TARGETS, variant_index
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
}


def make_patches(
    seed: int, noise: tuple[float, float, float] = (4.0, 10.0, 20.0), inverted: bool = False
) -> np.ndarray:
    """Smooth random patches, uint8 [POINTS, 16, 65, 65]; noise grows from e to t.

    `inverted` makes the tough ones negatives.
    """
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(40, 215, (POINTS, 7, 7)).astype(np.float32)
    base = np.stack(
        [cv2.resize(c, (PATCH_SIZE, PATCH_SIZE), interpolation=cv2.INTER_CUBIC) for c in coarse]
    )
    strength = [0.0] + [level for level in noise for _ in range(TARGETS)]
    variants = [base + rng.normal(0, s + 1e-3, base.shape) for s in strength]
    patches = np.clip(np.stack(variants, axis=1), 0, 255).astype(np.uint8)
    if inverted:
        tough = slice(variant_index("t", 1), None)
        patches[:, tough] = 255 - patches[:, tough]
    return patches


def write_examples(root: Path, patches_of: Callable[[int, str], np.ndarray] | None = None) -> str:
    """Writes shards and a manifest with an eval and a val split; returns the folder.

    Args:
        root: Folder.
        patches_of: Patches by number and name of the image sequence; by default `make_patches`.
    """
    splits: dict = {"train": [], "val": [], "eval": []}
    for number, (name, scene) in enumerate([*SEQUENCES, ("v_c", "c")]):
        split = "val" if scene == "c" else "eval"
        shard = f"Split-{split}/{name}-00000-of-00001"
        (root / f"Split-{split}").mkdir(parents=True, exist_ok=True)
        given = patches_of(number, name) if patches_of else make_patches(number)
        with tf.io.TFRecordWriter(str(root / shard)) as writer:
            for index, patches in enumerate(given):
                record = records.PointPatches(name, scene, name[0], index, patches)
                writer.write(records.encode(record))
        splits[split].append(
            manifest.SequenceEntry(
                name=name,
                scene=scene,
                kind=name[0],
                count=POINTS,
                shards=(shard,),
                checksum=hashlib.sha256(given.tobytes()).hexdigest(),
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
        if self._behaviour == "blind to contrast":  # an inverted patch is described alike
            flat = tf.sort(tf.abs(flat), axis=1)
        code = tf.math.l2_normalize(flat, axis=1)
        if self._behaviour in ("constant", "noise"):
            code = tf.ones_like(code) / 8.0 + (1e-7 * code if self._behaviour == "noise" else 0.0)
        if self._behaviour == "poor":
            code = tf.concat([code[:, :1], tf.zeros_like(code[:, 1:])], axis=1)
        if self._behaviour == "nan":
            code = code * float("nan")
        if self._behaviour == "crash":
            with tf.control_dependencies([tf.debugging.assert_less(code, -2.0, "deliberate")]):
                code = tf.identity(code)
        return {"descriptors": code}


def assert_blessing(blessing, blessed: bool):
    names = {path.name for path in Path(blessing.uri).iterdir()}
    assert names - {CARD_SCORES_FILE} == {"BLESSED" if blessed else "NOT_BLESSED"}
    assert model_utils.is_model_blessed(blessing) is blessed


def descriptor_files_of(name: str, folder: Path) -> Path:
    """Writes a handcrafted descriptor of the held-out sequences as a CSV tree."""
    for number, (sequence, _) in enumerate(SEQUENCES):
        described = handcrafted.describe_sequence(name, make_patches(number))
        csv_tree.write_sequence(str(folder), sequence, described)
    return folder
