"""Flips and quarter turns."""

import numpy as np
import tensorflow as tf

from trainer.augmentation import flip_and_turn


def _symmetries(patch: np.ndarray) -> list[bytes]:
    turns = [np.rot90(patch, quarter) for quarter in range(4)]
    return [turned.tobytes() for turn in turns for turned in (turn, np.fliplr(turn))]


def test_each_point_gets_one_symmetry_for_all_its_patches():
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (200 * 3, 8, 8), dtype=np.uint8)
    turned = flip_and_turn(tf.constant(patches), 3, tf.constant([1, 2])).numpy()
    used = set()
    for point in range(200):
        rows = range(3 * point, 3 * point + 3)
        places = {_symmetries(patches[row]).index(turned[row].tobytes()) for row in rows}
        assert len(places) == 1
        used |= places
    assert used == set(range(8))  # all eight occur


def test_the_seed_decides():
    patches = tf.constant(np.random.default_rng(1).integers(0, 256, (64, 8, 8), dtype=np.uint8))
    first, again, other = (
        flip_and_turn(patches, 2, tf.constant(seed)).numpy() for seed in ([1, 5], [1, 5], [1, 6])
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
