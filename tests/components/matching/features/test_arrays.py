"""Features as npz."""

import numpy as np
import pytest

from components.matching.features import arrays
from tests.components.matching.features.described import IDENTITY, features
from trainer.core.errors import UserError


def test_arrays_come_back_as_they_were(tmp_path):
    path = str(tmp_path / "features.npz")
    one = features("a/1.jpg")
    with arrays.writing_features(path, IDENTITY) as add:
        add(one)
        add(features("2.jpg", count=3))
    with np.load(path) as content:
        keypoints = content["a/1.jpg/keypoints"]
        np.testing.assert_array_equal(keypoints[:, :3], one.positions)
        np.testing.assert_array_equal(keypoints[:, 3], one.angles)
        np.testing.assert_array_equal(content["a/1.jpg/scores"], one.scores)
        assert content["a/1.jpg/image_size"].tolist() == [640, 480]
    store = arrays.FeaturesFile(path)
    assert store.counts == {"a/1.jpg": 5, "2.jpg": 3}
    assert store.identity == IDENTITY
    np.testing.assert_array_equal(store.descriptors("a/1.jpg"), one.descriptors)
    store.close()


def test_what_is_no_features_file_is_refused(tmp_path):
    path = tmp_path / "features.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="cannot be read as features in npz"):
        arrays.FeaturesFile(str(path))
    np.savez(path, other=np.zeros(3))
    with pytest.raises(UserError, match="holds no features"):
        arrays.FeaturesFile(str(path))
