"""Descriptors of another environment."""

import numpy as np
import pytest

from benchmarks.calibration import calibration, contributed, peers
from trainer.core.errors import UserError


@pytest.mark.parametrize("benchmark", [peers, calibration])
def test_without_the_environment_it_says_what_makes_it(benchmark, monkeypatch, tmp_path):
    monkeypatch.setattr(contributed, "PYTHON", tmp_path / "python")
    with pytest.raises(UserError, match="make bench-env"):
        benchmark.run("demo")


@pytest.mark.skipif(
    not list(contributed.PYTHON.parents[1].glob("lib/python*/site-packages/cv2")),
    reason="no contributed OpenCV: make bench-env",
)
@pytest.mark.parametrize("method", peers.METHODS)
def test_equal_patches_have_equal_descriptors_wherever_they_stand(method):
    patches = np.random.default_rng(0).integers(0, 256, (40, 65, 65), dtype=np.uint8)
    patches[39] = patches[0]
    described = contributed.describe(method, patches)
    assert len(described) == 40
    np.testing.assert_array_equal(described[39], described[0])
    assert not np.array_equal(described[1], described[0])
