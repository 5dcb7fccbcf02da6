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


@pytest.mark.parametrize(
    ("values", "key", "words"),
    [
        ({"stages": [{"patches_per_point": 7, "noises": ["e"]}]}, "stages.0", "only 6"),
        ({"stages": [{"noises": ["e", "e"]}]}, "stages.0", "twice"),
        ({"stages": [{"min_steps": 5, "max_steps": 4}]}, "stages.0", "min_steps"),
        ({"stages": "fast"}, "stages", "'auto' or a list"),
        ({"loss": {"margin": 0}}, "loss", "margin is 0"),
        ({"loss": {"name": "squared_hinge", "margin": 0}}, "loss", "margin is 0"),
        *(
            (
                {"strategy": strategy, "tpu": "local"},
                "",
                f"tpu is 'local', but strategy {strategy} takes no TPU",
            )
            for strategy in ("one_device", "mirrored")
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(values, key, words):
    where, message = _problem(values)
    assert where == key
    assert words in message


def test_what_fits_together_is_taken():
    for strategy in ("tpu", "auto"):
        assert TrainerConfig(strategy=strategy, tpu="local").tpu == "local"
    assert TrainerConfig(loss=LossConfig(name="soft_margin", margin=0)).loss.margin == 0
    assert StageConfig(points_per_batch=10, patches_per_point=3).batch == 30


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


def test_a_plan_may_be_left_to_the_data():
    config = TrainerConfig(stages="auto", controller=ControllerConfig(max_cpu_minutes=4))
    assert TrainerConfig.model_validate_json(config.model_dump_json(), strict=True) == config
    with pytest.raises(ValueError, match="not resolved"):
        _ = config.plan
    assert TrainerConfig().plan == demo_plan()


def test_a_wrong_stage_is_told_once():
    with pytest.raises(ValidationError) as caught:
        TrainerConfig.model_validate({"stages": [{}, {"learning_rate": "fast"}]})
    (error,) = caught.value.errors()
    assert key_path(error["loc"]) == "stages.1.learning_rate"
