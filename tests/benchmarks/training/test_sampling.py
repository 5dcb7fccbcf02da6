"""The sampler's speed is measured, and is far from being what a step waits for."""

import pytest

from benchmarks.training import sampling


@pytest.mark.slow
def test_a_core_draws_tens_of_thousands_of_patches_whatever_the_size_of_the_data(tmp_path):
    rates = sampling.sampler_rates(str(tmp_path), sizes=(10_000, 40_000))
    assert set(rates) == {(size, name) for size in (10_000, 40_000) for name in sampling.SHAPES}
    assert min(rates.values()) > 30_000
    assert list(tmp_path.iterdir()) == []
