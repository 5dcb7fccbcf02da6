"""hloc's files, read by h5py as hloc reads them."""

import h5py
import numpy as np
import pytest

from components.matching.features import hloc
from components.matching.mutual import Matches
from tests.components.matching.features.described import IDENTITY, features
from trainer.core.errors import UserError


def test_features_lie_as_hloc_reads_them(tmp_path):
    path = tmp_path / "features.h5"
    one, other = features("db/1.jpg"), features("2.jpg", count=3)
    with hloc.writing_features(str(path), IDENTITY) as add:
        add(one)
        add(other)
    with h5py.File(path, "r") as file:
        group = file["db/1.jpg"]
        np.testing.assert_array_equal(group["keypoints"][()], one.positions[:, :2])
        assert group["keypoints"].attrs["uncertainty"] == 1.0
        np.testing.assert_array_equal(group["scores"][()], one.scores)
        assert group["descriptors"].shape == (128, 5)
        np.testing.assert_allclose(group["descriptors"][()].T, one.descriptors, atol=3e-4)
        assert group["image_size"][()].tolist() == [640, 480]
        np.testing.assert_array_equal(group["scales"][()], one.positions[:, 2])
        np.testing.assert_array_equal(group["oris"][()], one.angles)
    assert [entry.name for entry in tmp_path.iterdir()] == ["features.h5"]


def test_features_are_read_again(tmp_path):
    path = str(tmp_path / "features.h5")
    one = features("db/1.jpg")
    with hloc.writing_features(path, IDENTITY) as add:
        add(one)
        add(features("2.jpg", count=3))
    store = hloc.FeaturesFile(path)
    assert store.counts == {"2.jpg": 3, "db/1.jpg": 5}
    assert store.identity == IDENTITY
    described = store.descriptors("db/1.jpg")
    assert described.dtype == np.float32
    np.testing.assert_allclose(described, one.descriptors, atol=3e-4)
    store.close()


def test_matches_lie_as_hloc_reads_them(tmp_path):
    path = tmp_path / "matches.h5"
    matches = Matches(np.array([1, 3]), np.array([7, 0]), np.ones(2), np.array([0.25, 0.5]))
    with hloc.writing_matches(str(path)) as add:
        add("left/1.jpg", "right/1.jpg", 4, matches)
    with h5py.File(path, "r") as file:
        group = file["left-1.jpg"]["right-1.jpg"]
        assert group["matches0"][()].tolist() == [-1, 7, -1, 0]
        assert group["matches0"].dtype == np.int32
        assert group["matching_scores0"][()].tolist() == [0, 0.75, 0, 0.5]


def test_an_error_leaves_nothing(tmp_path):
    with (
        pytest.raises(RuntimeError),
        hloc.writing_features(str(tmp_path / "features.h5"), IDENTITY) as add,
    ):
        add(features("1.jpg"))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_kept(tmp_path):
    path = tmp_path / "features.h5"
    path.write_bytes(b"precious")
    with (
        pytest.raises(UserError, match=r"features.h5 is there already; choose another name"),
        hloc.writing_features(str(path), IDENTITY),
    ):
        pass
    assert path.read_bytes() == b"precious"


def test_what_is_no_features_file_is_refused(tmp_path):
    path = tmp_path / "features.h5"
    path.write_bytes(b"no HDF5")
    with pytest.raises(UserError, match="cannot be read as HDF5"):
        hloc.FeaturesFile(str(path))
    with h5py.File(path, "w") as file:
        file.create_group("empty")
    with pytest.raises(UserError, match=r"holds no features, expected hloc's features.h5"):
        hloc.FeaturesFile(str(path))
