"""The comparison with the best model ever pushed; `test_gate` has the one with production."""

import math

import pytest

from components.descriptor_evaluator.gate.decision import Evidence, judge
from components.descriptor_evaluator.gate.verdict import Production
from components.descriptor_evaluator.settings import GateSettings
from tests.components.descriptor_evaluator.gate.score_samples import SOUND, TASKS, level, table


def judged(candidate, production, earlier, **rule):
    settings = GateSettings.model_validate(
        {
            "baseline": None,
            "floors": [{"task": "matching", "at_least": 0.1}],
            "production": {"mode": "point", **rule},
        }
    )
    evidence = Evidence(
        table(candidate, 5),
        {},
        None if production is None else table(production, 5),
        Production("none" if production is None else "compared"),
        earlier={name: table(score, 5) for name, score in earlier.items()},
        degeneracy=SOUND,
    )
    return judge(evidence, settings, TASKS)


def best_checks(verdict):
    return [check for check in verdict.checks if check.name == "best_pushed"]


def test_many_small_losses_add_up_to_a_refusal():
    earlier = {"version 1": level(0.604), "version 2": level(0.60)}
    verdict = judged(level(0.592), level(0.597), earlier)
    assert not verdict.blessed
    checks = best_checks(verdict)
    assert [check.slice.task for check in checks] == ["matching", "retrieval"]
    assert [check.value for check in checks] == pytest.approx([-0.012] * 2)
    assert verdict.reasons[0] == (
        "matching mAP (mean of the noise levels) is 1.20 below version 1, the best model ever "
        "pushed; allowed: at most 1.00 below, missed by 0.20."
    )
    assert judged(level(0.5945), level(0.597), earlier).blessed


def test_when_production_is_the_best_there_is_nothing_to_add():
    assert not best_checks(judged(level(0.6), level(0.6), {"version 1": level(0.55)}))
    assert not best_checks(judged(level(0.6), level(0.6), {}))
    assert not best_checks(judged(level(0.3), None, {"version 1": level(0.9)}))


def test_the_rule_can_be_left_out():
    verdict = judged(level(0.59), level(0.59), {"version 1": level(0.9)}, best_pushed=False)
    assert verdict.blessed and not best_checks(verdict)


def test_earlier_models_without_a_fair_score_are_left_out():
    broken = judged(level(0.6), level(0.6), {"version 1": lambda *_: math.nan})
    assert not best_checks(broken)


def test_a_candidate_without_a_value_is_never_good_enough():
    verdict = judged(math.nan, level(0.5), {"version 1": level(0.6)})
    assert best_checks(verdict) and not any(check.passed for check in best_checks(verdict))
