import pytest
from pydantic import ValidationError

from components.descriptor_evaluator.settings import EvaluationSettings, Floor, GateSettings


def refused(match, **changes):
    with pytest.raises(ValidationError, match=match):
        EvaluationSettings.model_validate(changes)


def test_the_defaults_are_valid_and_come_back_from_json():
    settings = EvaluationSettings()
    assert EvaluationSettings.model_validate_json(settings.model_dump_json()) == settings
    assert settings.gate.baseline.margins == {"mean": 0.0, "e": -0.01}
    assert settings.gate.production.delta == 0.01


def test_a_gate_that_could_pass_anything_is_refused():
    refused("neither a floor nor a baseline", gate={"baseline": None})
    GateSettings(baseline=None, floors=[{"task": "matching", "at_least": 0.3}])


@pytest.mark.parametrize(
    ("floor", "match"),
    [
        ({"task": "matching", "metric": "auc", "at_least": 0.3}, "no metric 'auc'"),
        ({"task": "retrieval", "metric": "ap@", "at_least": 0.3}, "no metric 'ap@'"),
        ({"task": "matching", "noise": "x", "at_least": 0.3}, "'e', 'h' or 't'"),
        ({"task": "matching", "kind": "u", "at_least": 0.3}, "'i' or 'v'"),
        ({"task": "tracking", "at_least": 0.3}, "'verification', 'matching' or 'retrieval'"),
        ({"task": "matching", "at_least": 30}, "less than or equal to 1"),
        ({"task": "verification", "kind": "v", "at_least": 0.3}, "have no kind"),
    ],
)
def test_a_floor_on_something_unknown_is_refused_before_anything_runs(floor, match):
    refused(match, gate={"floors": [floor]})


def test_only_metrics_and_pool_sizes_that_exist_are_known():
    known = [
        *(("retrieval", f"ap@{size}") for size in (100, 500, 1000, 5000, 10_000, 15_000, 20_000)),
        *(("matching", f"success_rate{end}") for end in ("", "_tie_safe")),
        *(("retrieval", f"ap{which}_tie_safe") for which in ("", "@20000")),
        ("verification", "auc"),
    ]
    for task, metric in known:
        GateSettings.model_validate({"floors": [{"task": task, "metric": metric, "at_least": 0.1}]})
    floor = {"task": "retrieval", "metric": "ap@1001", "at_least": 0.1}
    refused("no metric 'ap@1001'", gate={"floors": [floor]})


def test_every_baseline_that_a_margin_names_is_scored():
    rule = GateSettings.model_validate(
        {"baseline": {"names": ["sift"], "slices": [{"over": "pixels", "margin": 0.1}] * 2}}
    ).baseline
    assert rule.compared == ("sift", "pixels")


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"gate": {"baseline": {"names": ["surf"]}}}, "no descriptor 'surf', expected some of roo"),
        (
            {"gate": {"baseline": {"slices": [{"over": "v1", "margin": 0}]}}},
            "no descriptor 'v1', .*`references` adds your own",
        ),
        ({"references": {"sift": {"model": "m"}}}, "references.sift: the name is taken"),
        ({"references": {"production": {"model": "m"}}}, "references.production: the name is tak"),
        ({"references": {"v1": {}}}, "either `model` or `descriptors`"),
        ({"references": {"v1": {"model": "m", "descriptors": "d"}}}, "either `model` or `desc"),
        ({"references": {"../v1": {"model": "m"}}}, "pattern"),
    ],
)
def test_a_baseline_that_is_not_there_is_refused(settings, match):
    refused(match, **settings)


def test_the_gate_may_use_the_users_own_descriptors():
    settings = EvaluationSettings.model_validate(
        {
            "references": {"v1": {"model": "m"}, "paper": {"descriptors": "d"}},
            "gate": {"baseline": {"names": ["v1", "rootsift"], "margins": {"t": 0.05}}},
        }
    )
    assert settings.gate.baseline.compared == ("v1", "rootsift")


@pytest.mark.parametrize(
    ("named", "of_tie_safe", "of_reference"),
    [
        (None, "ap_tie_safe", "ap"),
        ("ap@100", "ap@100_tie_safe", "ap@100"),
        ("ap@100_tie_safe", "ap@100_tie_safe", "ap@100_tie_safe"),
        ("ap", "ap_tie_safe", "ap"),
    ],
)
def test_floors_count_ties_against_the_model_when_the_gate_does(named, of_tie_safe, of_reference):
    floor = Floor(task="retrieval", metric=named, at_least=0.1)
    assert GateSettings().metric_of(floor) == of_tie_safe
    assert GateSettings(metric="ap").metric_of(floor) == of_reference


def test_a_gate_on_a_task_that_is_not_scored_is_refused():
    refused("gate.baseline uses the task retrieval", tasks=["matching"])
    only = {"baseline": {"tasks": ["matching"]}, "production": {"tasks": ["matching"]}}
    EvaluationSettings.model_validate({"tasks": ["matching"], "gate": only})
    only["baseline"]["slices"] = [{"task": "retrieval", "margin": 0.0}]
    refused("gate.baseline uses the task retrieval", tasks=["matching"], gate=only)
    rule = {"tasks": ["verification"]}  # which may be guarded, but not by kind
    EvaluationSettings.model_validate({"gate": {"production": rule}})
    refused("have no kind", gate={"production": rule | {"slices": [{"kind": "v"}]}})
