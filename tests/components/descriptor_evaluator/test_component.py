"""The component's interface."""

from tfx import types
from tfx.types import standard_artifacts

from components.descriptor_evaluator.component import DescriptorEvaluator
from components.descriptor_evaluator.settings import EvaluationSettings


def build(**changes):
    values = {
        "examples": types.Channel(type=standard_artifacts.Examples),
        "model": types.Channel(type=standard_artifacts.Model),
        "settings": EvaluationSettings().model_dump_json(),
        "code_fingerprint": "abc",
    }
    return DescriptorEvaluator(**values | changes)


def test_outputs_are_the_standard_ones_so_that_the_stock_pusher_is_gated():
    outputs = build().outputs
    assert outputs["evaluation"].type is standard_artifacts.ModelEvaluation
    assert outputs["blessing"].type is standard_artifacts.ModelBlessing


def test_production_and_cache_are_optional():
    assert "baseline_model" not in build().inputs
    component = build(
        baseline_model=types.Channel(type=standard_artifacts.Model), cache_dir="/cache"
    )
    assert component.inputs["baseline_model"].type is standard_artifacts.Model
    assert component.exec_properties["cache_dir"] == "/cache"


def test_code_and_settings_are_parameters_and_so_part_of_the_cache_key():
    properties = build().exec_properties
    assert properties["code_fingerprint"] == "abc"
    assert EvaluationSettings.model_validate_json(properties["settings"]) == EvaluationSettings()
