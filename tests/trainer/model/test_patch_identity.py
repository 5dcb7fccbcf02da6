"""What a patch is to a model."""

import pytest
from pydantic import ValidationError

from components.example_gen.settings import DataSettings, ExtractionSettings
from trainer.model import patch_identity


def test_region_and_smoothing_are_those_of_photographs_that_are_matched():
    rules = ExtractionSettings(half_width=4.0, region=7.5, smoothing=0.2)
    identity = patch_identity.describe_patches(DataSettings(extraction=rules).model_dump())
    assert identity["patch"]["measurement_region"] == 7.5
    read = patch_identity.read_patch(identity)
    assert (read.measurement_region, read.smoothing) == (7.5, 0.2)


def test_a_model_that_says_nothing_has_the_region_of_hpatches_and_no_smoothing():
    patch = patch_identity.PatchIdentity()
    assert patch.measurement_region == ExtractionSettings().half_width == 5.0
    assert patch.smoothing == 0.0
    assert patch.size == 65
    assert patch.keypoint_size_per_sigma == pytest.approx(1.7818, abs=1e-4)


def test_an_earlier_model_is_of_the_present_cut_with_its_own_region():
    earlier = {"extraction": {"extraction": {"half_width": 4.0}}}
    read = patch_identity.read_patch(earlier)
    assert (read.measurement_region, read.smoothing) == (4.0, 0.0)
    for unknown in ({}, {"extraction": None}, {"extraction": {"extraction": None}}):
        assert patch_identity.read_patch(unknown) == patch_identity.PatchIdentity()


def test_what_this_version_does_not_know_is_refused():
    for other in ({"blur": "box"}, {"affine": True}, {"orientation": {"rule": "upright"}}):
        with pytest.raises(ValidationError):
            patch_identity.read_patch({"patch": other})


def test_a_matching_rule_that_was_not_chosen_is_none():
    assert patch_identity.read_matching({}) == patch_identity.MatchingRule()
    chosen = {"matching": {"ratio": 0.85, "max_distance": 1.1}}
    assert patch_identity.read_matching(chosen).ratio == 0.85
    with pytest.raises(ValidationError):
        patch_identity.read_matching({"matching": {"ratio": 1.5}})


def test_the_licence_names_the_kind_of_data():
    identity = patch_identity.describe_patches({"format": "photos"})
    assert "(photos)" in identity["licence"]
