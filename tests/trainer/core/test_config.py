"""Impossible training settings are refused, with the key."""

import pytest
from pydantic import ValidationError

from trainer.core.config import (
    ControllerConfig,
    LossConfig,
    StageConfig,
    TrainerConfig,
    demo_plan,
)
from trainer.core.validation_messages import key_path


def _problem(values: dict) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        TrainerConfig.model_validate(values)
    error = caught.value.errors()[0]
    return key_path(error["loc"]), error["msg"]


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"stages": []}, "stages"),
        ({"stages": "fast"}, "stages"),
        ({"stages": 3}, "stages"),
        ({"stages": None}, "stages"),
        ({"stages": [{"patches_per_point": 17}]}, "stages.0.patches_per_point"),
        ({"stages": [{"patches_per_point": 1}]}, "stages.0.patches_per_point"),
        ({"stages": [{"points_per_batch": 1}]}, "stages.0.points_per_batch"),
        ({"stages": [{"learning_rate": 0}]}, "stages.0.learning_rate"),
        ({"stages": [{"noises": []}]}, "stages.0.noises"),
        ({"stages": [{"noises": ["x"]}]}, "stages.0.noises.0"),
        ({"stages": [{"schedule": "cosine"}]}, "stages.0.schedule"),
        ({"loss": {"margin": -1}}, "loss.margin"),
        ({"loss": {"name": "triplet"}}, "loss.name"),
        ({"loss": {"hybrid_alpha": 0}}, "loss.hybrid_alpha"),
        ({"loss": {"mining": "semi_hard"}}, "loss.mining"),
        ({"loss": {"second_order": -1}}, "loss.second_order"),
        ({"loss": {"second_order_neighbours": 0}}, "loss.second_order_neighbours"),
        ({"loss": {"norm_penalty": -0.1}}, "loss.norm_penalty"),
        ({"clip_norm": 0}, "clip_norm"),
        ({"model": {"dimension": 100}}, "model.dimension"),
        ({"model": {"width": 0}}, "model.width"),
        ({"strategy": "gpu"}, "strategy"),
        ({"tpu": ""}, "tpu"),
        ({"steps_per_loop": 0}, "steps_per_loop"),
        ({"batch": 3}, "batch"),
    ],
)
def test_impossible_values_are_refused_with_their_key(values, key):
    assert _problem(values)[0] == key


@pytest.mark.parametrize("strategy", ["one_device", "mirrored"])
def test_a_tpu_that_the_strategy_would_not_take_is_refused(strategy):
    _, message = _problem({"strategy": strategy, "tpu": "local"})
    assert f"tpu is 'local', but strategy {strategy} takes no TPU" in message


@pytest.mark.parametrize("strategy", ["tpu", "auto"])
def test_a_tpu_may_be_named_where_it_is_taken(strategy):
    assert TrainerConfig(strategy=strategy, tpu="local").tpu == "local"


def test_more_variants_than_the_noises_offer_are_refused():
    key, message = _problem({"stages": [{"patches_per_point": 7, "noises": ["e"]}]})
    assert key == "stages.0"
    assert "only 6" in message


def test_a_noise_named_twice_is_refused():
    assert "twice" in _problem({"stages": [{"noises": ["e", "e"]}]})[1]


def test_min_steps_above_max_steps_are_refused():
    assert "min_steps" in _problem({"stages": [{"min_steps": 5, "max_steps": 4}]})[1]


def test_hinge_without_margin_is_refused_and_soft_margin_is_not():
    assert "margin is 0" in _problem({"loss": {"margin": 0}})[1]
    assert TrainerConfig(loss=LossConfig(name="soft_margin", margin=0)).loss.margin == 0


def test_a_squared_hinge_needs_a_margin_too():
    assert "margin is 0" in _problem({"loss": {"name": "squared_hinge", "margin": 0}})[1]


@pytest.mark.parametrize(
    "loss", [{"mining": "hardnet"}, {"second_order": 1}, {"norm_penalty": 0.1}]
)
def test_a_loss_of_pairs_needs_two_patches_of_each_point(loss):
    pairs, more = {"patches_per_point": 2}, {"patches_per_point": 4}
    message = _problem({"loss": loss, "stages": [pairs, more]})[1]
    assert "stages.1.patches_per_point is 4; set it to 2" in message
    assert next(iter(loss)) in message
    assert TrainerConfig.model_validate({"loss": loss, "stages": "auto"}).stages == "auto"
    config = TrainerConfig.model_validate({"loss": loss, "stages": [pairs, pairs]})
    assert config.loss.of_pairs


@pytest.mark.parametrize("final", ["none", "batch_norm"])
def test_a_penalty_on_lengths_before_l2_needs_an_l2(final):
    values = {
        "loss": {"norm_penalty": 0.1},
        "stages": [{"patches_per_point": 2}],
        "model": {"final_normalisation": final},
    }
    assert f"model.final_normalisation is {final}" in _problem(values)[1]


def test_a_shrinking_plan_must_say_so():
    stages = [{"points_per_batch": 64}, {"points_per_batch": 32}]
    assert "smaller batch" in _problem({"stages": stages})[1]
    config = TrainerConfig.model_validate({"stages": stages, "allow_shrinking_stages": True})
    assert [stage.points_per_batch for stage in config.stages] == [64, 32]


def test_the_default_is_the_demo_plan():
    plan = TrainerConfig().stages
    assert plan == demo_plan()
    assert sum(stage.batch * stage.max_steps for stage in plan) == 653_312


def test_a_batch_counts_patches():
    assert StageConfig(points_per_batch=10, patches_per_point=3).batch == 30


def test_json_round_trip_keeps_the_configuration():
    config = TrainerConfig(seed=5, controller=ControllerConfig(max_cpu_minutes=4))
    assert TrainerConfig.model_validate_json(config.model_dump_json()) == config


def test_a_plan_may_be_left_to_the_data():
    config = TrainerConfig(stages="auto")
    assert TrainerConfig.model_validate_json(config.model_dump_json(), strict=True) == config
    assert "'auto' or a list" in _problem({"stages": "fast"})[1]
    with pytest.raises(ValueError, match="not resolved"):
        _ = config.plan
    assert TrainerConfig().plan == demo_plan()


def test_a_wrong_stage_is_told_once():
    with pytest.raises(ValidationError) as caught:
        TrainerConfig.model_validate({"stages": [{}, {"learning_rate": "fast"}]})
    (error,) = caught.value.errors()
    assert key_path(error["loc"]) == "stages.1.learning_rate"
