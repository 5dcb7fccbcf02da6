"""Flips and quarter turns; jitter."""

import math

import numpy as np
import tensorflow as tf
from scipy import ndimage

from trainer.core.config import JitterConfig, TrainerConfig
from trainer.data.augmentation import augment, flip_and_turn, jitter, warp

_JITTER = JitterConfig(rotation_degrees=10, log_scale=0.1, shift_pixels=1.5)


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
    for draw in (
        lambda seed: flip_and_turn(patches, 2, seed),
        lambda s: jitter(patches, s, _JITTER),
    ):
        first, again, other = (draw(tf.constant(seed)).numpy() for seed in ([1, 5], [1, 5], [1, 6]))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


def _warped(patch: np.ndarray, angle=0.0, scale=1.0, shift=(0.0, 0.0)) -> np.ndarray:
    return warp(
        tf.constant(patch[np.newaxis]),
        angle=tf.constant([angle]),
        scale=tf.constant([scale]),
        shift=tf.constant([shift]),
    ).numpy()[0]


def test_a_patch_is_shifted_and_mirrored_at_its_border():
    patch = np.arange(9, dtype=np.uint8).reshape(3, 3)
    np.testing.assert_array_equal(
        _warped(patch, shift=(1.0, 0.0)), [[0, 0, 1], [3, 3, 4], [6, 6, 7]]
    )
    np.testing.assert_array_equal(
        _warped(patch, shift=(0.0, -0.5)), [[1.5, 2.5, 3.5], [4.5, 5.5, 6.5], [6, 7, 8]]
    )
    np.testing.assert_array_equal(_warped(patch), patch)


def test_a_patch_is_turned_and_scaled_about_its_centre():
    patch = np.arange(16, dtype=np.uint8).reshape(4, 4)
    turned = _warped(patch, angle=math.pi / 2)  # right goes down
    np.testing.assert_allclose(turned, np.rot90(patch, -1), atol=1e-4)
    # Twice as large: 1.5 pixels right of the centre lay 0.75 right of it.
    row = np.tile(np.arange(4, dtype=np.uint8), (4, 1))
    np.testing.assert_allclose(_warped(row, scale=2.0)[0], [0.75, 1.25, 1.75, 2.25])


def test_a_warp_is_that_of_scipy():
    rng = np.random.default_rng(2)
    patch = rng.integers(0, 256, (32, 32), dtype=np.uint8)
    angle, scale, shift = 0.3, 1.2, (2.5, -1.25)
    cosine, sine = math.cos(angle) / scale, math.sin(angle) / scale
    matrix = np.array([[cosine, -sine], [sine, cosine]])  # rows first
    centre = np.full(2, 15.5)
    expected = ndimage.affine_transform(
        patch.astype(np.float64),
        matrix,
        offset=centre - matrix @ (centre + np.array(shift)[::-1]),
        order=1,
        mode="reflect",
    )
    np.testing.assert_allclose(_warped(patch, angle, scale, shift), expected, atol=0.05)


def test_each_patch_is_jittered_by_amounts_of_its_own_within_the_bounds():
    size = 32
    ramp = np.tile(np.arange(size, dtype=np.float32) * 4, (500, size, 1))  # grey level tells x
    only_shift = JitterConfig(shift_pixels=1.5)
    centres = jitter(tf.constant(ramp), tf.constant([1, 2]), only_shift).numpy()[:, 16, 16]
    shifts = 16 - centres / 4
    assert len(np.unique(shifts)) > 450
    assert -1.5 <= shifts.min() < -1.4
    assert 1.4 < shifts.max() <= 1.5


def test_the_configuration_decides():
    patches = tf.constant(np.random.default_rng(1).integers(0, 256, (8, 32, 32), dtype=np.uint8))
    seed = tf.constant([1, 0])
    np.testing.assert_array_equal(augment(patches, 2, seed, TrainerConfig(augment=False)), patches)
    turned = flip_and_turn(patches, 2, seed)
    np.testing.assert_array_equal(augment(patches, 2, seed, TrainerConfig()), turned)
    both = augment(patches, 2, seed, TrainerConfig(jitter=_JITTER))
    assert both.dtype == tf.float32
    np.testing.assert_array_equal(both, jitter(turned, tf.constant([1, -1]), _JITTER))


def test_xla_compiles_it():
    patches = tf.constant(np.random.default_rng(1).integers(0, 256, (8, 32, 32), dtype=np.uint8))
    angle = tf.linspace(-0.2, 0.2, 8)
    shift = tf.stack([angle * 5, -angle * 9], axis=-1)
    compiled = tf.function(warp, jit_compile=True)(
        patches, angle=angle, scale=1 + angle, shift=shift
    )
    plain = warp(patches, angle=angle, scale=1 + angle, shift=shift)
    np.testing.assert_allclose(compiled, plain, atol=0.01)
    # What XLA draws is its own, so only the whole is compiled here.
    whole = tf.function(augment, jit_compile=True)
    drawn = whole(patches, 2, tf.constant([1, 0]), TrainerConfig(jitter=_JITTER)).numpy()
    assert drawn.std() > 10
    assert drawn.min() >= 0 and drawn.max() <= 255
