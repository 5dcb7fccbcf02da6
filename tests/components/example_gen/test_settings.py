import pytest
from pydantic import ValidationError

from components.example_gen.settings import DataSettings, SplitSettings


def test_settings_survive_json():
    settings = DataSettings(format="sequences", max_points=None, seed=7)
    assert DataSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"format": "videos"}, "format"),
        ({"seed": -1}, "seed"),
        ({"max_points": 1}, "max_points"),
        ({"photographs": {"shrink": 0.5}}, "shrink"),
        ({"photographs": {"zoom": [0.5, -0.5]}}, "photographs"),
        ({"extraction": {"detectors": ["sift"]}}, "detectors"),
        ({"extraction": {"detectors": []}}, "detectors"),
        ({"split": {"eval_share": 1.0}}, "eval_share"),
        ({"colour": True}, "colour"),
    ],
)
def test_impossible_values_are_refused_by_key(settings, key):
    with pytest.raises(ValidationError) as caught:
        DataSettings.model_validate(settings)
    assert key in str(caught.value.errors()[0]["loc"])


def test_a_split_needs_the_name_or_the_file_that_its_rule_asks_for():
    with pytest.raises(ValidationError, match="needs a name out of a, b, c, illum, view"):
        SplitSettings(rule="official", name="d")
    with pytest.raises(ValidationError, match="needs the path of a splits file"):
        SplitSettings(rule="file")
