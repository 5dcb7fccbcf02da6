import cv2
import numpy as np
import pytest

from components.descriptor_evaluator.descriptors import handcrafted
from components.descriptor_evaluator.protocol import matching
from components.example_gen.formats import reading
from components.example_gen.settings import DataSettings
from tests.support.pictures import texture


def test_bits_are_those_of_opencv():
    patches = np.stack([texture(65, 65, seed) for seed in range(5)])
    found = handcrafted.describe("orb", patches)
    assert (found.dtype, found.shape, set(np.unique(found))) == (np.float32, (5, 256), {0, 1})
    small = cv2.resize(patches[3], (32, 32), interpolation=cv2.INTER_AREA)
    orb = cv2.ORB_create(nlevels=1, edgeThreshold=0)
    packed = orb.compute(small, [cv2.KeyPoint(15.5, 15.5, 31.0, 0.0)])[1]
    np.testing.assert_array_equal(np.packbits(found[3].astype(np.uint8)), packed[0])


@pytest.mark.slow
def test_hard_patches_score_about_as_published(shared):
    """Published ORB on v_graffiti: 9.6 % of hard pairs; fewer points make it easier."""
    settings = DataSettings(format="sequences", max_points=None)
    inputs, _ = reading.list_sequences("sequences", str(shared / "sequences"), settings)
    (item,) = [item for item in inputs if item.name == "v_graffiti"]
    patches = reading.load_sequence(item, settings).patches
    described = handcrafted.describe_sequence("orb", patches)
    found = [
        metrics["ap"]
        for noise, _, metrics in matching.match_sequence(described, "hamming")
        if noise == "h"
    ]
    assert 0.07 < np.mean(found) < 0.13
