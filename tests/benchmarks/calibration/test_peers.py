"""Other descriptors on the same patches."""

import numpy as np
import pytest

from benchmarks.calibration import peers
from trainer.core.errors import UserError


def test_the_best_comes_first_with_its_mean():
    shown = peers.table({"a": {"v_x": 0.1, "v_y": 0.3}, "b": {"v_x": 0.5, "v_y": 0.2}})
    rows = [list(column.cells) for column in shown.columns]
    assert rows == [["b", "a"], ["50.0", "10.0"], ["20.0", "30.0"], ["35.0", "20.0"]]


def test_without_the_environment_it_says_what_makes_it(monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "_PYTHON", tmp_path / "python")
    with pytest.raises(UserError, match="make bench-env"):
        peers.run("demo")


@pytest.mark.skipif(
    not list(peers._PYTHON.parents[1].glob("lib/python*/site-packages/cv2")),
    reason="no contributed OpenCV: make bench-env",
)
@pytest.mark.parametrize("method", peers.METHODS)
def test_equal_patches_have_equal_descriptors_wherever_they_stand(method):
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (3, 16, 65, 65), dtype=np.uint8)
    patches[2] = patches[0]
    described = peers.described_by(method, patches)
    assert described.shape[:2] == (16, 3)
    np.testing.assert_array_equal(described[:, 2], described[:, 0])
    assert not np.array_equal(described[:, 1], described[:, 0])
