"""The S x K sampler."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.synthetic import START, packed
from trainer.core.errors import UserError
from trainer.data.batches import (
    Sampler,
    SamplerState,
    epoch_order,
    largest_batch,
    variant_pool,
)

_NOISES = ("e", "h", "t")


def _columns(counts: list[int], scenes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    sequence = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return sequence, np.array(scenes, np.int32)[sequence]


def _conflicts(row: np.ndarray, sequence: np.ndarray, scene: np.ndarray) -> int:
    pairs = {(scene[point], sequence[point]) for point in row}
    return len(pairs) - len({owner for owner, _ in pairs})


@pytest.mark.parametrize(
    ("counts", "scenes", "size"),
    [
        ([30, 30, 30, 30], [0, 1, 2, 3], 16),  # every image sequence its own scene
        ([30, 25, 30, 31, 28, 30], [0, 0, 1, 1, 2, 2], 16),  # two of each photograph
        ([100, 5, 60, 60], [0, 0, 1, 1], 32),  # unequal ones
        ([40, 40], [0, 0], 16),  # a single scene
    ],
)
def test_an_epoch_uses_every_point_and_no_batch_breaks_the_rules(counts, scenes, size):
    sequence, scene = _columns(counts, scenes)
    for epoch in range(5):
        order = epoch_order(sequence, scene, size, seed=3, epoch=epoch)
        assert order.shape[1] == size
        assert set(order.ravel()) == set(range(len(sequence)))
        for row in order:
            assert len(set(row)) == size
            assert _conflicts(row, sequence, scene) == 0


def test_only_a_few_points_come_twice_in_an_epoch():
    sequence, scene = _columns([300] * 40, [number // 2 for number in range(40)])
    order = epoch_order(sequence, scene, 128, seed=0, epoch=0)
    assert len(order) == int(np.ceil(12000 / 128))
    _, times = np.unique(order, return_counts=True)
    assert times.min() == 1
    assert (times > 1).sum() < 128


def _share_of_one_sequence(order: np.ndarray, sequence: np.ndarray) -> list[int]:
    return [int(np.bincount(sequence[row]).max()) for row in order]


def test_the_same_sequence_fraction_comes_from_one_image_sequence_and_every_point_once():
    counts = [300] * 40
    sequence, scene = _columns(counts, [number // 2 for number in range(40)])
    order = epoch_order(sequence, scene, 128, seed=0, epoch=0, same_sequence=64)
    assert len(order) == int(np.ceil(12000 / 128))
    assert min(_share_of_one_sequence(order, sequence)) >= 64
    assert len({int(np.bincount(sequence[row]).argmax()) for row in order}) > 30
    for row in order:
        assert len(set(row)) == 128
        assert _conflicts(row, sequence, scene) == 0
    _, times = np.unique(order, return_counts=True)
    assert len(times) == 12000
    assert (times > 1).sum() < 128
    without = epoch_order(sequence, scene, 128, seed=0, epoch=0)
    assert max(_share_of_one_sequence(without, sequence)) < 64


def test_small_image_sequences_give_the_points_they_have():
    sequence, scene = _columns([12, 6, 6, 6, 6, 6, 6], list(range(7)))  # 48 points, 3 batches
    order = epoch_order(sequence, scene, 16, seed=0, epoch=0, same_sequence=12)
    assert sorted(order.ravel()) == list(range(48))
    assert sorted(_share_of_one_sequence(order, sequence))[-1] == 12
    assert min(_share_of_one_sequence(order, sequence)) >= 6


def test_a_sampler_draws_its_same_sequence_fraction():
    data = packed([40] * 8, list(range(8)))
    sampler = Sampler(data, 16, 2, _NOISES, START, same_sequence_fraction=0.75)
    for _ in range(20):
        points, _ = sampler.draw()
        assert np.bincount(data.sequence[points]).max() >= 12


@pytest.mark.parametrize("same_sequence", [0, 8])
def test_an_epoch_follows_seed_and_number(same_sequence):
    sequence, scene = _columns([60] * 6, [0, 0, 1, 2, 3, 4])
    orders = [
        epoch_order(sequence, scene, 16, seed, epoch, same_sequence=same_sequence)
        for seed, epoch in ((0, 0), (0, 0), (1, 0), (0, 1))
    ]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
    assert not np.array_equal(orders[0], orders[3])


@pytest.mark.parametrize(
    ("points", "patches_per_point", "noises", "fraction", "sentence"),
    [
        (21, 2, _NOISES, 0.0, r"points_per_batch is 21.*at most 20"),
        (4, 7, ("e",), 0.0, r"patches_per_point is 7.*only 6"),
        (16, 2, _NOISES, 0.75, r"same_sequence_fraction is 0.75.*wants 12 of 16.*holds 10"),
    ],
)
def test_what_the_data_cannot_fill_is_refused(
    points, patches_per_point, noises, fraction, sentence
):
    with pytest.raises(UserError, match=sentence):
        Sampler(packed([10, 10, 5], [0, 1, 1]), points, patches_per_point, noises, START, fraction)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    seed=st.integers(0, 2**31 - 1),
    data=st.data(),
)
def test_the_rules_hold_for_any_data(counts, seed, data):
    owners = data.draw(st.lists(st.integers(0, 3), min_size=len(counts), max_size=len(counts)))
    scenes = np.unique(owners, return_inverse=True)[1].tolist()
    sequence, scene = _columns(counts, scenes)
    size = data.draw(st.integers(1, largest_batch(sequence, scene)))
    count = data.draw(st.integers(0, size))
    order = epoch_order(sequence, scene, size, seed, epoch=0, same_sequence=count)
    assert len(order) >= 1
    for row in order:
        assert len(set(row)) == size
        assert _conflicts(row, sequence, scene) == 0


def test_a_batch_that_only_the_largest_sequences_fill_is_found():
    sequence, scene = _columns([1, 1, 19, 19, 36], [0, 1, 1, 0, 2])
    (row,) = epoch_order(sequence, scene, 57, seed=0, epoch=0)
    assert len(set(row)) == 57 and _conflicts(row, sequence, scene) == 0


def test_largest_batch_takes_the_largest_image_sequence_of_every_scene():
    sequence, scene = _columns([10, 4, 7], [0, 0, 1])
    assert largest_batch(sequence, scene) == 17
    assert largest_batch(*_columns([], [])) == 0


def test_variant_pool_always_has_the_reference():
    assert variant_pool(("h",)).tolist() == [0, 6, 7, 8, 9, 10]
    assert variant_pool(("t", "e")).tolist() == [0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 15]


def test_variants_are_of_the_noises_and_without_replacement():
    sampler = Sampler(packed([20, 20], [0, 1]), 8, 4, ("h",), START)
    seen = set()
    for _ in range(20):
        points, variants = sampler.draw()
        assert points.shape == (8,)
        assert variants.shape == (8, 4)
        assert all(len(set(row)) == 4 for row in variants)
        seen |= set(variants.ravel().tolist())
    assert seen == {0, 6, 7, 8, 9, 10}


def test_the_patches_are_those_of_the_points_in_order():
    data = packed([20, 20], [0, 1])
    points, variants = Sampler(data, 8, 3, _NOISES, START).draw()
    batch = next(Sampler(data, 8, 3, _NOISES, START))
    assert batch.shape == (24, 32, 32)
    assert batch.dtype == np.uint8
    marks = (points[:, None] * 16 + variants).ravel()
    np.testing.assert_array_equal(batch[:, 0, 0], marks % 251)
    np.testing.assert_array_equal(batch[:, 0, 1], marks // 251)


def test_the_same_seed_gives_the_same_batches_and_another_seed_others():
    data = packed([50, 50], [0, 1])
    first, second = (Sampler(data, 16, 2, _NOISES, START) for _ in range(2))
    other = Sampler(data, 16, 2, _NOISES, SamplerState(seed=2))
    for _ in range(10):
        batch = next(first)
        np.testing.assert_array_equal(batch, next(second))
        assert not np.array_equal(batch, next(other))


def test_a_saved_state_goes_on_where_it_was():
    data = packed([30, 30], [0, 1])
    sampler = Sampler(data, 16, 2, _NOISES, START)
    for _ in range(6):  # into the second epoch
        next(sampler)
    saved = sampler.state
    assert saved.epoch == 1
    expected = [next(sampler) for _ in range(5)]
    resumed = Sampler(data, 16, 2, _NOISES, saved)
    for batch in expected:
        np.testing.assert_array_equal(next(resumed), batch)


@pytest.mark.parametrize("patches_per_point", [1, 2, 16])
def test_each_points_patches_are_those_of_its_lowest_lots(patches_per_point):
    data = packed([20, 20], [0, 1])
    _, variants = Sampler(data, 8, patches_per_point, _NOISES, START).draw()
    lots = np.random.default_rng([START.seed, 1, 0, 0]).random((8, 16), dtype=np.float32)
    np.testing.assert_array_equal(variants, np.argsort(lots, axis=1)[:, :patches_per_point])


def test_rows_are_where_the_patches_of_a_batch_lie():
    data = packed([20, 20], [0, 1])
    rows, patches = (Sampler(data, 8, 3, _NOISES, START) for _ in range(2))
    everything = data.patches.reshape(-1, 32, 32)
    for _ in range(6):
        np.testing.assert_array_equal(everything[rows.rows()], next(patches))
