"""The infeed is measured with patches and with rows alone; `make bench` holds it to its target."""

import pytest

from benchmarks.training import infeed, sampling


@pytest.mark.slow
def test_every_batch_is_drawn_both_ways(tmp_path):
    file = tmp_path / "patches"
    sampling.write_patches(file, 12_000)
    seconds = infeed.measure(sampling.mapped_patches(file, 12_000))
    assert set(seconds) == {(name, rows) for name in infeed.SHAPES for rows in (False, True)}
    assert min(seconds.values()) > 0
