"""A training run's memory does not grow with its data."""

from pathlib import Path

import pytest

from benchmarks.training import memory

_MEGABYTE = 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux' /proc")
def test_ten_times_the_data_take_no_more_memory(tmp_path):
    once = memory.measure(600, seen=6000, work=str(tmp_path))
    ten_times = memory.measure(6000, seen=6000, work=str(tmp_path))
    assert ten_times["packed"] - once["packed"] > 90 * _MEGABYTE
    assert ten_times["resident"] - once["resident"] < 30 * _MEGABYTE
    assert once["anonymous"] < once["resident"] < 2048 * _MEGABYTE
