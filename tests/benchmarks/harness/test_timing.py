"""Workers that take turns, and the spread of their ratios."""

import sys

import pytest

from benchmarks.harness.timing import Job, Spread, Worker, ratios

_JOB = Job(width=0.25, batch=256, patches_per_point=4, batches="a.npy", weights="a.npz")


@pytest.fixture
def worker():
    with Worker(sys.executable, "tests.benchmarks.counting_worker", 1, {}) as started:
        yield started


def test_a_worker_answers_with_times_and_values(worker):
    assert worker.open(_JOB) == ["batch", "count", "die"]
    timing = worker.take("count", 3)
    assert timing.value == 6
    assert timing.wall > 0
    assert timing.cpu >= 0
    assert worker.take("batch", 1).value == 256


def test_the_next_job_replaces_the_one_before(worker):
    worker.open(_JOB)
    worker.open(Job(1.0, 512, 4, "a.npy", "a.npz"))
    assert worker.take("batch", 1).value == 512


def test_a_worker_that_dies_says_why(worker):
    worker.open(_JOB)
    with pytest.raises(RuntimeError, match="the reason"):
        worker.take("die", 1)


def test_ratios_are_taken_round_by_round():
    # 4/2, 9/3 and 2/4: the medians' ratio would be 4/3.
    spread = ratios([2.0, 3.0, 4.0], [4.0, 9.0, 2.0])
    assert spread == Spread(median=2.0, least=0.5, largest=3.0)
    assert str(spread) == "2.00 (0.50-3.00)"


def test_sides_with_different_rounds_are_refused():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        ratios([1.0], [1.0, 2.0])
