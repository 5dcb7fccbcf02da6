"""Sentences about wrong configurations."""

import json
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from pipeline.config import problems as config_problems
from pipeline.config.layers import Layer, Override
from pipeline.config.tree import PipelineConfig
from trainer.core.settings import Settings


class Stage(Settings):
    points: int = Field(8, ge=2)
    views: int = Field(2, ge=2, le=16)
    rate: float = Field(0.1, gt=0)
    noises: tuple[Literal["e", "h", "t"], ...] = Field(("e",), min_length=1)


class Training(Settings):
    loss: Literal["hinge", "soft"] = "hinge"
    stages: tuple[Stage, ...] = (Stage(),)
    decay: bool = False
    limit: int | Literal["none"] = 3
    margins: dict[str, Annotated[float, Field(le=1.0)]] = Field(default_factory=dict)
    low: int = 1
    high: int = 2

    @model_validator(mode="after")
    def _ordered(self) -> "Training":
        if self.low > self.high:
            raise ValueError(f"low is {self.low}, expected at most high ({self.high})")
        return self


class Tree(Settings):
    training: Training | None = Training()
    name: str = "x"


def told(tree: dict, *overrides: Override, layers: tuple[Layer, ...] | None = None) -> list[str]:
    with pytest.raises(ValidationError) as error:
        Tree.model_validate_json(json.dumps(tree), strict=True)
    return config_problems.sentences(
        error.value, tree, Tree, layers or (Layer("my.yaml", tree),), overrides
    )


@pytest.mark.parametrize(
    ("training", "sentence"),
    [
        ({"los": "hinge"}, "training.los: unknown key; did you mean 'loss'?"),
        (
            {"stages": [{"xyzzy": 1}]},
            "training.stages.0.xyzzy: unknown key; expected one of points, views, rate, noises",
        ),
        ({"stages": [{}, {"points": 1}]}, "training.stages.1.points: found 1, expected at least 2"),
        ({"stages": [{"views": 17}]}, "training.stages.0.views: found 17, expected at most 16"),
        ({"stages": [{"points": "8"}]}, 'training.stages.0.points: found "8", expected an integer'),
        (
            {"stages": [{"points": True}]},
            "training.stages.0.points: found true, expected an integer",
        ),
        ({"stages": [{"points": 2.5}]}, "training.stages.0.points: found 2.5, expected an integer"),
        ({"stages": [{"rate": 0}]}, "training.stages.0.rate: found 0, expected more than 0.0"),
        ({"stages": [{"rate": "fast"}]}, 'training.stages.0.rate: found "fast", expected a number'),
        (
            {"stages": [{"rate": float("nan")}]},
            "training.stages.0.rate: found NaN, expected a finite number",
        ),
        (
            {"stages": [{"noises": []}]},
            "training.stages.0.noises: found [], expected at least 1 entries",
        ),
        (
            {"stages": [{"noises": ["e", "q"]}]},
            "training.stages.0.noises.1: found \"q\", expected 'e', 'h' or 't'",
        ),
        ({"stages": 3}, "training.stages: found 3, expected a list"),
        ({"stages": [5]}, "training.stages.0: found 5, expected a block of keys"),
        ({"loss": "hing"}, "training.loss: found \"hing\", expected 'hinge' or 'soft'"),
        ({"decay": 1}, "training.decay: found 1, expected true or false"),
        ({"limit": []}, "training.limit: found [], expected an integer or 'none'"),
        ({"margins": {"e": "x"}}, 'training.margins.e: found "x", expected a number'),
        ({"margins": {"e": 2.0}}, "training.margins.e: found 2.0, expected at most 1.0"),
        ({"low": 3}, "training: low is 3, expected at most high (2)"),
    ],
)
def test_each_mistake_is_told_with_key_found_and_expected(training, sentence):
    assert told({"training": training}) == [f"my.yaml: {sentence}"]


def test_every_problem_is_told_and_the_error_counts_them():
    problems = told({"nam": 1, "training": {"decay": 1}})
    assert len(problems) == 2
    error = config_problems.ConfigError(problems)
    assert error.problems == tuple(problems)
    assert str(error).endswith("(and 1 more: `hpatches config check` lists them)")
    assert str(config_problems.ConfigError(problems[:1])) == problems[0]


def test_the_sentence_names_the_file_or_option_that_set_the_value():
    low = Layer("low.yaml", {"training": {"decay": 1, "stages": [{"points": 1}]}})
    high = Layer("high.yaml", {"training": {"decay": 2}})
    merged = {"training": {"decay": 2, "stages": [{"points": 1, "views": 1}]}}
    change = Override("--set training.stages.0.views", ("training", "stages", "0", "views"), 1)
    assert sorted(told(merged, change, layers=(low, high))) == [
        "--set training.stages.0.views: found 1, expected at least 2",
        "high.yaml: training.decay: found 2, expected true or false",
        "low.yaml: training.stages.0.points: found 1, expected at least 2",
    ]


def test_a_long_value_is_cut():
    (sentence,) = told({"training": {"decay": "x" * 500}})
    assert len(sentence) < 150
    assert "xxx..." in sentence


@pytest.mark.parametrize(
    ("location", "name"),
    [
        (("training", "stages", 0, "look_alikes"), "same_sequence_fraction"),
        (("data", "source"), "format"),
    ],
)
def test_a_key_of_an_earlier_version_is_told_with_its_present_name(location, name):
    told = config_problems.unknown_key("my.yaml", location, PipelineConfig)
    assert told.endswith(f"{location[-1]}: the key is called {name} now; rename it")
