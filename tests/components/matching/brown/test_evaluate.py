import json

import numpy as np
import pytest

from components.matching.brown import photo_tour
from components.matching.brown.evaluate import evaluate_brown, pair_distances
from components.matching.descriptors import Descriptor
from tests.components.matching.brown import photo_tours
from trainer.core.errors import UserError


def test_a_descriptor_that_sees_through_noise_has_few_false_positives(tmp_path):
    photo_tours.write(tmp_path)
    result = evaluate_brown(str(tmp_path), baseline="rootsift")
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["data"]["matches"] == result["data"]["others"] == 150
    (scored,) = result["descriptors"]
    assert scored["name"] == "rootsift"
    assert scored["fpr95"] < 0.05
    noisy = tmp_path / "noisy"
    photo_tours.write(noisy, noise=3000.0)
    assert evaluate_brown(str(noisy), baseline="rootsift")["descriptors"][0]["fpr95"] > 0.3


def test_each_patch_is_described_once_and_pairs_get_its_distance(tmp_path):
    patches = photo_tours.write(tmp_path)
    tour = photo_tour.open_set(str(tmp_path))
    pairs = photo_tour.read_pairs(tour, photo_tour.choose_pairs_file(tour))
    seen = []

    def describe(values):
        seen.append(len(values))
        return values.reshape(len(values), -1)[:, :5].astype(np.float32)

    distances = pair_distances(Descriptor("corner", None, describe), tour, pairs)
    used = np.unique([pairs.first, pairs.second])
    assert sum(seen) == len(used) <= 300
    rows = patches[:, 0, :5].astype(float)
    wanted = np.linalg.norm(rows[pairs.first] - rows[pairs.second], axis=1)
    np.testing.assert_allclose(distances, wanted)


def test_descriptors_that_are_not_finite_are_infinitely_far_apart(tmp_path):
    photo_tours.write(tmp_path)
    tour = photo_tour.open_set(str(tmp_path))
    pairs = photo_tour.read_pairs(tour, photo_tour.choose_pairs_file(tour))
    broken = Descriptor("nan", None, lambda values: np.full((len(values), 3), np.nan, np.float32))
    assert np.isinf(pair_distances(broken, tour, pairs)).all()


def test_nothing_to_describe_with_is_refused(tmp_path):
    with pytest.raises(UserError, match="expected a model, a baseline or both"):
        evaluate_brown(str(tmp_path))
