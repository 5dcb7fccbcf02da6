"""Small examples on disk, as ExampleGen would write them, without images to cut."""

import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf
from scipy import ndimage

from trainer.core.variants import NOISES, SPLITS, TARGETS, VARIANTS, kind_of
from trainer.data import manifest, records, resizing
from trainer.data.batches import SamplerState
from trainer.data.packing import PackedPatches

START = SamplerState(seed=1)
# Splits for `write_examples`: two scenes to train on, and one to validate on.
TWO_SCENES = {"train": {"i_a": ("a", 10), "v_b": ("b", 10)}, "val": {"v_c": ("c", 8)}}
_BLUR, _NOISE = 6.0, 12.0  # blobs a network can tell apart, disturbed a little more per noise


def point_patches(sequence: str, scene: str, index: int, size: int = 65) -> np.ndarray:
    """Returns uint8 [16, 65, 65]: one random texture with growing noise."""
    seed = int.from_bytes(hashlib.sha256(f"{scene}/{index}".encode()).digest()[:4], "big")
    texture = np.random.default_rng(seed).normal(size=(size, size))
    smooth = ndimage.gaussian_filter(texture, _BLUR / 65 * size)
    smooth = 128 + 45 * (smooth - smooth.mean()) / smooth.std()
    rng = np.random.default_rng([seed, len(sequence)])
    strength = [0.3, *(1.0 + NOISES.index(noise) for noise in NOISES for _ in range(TARGETS))]
    disturbed = [smooth + _NOISE * level * rng.normal(size=smooth.shape) for level in strength]
    return np.clip(np.round(disturbed), 0, 255).astype(np.uint8)


def write_examples(root: Path, splits: dict[str, dict[str, tuple[str, int]]]) -> manifest.Manifest:
    """Writes shards and manifest.

    Args:
        root: Folder to write.
        splits: Split name -> image sequence -> (scene, number of points).
    """
    entries: dict[str, list[manifest.SequenceEntry]] = {name: [] for name in SPLITS}
    for split, sequences in splits.items():
        (root / f"Split-{split}").mkdir(parents=True, exist_ok=True)
        for name, (scene, count) in sorted(sequences.items()):
            entries[split].append(_write_sequence(root, split, name, scene, count))
    listing = manifest.Manifest(
        splits={name: tuple(entries[name]) for name in SPLITS},  # type: ignore[misc]
        settings={"seed": 0},
    )
    manifest.write(listing, str(root))
    return listing


def _write_sequence(
    root: Path, split: str, name: str, scene: str, count: int
) -> manifest.SequenceEntry:
    shard = f"Split-{split}/{name}-00000-of-00001"
    digest = hashlib.sha256()
    with tf.io.TFRecordWriter(str(root / shard)) as writer:
        for index in range(count):
            patches = point_patches(name, scene, index)
            record = records.PointPatches(name, scene, kind_of(name), index, patches)
            serialized = records.encode(record)
            digest.update(serialized)
            writer.write(serialized)
    return manifest.SequenceEntry(
        name=name,
        scene=scene,
        kind=kind_of(name),
        count=count,
        shards=(shard,),
        checksum=digest.hexdigest(),
    )


class Transform(tf.Module):
    """What Transform saves in TF2 mode: a function of one dictionary, by name.

    Args:
        inverted: Whether it inverts the grey levels.
    """

    def __init__(self, inverted: bool = False) -> None:
        super().__init__()
        self._inverted = inverted

    @tf.function(
        input_signature=[
            {
                name: tf.TensorSpec([None, *spec.shape], spec.dtype)
                for name, spec in records.feature_spec().items()
            }
        ]
    )
    def transform_fn(self, features):
        patches = resizing.patches_from_bytes(features[records.PATCHES])
        return {
            records.PATCHES: 255 - patches if self._inverted else patches,
            "sequence_id": tf.zeros(tf.shape(features["index"]), tf.int64),
        }


def packed(counts: list[int], scenes: list[int]) -> PackedPatches:
    """Returns packed patches whose pixels tell point and variant apart.

    Args:
        counts: Points of each image sequence.
        scenes: Scene of each image sequence.
    """
    total, variants = sum(counts), len(VARIANTS)
    marks = np.arange(total * variants).reshape(total, variants, 1, 1)
    pixels = np.concatenate([marks % 251, marks // 251 % 251], axis=-1).astype(np.uint8)
    return PackedPatches(
        patches=np.tile(pixels, (1, 1, 32, 16)),
        sequence=np.repeat(np.arange(len(counts), dtype=np.int32), counts),
        scene=np.repeat(np.array(scenes, np.int32), counts),
        index=np.concatenate([np.arange(count, dtype=np.int32) for count in counts]),
        sequences=tuple(f"u_{number}" for number in range(len(counts))),
        scenes=tuple(f"s{number}" for number in sorted(set(scenes))),
        kinds=("u",) * len(counts),
    )
