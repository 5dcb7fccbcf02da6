"""The gate's thresholds through TFMA itself."""

import dataclasses
import math

import apache_beam as beam
import pytest

from components.descriptor_evaluator.gate import slicing, thresholds, validation
from components.descriptor_evaluator.gate.decision import Evidence, judge
from components.descriptor_evaluator.gate.verdict import Production
from components.descriptor_evaluator.protocol.scores import Slice
from components.descriptor_evaluator.scoring import model_scores
from components.descriptor_evaluator.settings import GateSettings
from components.descriptor_evaluator.statistics.score_table import ScoreTable
from tests.components.descriptor_evaluator.gate.score_samples import level, retrieval_rows, table

pytestmark = pytest.mark.slow

NAMES = ("rootsift", "rootsift-smoothed")
SOURCES = 3


def gate(**changes):
    base = {
        "floors": [{"task": "matching", "noise": "t", "kind": "v", "at_least": 0.3}],
        "production": {"mode": "point"},
    }
    return GateSettings.model_validate(base | changes)


@pytest.fixture
def validate(tmp_path):
    """Runs TFMA over tables and returns its answer."""

    def run(candidate, settings, production=None, baseline=0.2):
        tables = {name: table(level(baseline), SOURCES) for name in NAMES}
        config = thresholds.eval_config(settings, NAMES, production is not None)
        batch = slicing.record_batch(
            table(candidate, SOURCES),
            tables,
            None if production is None else table(production, SOURCES),
            thresholds.metrics_used(settings),
        )
        result = slicing.run_tfma(
            batch, config, str(tmp_path), lambda: beam.Pipeline(runner="DirectRunner")
        )
        return validation.read_validation(result)

    return run


def test_a_good_candidate_passes_and_the_sliced_means_are_ours(validate, tmp_path):
    import tensorflow_model_analysis as tfma

    answer = validate(level(0.6), gate(), production=level(0.605))
    assert answer.as_check(()).passed, answer
    result = tfma.load_eval_result(str(tmp_path), model_name="candidate")
    means = {
        tuple(value for _, value in key): metrics[""][""]["mean_prediction"]["doubleValue"]
        for key, metrics in result.slicing_metrics
    }
    rows = table(level(0.6), SOURCES)
    expected = {
        ("ap", "matching"): rows.mean(Slice("matching"), "ap"),
        ("v", "ap", "t", "retrieval"): rows.mean(Slice("retrieval", "t", "v"), "ap"),
        ("ap", "e", "verification"): rows.mean(Slice("verification", "e"), "ap"),
    }
    for key, value in expected.items():
        assert means[key] == pytest.approx(value, abs=1e-12)
    assert ("ap", "i_00", "matching") in means


def test_floors_baselines_and_change_thresholds_all_refuse_and_are_named(validate):
    settings = gate(floors=[{"task": "retrieval", "metric": "ap@100", "at_least": 0.95}])
    answer = validate(level(0.5), settings, production=level(0.52), baseline=0.6)
    assert not answer.ok
    found = {(failure.rule, failure.slice, failure.metric) for failure in answer.failures}
    assert found == {
        ("floor", Slice("retrieval"), "ap@100_tie_safe"),
        *(
            ("baseline", Slice(task, noise), "ap_tie_safe")
            for task in ("matching", "retrieval")
            for noise in ("", "e")
        ),
        *(("production", Slice(task), "ap_tie_safe") for task in ("matching", "retrieval")),
    }
    words = {failure.words for failure in answer.failures}
    assert words >= {
        "candidate on retrieval, ap@100_tie_safe is 0.9000, asked at least 0.9500",
        "candidate on matching, ap_tie_safe is -0.0200, asked change at least -0.0100",
        "over_rootsift-smoothed on matching, ap_tie_safe, e is -0.1000, asked at least -0.0100",
        "over_rootsift on retrieval, ap_tie_safe is -0.1000, asked at least -0.0000",
    }
    # The gate refuses the same, in its own words, so one short sentence is left for TFMA.
    tables = [table(level(base), SOURCES) for base in (0.5, 0.6, 0.52)]
    evidence = Evidence(
        tables[0], dict.fromkeys(NAMES, tables[1]), tables[2], Production("compared"),
        validation=answer,
    )  # fmt: skip
    verdict = judge(evidence, settings, ("matching", "retrieval"))
    assert verdict.checks[-1].name == "tfma"
    assert verdict.reasons[-1] == "TFMA's validation refuses the same slices."
    assert len(verdict.reasons) == 1 + 4 + 2 + 1


