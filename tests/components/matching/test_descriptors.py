"""What a model says of how its patches were cut."""

import json

import numpy as np
import pytest

from components.descriptor_evaluator.descriptors import handcrafted
from components.example_gen.settings import DataSettings, ExtractionSettings
from components.matching import descriptors
from trainer.core.errors import UserError


@pytest.fixture
def model(tmp_path):
    """Writes a folder that looks like a model which says so of itself."""

    def write(identity):
        (tmp_path / "saved_model.pb").write_text("graph")
        if identity is not None:
            (tmp_path / "assets.extra").mkdir()
            (tmp_path / "assets.extra" / "descriptor.json").write_text(json.dumps(identity))
        return str(tmp_path)

    return write


def test_points_are_cut_as_the_model_says(model):
    rules = ExtractionSettings(detectors=("dog",), region=4.0, smoothing=0.1, min_sigma=2.0)
    said = DataSettings(extraction=rules).model_dump(mode="json")
    path = model({"extraction": said})
    assert descriptors.extraction_of(path) == rules
    assert descriptors.extraction_for(path) == (rules, ())


def test_for_a_model_that_says_nothing_the_default_rules_are_taken_with_a_remark(model):
    path = model(None)
    assert descriptors.extraction_of(path) is None
    rules, (remark,) = descriptors.extraction_for(path)
    assert rules == ExtractionSettings()
    assert remark.startswith(f"{path}: does not say how the patches were cut")
    assert "\n" not in remark
    assert descriptors.extraction_for(None) == (ExtractionSettings(), ())  # handcrafted alone
    with pytest.raises(UserError, match=r"holds no saved_model.pb"):
        descriptors.extraction_of(f"{path}/nowhere")


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        *(
            (identity, r"descriptor.json: does not say how the patches were cut")
            for identity in ({}, {"extraction": {}}, {"extraction": 3})
        ),
        (
            {"extraction": {"extraction": {"detectors": ["superpoint"]}}},
            r"extraction\.extraction\.detectors\.0: this version cannot cut patches that way",
        ),
        (
            {"extraction": {"extraction": {"affine_shape": True}}},
            r"extraction\.extraction\.affine_shape: this version cannot cut patches that way",
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused(model, identity, said):
    with pytest.raises(UserError, match=said):
        descriptors.extraction_of(model(identity))


def test_a_baseline_describes_as_the_evaluator_does():
    patches = np.random.default_rng(0).integers(0, 256, (5, 65, 65), np.uint8)
    baseline = descriptors.baseline("rootsift-smoothed")
    assert (baseline.name, baseline.identity) == ("rootsift-smoothed", None)
    wanted = handcrafted.describe("rootsift-smoothed", patches)
    np.testing.assert_array_equal(baseline.describe(patches), wanted)
