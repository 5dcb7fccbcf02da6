"""Batches drawn ahead."""

import numpy as np
import pytest

from tests.support.synthetic import START, packed
from trainer.data.batches import Sampler
from trainer.data.infeed import Infeed

_DATA = packed([20, 20], [0, 1])


def _sampler() -> Sampler:
    return Sampler(_DATA, 8, 2, ("e", "h", "t"), START)


@pytest.fixture
def infeed():
    with Infeed(_sampler(), block=3) as infeed:
        yield infeed


def test_blocks_hold_the_samplers_batches_in_order(infeed):
    expected = _sampler()
    for _ in range(4):
        block = infeed.take(3, ahead=3)
        np.testing.assert_array_equal(block, [next(expected) for _ in range(3)])


def test_short_blocks_are_padded(infeed):
    block = infeed.take(2, ahead=0)
    assert block.shape == (3, 16, 32, 32)
    assert block[1].any()
    assert not block[2].any()


def test_a_change_of_mind_loses_no_batch(infeed):
    expected = _sampler()
    wanted = [next(expected) for _ in range(6)]
    infeed.take(3, ahead=3)
    block = infeed.take(1, ahead=2)  # other than announced
    np.testing.assert_array_equal(block[0], wanted[3])
    np.testing.assert_array_equal(infeed.take(2, ahead=0)[:2], wanted[4:])


def test_the_state_counts_what_was_taken_not_what_was_drawn(infeed):
    infeed.take(3, ahead=3)
    assert infeed.state.position == 3
    resumed = Sampler(_DATA, 8, 2, ("e", "h", "t"), infeed.state)
    np.testing.assert_array_equal(infeed.take(3, ahead=0)[0], next(resumed))


def test_blocks_of_rows_are_those_of_the_same_batches():
    expected = _sampler()
    with Infeed(_sampler(), block=3, rows=True) as infeed:
        for steps in (3, 2):
            rows = infeed.take(steps, ahead=2)
            assert (rows.shape, rows.dtype) == ((3, 16), np.int32)
            for number in range(steps):
                patches = _DATA.patches.reshape(-1, 32, 32)[rows[number]]
                np.testing.assert_array_equal(patches, next(expected))
        assert not rows[2].any()  # padding
        assert infeed.state.position == expected.state.position


def test_errors_of_the_thread_reach_the_caller():
    class Broken:
        state = START

        def __next__(self):
            raise OSError("disk gone")

    infeed = Infeed(Broken(), block=1)  # type: ignore[arg-type]
    with infeed, pytest.raises(OSError, match="disk gone"):
        infeed.take(1, ahead=0)
