"""Occluders in patches."""

import numpy as np
import pytest

from components.example_gen.geometry import occlusion


def rng():
    return np.random.default_rng(5)


def ramps(count=400, variants=3, side=65):
    """Patches without structure: the grey level tells the point."""
    levels = np.linspace(0, 255, count).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, variants, side, side)).copy()


def test_the_middle_stays():
    patches = ramps()
    covered = occlusion.occlude(patches, 1.0, rng())
    # .2 half-widths of 32 steps: a disc of 6 pixels about the centre.
    y, x = np.mgrid[-32:33, -32:33]
    middle = np.hypot(x, y) <= 6
    np.testing.assert_array_equal(covered[..., middle], patches[..., middle])


def test_beyond_a_straight_edge_is_another_point_of_the_same_image():
    patches = ramps()
    covered = occlusion.occlude(patches, 1.0, rng())
    changed = covered != patches
    for patch, one in zip(covered[:, 0], changed[:, 0], strict=True):
        assert len(np.unique(patch[one])) <= 1
    # A half-plane less than half the patch: its mirror image about the centre is free.
    assert not (changed & changed[..., ::-1, ::-1]).any()


def test_an_edge_beyond_the_sides_covers_a_corner_at_most():
    covered = (occlusion.occlude(ramps(), 1.0, rng()) != ramps()).mean((2, 3))
    assert covered.max() <= 0.41  # .4 for an edge at .2 along a side, a little more aslant
    assert covered.max() > 0.36
    assert 0.1 < np.mean(covered < 0.02) < 0.3


@pytest.mark.parametrize("share", [0.0, 0.25, 0.75])
def test_so_many_patches_are_covered(share):
    patches = ramps(2000)
    covered = (occlusion.occlude(patches, share, rng()) != patches).any((2, 3))
    # A fifth of the edges misses the sides, and few of these the corners, too.
    assert covered.mean() == pytest.approx(0.97 * share, abs=0.03)


def test_patches_of_a_point_are_covered_apart():
    changed = (occlusion.occlude(ramps(), 0.5, rng()) != ramps()).any((2, 3))
    assert 0.1 < (changed[:, 0] & ~changed[:, 1]).mean() < 0.4


def test_the_same_seed_covers_the_same():
    first, again = (occlusion.occlude(ramps(), 0.5, rng()) for _ in range(2))
    np.testing.assert_array_equal(first, again)