def test_margins_and_deltas_of_single_slices_reach_tfma(validate):
    def candidate(task, noise, kind, source):
        loss = 0.1 if (noise, kind) == ("t", "v") else 0.0
        return level(0.6)(task, noise, kind, source) - loss

    part = {"noise": "t", "kind": "v"}
    settings = gate(
        floors=[],
        baseline={
            "slices": [
                part | {"task": "matching", "margin": 0.35},
                part | {"over": "rootsift", "task": "retrieval", "margin": 0.35},
            ]
        },
        production={"mode": "point", "slices": [part, part | {"kind": "i", "delta": 0.02}]},
    )
    answer = validate(candidate, settings, production=level(0.615), baseline=0.2)
    assert {(item.rule, item.slice) for item in answer.failures} == {
        ("baseline", Slice("matching", "t", "v")),
        ("baseline", Slice("retrieval", "t", "v")),
        ("production", Slice("matching", "t", "v")),
        ("production", Slice("retrieval", "t", "v")),
    }
    told = " ".join(item.words for item in answer.failures)
    assert told.count("over_rootsift-smoothed on matching") == 1
    assert "over_rootsift-smoothed on retrieval" not in told  # of one baseline only


def test_nan_refuses(validate):
    answer = validate(
        lambda task, noise, kind, source: math.nan if source == 0 and noise == "t" else 0.9, gate()
    )
    assert not answer.as_check(()).passed


def test_a_slice_that_does_not_exist_refuses(validate):
    settings = gate(
        floors=[{"task": "retrieval", "metric": "ap@500", "noise": "h", "at_least": 0.0}]
    )
    check = validate(level(0.6), settings).as_check(())
    assert not check.passed
    assert "retrieval" in check.sentence and "ap@500" in check.sentence


def test_tfma_agrees_with_the_gate_on_a_threshold_that_is_exactly_met(validate):
    settings = gate(floors=[{"task": "matching", "at_least": 0.7}], baseline=None)
    assert validate(lambda *_: 0.7, settings).as_check(()).passed
    found = Evidence(table(lambda *_: 0.7, SOURCES), {}, production_state=Production("none"))
    assert judge(found, settings, ("matching",)).blessed


def test_a_disk_error_in_tfmas_pipeline_is_known_as_one(validate, tmp_path):
    (tmp_path / "plots-00000-of-00001.tfrecord").mkdir()  # a file cannot be put there
    with pytest.raises(Exception, match="Is a directory") as caught:
        validate(level(0.6), gate())
    assert model_scores.is_machinery(caught.value)
    assert model_scores.is_machinery(RuntimeError(str(caught.value)))  # as from another process
    assert not model_scores.is_machinery(KeyError("OSError"))


def test_models_scored_on_other_units_are_refused():
    with pytest.raises(ValueError, match="same units"):
        slicing.record_batch(table(0.5, 3), {"rootsift": table(0.5, 2)}, None, {})


def test_a_batch_holds_one_weighted_row_per_cell_and_metric():
    metrics = thresholds.metrics_used(gate())
    assert metrics["matching"] == ("ap", "ap_tie_safe")
    rows = table(lambda *_: 0.5, 1)
    batch = slicing.record_batch(rows, {"rootsift": table(0.4, 1)}, None, metrics)
    # Matching and retrieval: 2 sequences x 3 noise levels; verification: 3 noise levels.
    assert batch.num_rows == 2 * (6 + 6 + 3)
    assert batch.column("over_rootsift").flatten().to_pylist() == pytest.approx([0.1] * 30)
    assert sum(batch.column("units").flatten().to_pylist()) == 2 * len(rows)


def test_sequences_with_unequal_numbers_of_units_keep_the_flat_mean(tmp_path):
    import tensorflow_model_analysis as tfma

    few, many = (
        retrieval_rows(lambda *_, value=value: value, sources=1, queries=queries)
        for value, queries in ((0.2, 1), (0.8, 7))
    )
    many = [dataclasses.replace(row, source="other", sequence=f"{row.sequence}x") for row in many]
    rows = ScoreTable(few + many)
    settings = GateSettings.model_validate({"floors": [{"task": "retrieval", "at_least": 0.5}]})
    answer = slicing.run_tfma(
        slicing.record_batch(rows, {"sift": rows}, None, thresholds.metrics_used(settings)),
        thresholds.eval_config(settings, ("sift",), False),
        str(tmp_path),
        lambda: beam.Pipeline(runner="DirectRunner"),
    )
    assert validation.read_validation(answer).ok
    result = tfma.load_eval_result(str(tmp_path), model_name="candidate")
    means = {tuple(v for _, v in key): found for key, found in result.slicing_metrics}
    value = means["ap", "retrieval"][""][""]["mean_prediction"]["doubleValue"]
    assert value == pytest.approx((0.2 + 7 * 0.8) / 8, abs=1e-12)
