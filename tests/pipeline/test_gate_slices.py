"""Thresholds on parts of the data that are not there."""

import pytest

from components.descriptor_evaluator.settings import EvaluationSettings
from pipeline import gate_slices
from trainer.core.errors import UserError


def settings(**gate):
    return EvaluationSettings.model_validate({"gate": gate})


@pytest.mark.parametrize(
    ("gate", "key"),
    [
        ({"floors": [{"task": "matching", "kind": "v", "at_least": 0.1}]}, "floors.0"),
        ({"production": {"slices": [{}, {"kind": "v"}]}}, "production.slices.1"),
        ({"baseline": {"slices": [{"kind": "v", "margin": 0.0}]}}, "baseline.slices.0"),
    ],
)
def test_a_threshold_on_a_kind_that_is_not_held_out_is_refused_with_its_key(gate, key):
    with pytest.raises(UserError, match=rf"evaluation\.gate\.{key}\.kind: asks for viewpoint"):
        gate_slices.check(settings(**gate), {"i", "u"}, None)
    gate_slices.check(settings(**gate), {"i", "v"}, None)


@pytest.mark.parametrize("metric", ["ap@500", "ap@500_tie_safe"])
def test_a_pool_larger_than_any_that_can_be_drawn_is_refused(metric):
    asked = settings(floors=[{"task": "retrieval", "metric": metric, "at_least": 0.1}])
    with pytest.raises(UserError, match=rf"floors\.0\.metric: asks for {metric}.* have 485 patch"):
        gate_slices.check(asked, {"i"}, 1200)  # 0.4 distractors of each point
    gate_slices.check(asked, {"i"}, 1240)
    gate_slices.check(asked, {"i"}, None)


def test_a_gate_without_kinds_and_pools_suits_any_data():
    gate_slices.check(settings(), {"u"}, 2)
