"""Impossible training settings are refused, with the key."""

import pytest
from pydantic import ValidationError

from trainer.config import ControllerConfig, LossConfig, StageConfig, TrainerConfig, demo_plan


def _problem(values: dict) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        TrainerConfig.model_validate(values)
    error = caught.value.errors()[0]
    return ".".join(map(str, error["loc"])), error["msg"]


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"stages": []}, "stages"),
        ({"stages": [{"variants_per_sequence": 17}]}, "stages.0.variants_per_sequence"),
        ({"stages": [{"variants_per_sequence": 1}]}, "stages.0.variants_per_sequence"),
        ({"stages": [{"sequences_per_batch": 1}]}, "stages.0.sequences_per_batch"),
        ({"stages": [{"learning_rate": 0}]}, "stages.0.learning_rate"),
        ({"stages": [{"noises": []}]}, "stages.0.noises"),
        ({"stages": [{"noises": ["x"]}]}, "stages.0.noises.0"),
        ({"stages": [{"schedule": "cosine"}]}, "stages.0.schedule"),
        ({"loss": {"margin": -1}}, "loss.margin"),
        ({"loss": {"name": "triplet"}}, "loss.name"),
        ({"model": {"dimension": 100}}, "model.dimension"),
        ({"model": {"width": 0}}, "model.width"),
        ({"strategy": "gpu"}, "strategy"),
        ({"steps_per_loop": 0}, "steps_per_loop"),
        ({"batch": 3}, "batch"),
    ],
)
def test_impossible_values_are_refused_with_their_key(values, key):
    assert _problem(values)[0] == key


def test_more_variants_than_the_noises_offer_are_refused():
    key, message = _problem({"stages": [{"variants_per_sequence": 7, "noises": ["e"]}]})
    assert key == "stages.0"
    assert "only 6" in message


def test_a_noise_named_twice_is_refused():
    assert "twice" in _problem({"stages": [{"noises": ["e", "e"]}]})[1]


def test_min_steps_above_max_steps_are_refused():
    assert "min_steps" in _problem({"stages": [{"min_steps": 5, "max_steps": 4}]})[1]


def test_hinge_without_margin_is_refused_and_soft_margin_is_not():
    assert "margin is 0" in _problem({"loss": {"margin": 0}})[1]
    assert TrainerConfig(loss=LossConfig(name="soft_margin", margin=0)).loss.margin == 0


def test_a_shrinking_plan_must_say_so():
    stages = [{"sequences_per_batch": 64}, {"sequences_per_batch": 32}]
    assert "smaller batch" in _problem({"stages": stages})[1]
    config = TrainerConfig.model_validate({"stages": stages, "allow_shrinking_stages": True})
    assert [stage.sequences_per_batch for stage in config.stages] == [64, 32]


def test_the_default_is_the_demo_plan_with_two_growing_stages():
    plan = TrainerConfig().stages
    assert plan == demo_plan()
    assert len(plan) >= 2
    assert plan[-1].batch > plan[0].batch


def test_a_batch_counts_patches():
    assert StageConfig(sequences_per_batch=10, variants_per_sequence=3).batch == 30


def test_json_round_trip_keeps_the_configuration():
    config = TrainerConfig(seed=5, controller=ControllerConfig(max_cpu_minutes=4))
    assert TrainerConfig.model_validate_json(config.model_dump_json()) == config
