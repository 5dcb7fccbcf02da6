"""The scores through TFMA itself."""

import dataclasses

import apache_beam as beam
import pytest

from components.core.beam_runner import DIRECT_RUNNER
from components.descriptor_evaluator.descriptors.describer import is_machinery
from components.descriptor_evaluator.gate import slicing
from components.descriptor_evaluator.protocol.scores import Slice
from components.descriptor_evaluator.settings import GateSettings
from components.descriptor_evaluator.statistics.score_table import ScoreTable
from tests.components.descriptor_evaluator.gate.score_samples import (
    gate,
    level,
    retrieval_rows,
    table,
)

SCENES = 3


@pytest.fixture
def sliced(tmp_path):
    """Runs TFMA over tables; returns the means of a column by the slice's feature values."""

    def run(candidate, baselines, production=None, column="candidate"):
        import tensorflow_model_analysis as tfma

        slicing.run_tfma(
            slicing.record_batch(candidate, baselines, production, slicing.metrics_used(gate())),
            slicing.eval_config(list(baselines), production is not None),
            str(tmp_path),
            lambda: beam.Pipeline(runner=DIRECT_RUNNER),
        )
        result = tfma.load_eval_result(str(tmp_path), model_name=column)
        return {
            tuple(value for _, value in key): metrics[""][""]["mean_prediction"]["doubleValue"]
            for key, metrics in result.slicing_metrics
        }

    return run


@pytest.mark.slow
def test_the_sliced_means_are_ours(sliced):
    ours, theirs = table(level(0.6), SCENES), table(level(0.2), SCENES)
    means = sliced(ours, {"rootsift": theirs}, table(level(0.5), SCENES))
    expected = {
        ("ap", "matching"): ours.mean(Slice("matching"), "ap"),
        ("v", "ap", "t", "retrieval"): ours.mean(Slice("retrieval", "t", "v"), "ap"),
        ("ap", "e", "verification"): ours.mean(Slice("verification", "e"), "ap"),
    }
    for key, value in expected.items():
        assert means[key] == pytest.approx(value, abs=1e-12)
    assert ("ap", "i_00", "matching") in means


@pytest.mark.slow
def test_sequences_with_unequal_numbers_of_units_keep_the_flat_mean(sliced):
    few, many = (
        retrieval_rows(lambda *_, value=value: value, scenes=1, queries=queries)
        for value, queries in ((0.2, 1), (0.8, 7))
    )
    many = [dataclasses.replace(row, scene="other", sequence=f"{row.sequence}x") for row in many]
    rows = ScoreTable(few + many)
    means = sliced(rows, {"sift": rows})
    assert means["ap", "retrieval"] == pytest.approx((0.2 + 7 * 0.8) / 8, abs=1e-12)


@pytest.mark.slow
def test_a_disk_error_in_tfmas_pipeline_is_known_as_one(sliced, tmp_path):
    (tmp_path / "plots-00000-of-00001.tfrecord").mkdir()  # a file cannot be put there
    scores = table(level(0.6), SCENES)
    # Beam raises no narrower kind.
    with pytest.raises(Exception, match="Is a directory") as caught:
        sliced(scores, {"rootsift": scores})
    assert is_machinery(caught.value)
    assert is_machinery(RuntimeError(str(caught.value)))  # as from another process
    assert not is_machinery(KeyError("OSError"))


def test_models_scored_on_other_units_are_refused():
    with pytest.raises(ValueError, match="same units"):
        slicing.record_batch(table(0.5, 3), {"rootsift": table(0.5, 2)}, None, {})


def test_a_batch_holds_one_weighted_example_per_cell_and_metric():
    metrics = slicing.metrics_used(gate())
    assert metrics["matching"] == ("ap", "ap_tie_safe")
    rows = table(lambda *_: 0.5, 1)
    batch = slicing.record_batch(rows, {"rootsift": table(0.4, 1)}, table(0.3, 1), metrics)
    # Matching and retrieval: 2 sequences x 3 noise levels; verification: 3 noise levels.
    assert batch.num_rows == 2 * (6 + 6 + 3)
    assert batch.column("over_rootsift").flatten().to_pylist() == pytest.approx([0.1] * 30)
    assert batch.column("production").flatten().to_pylist() == pytest.approx([0.3] * 30)
    # Units of a cell: 2 targets, 3 queries, 2 pair sets.
    by_task: dict[bytes, set[float]] = {}
    columns = (batch.column(name).flatten().to_pylist() for name in ("task", "units"))
    for task, units in zip(*columns, strict=True):
        by_task.setdefault(task, set()).add(units)
    assert by_task == {b"matching": {2.0}, b"retrieval": {3.0}, b"verification": {2.0}}


def test_metrics_that_floors_name_are_sliced_too():
    floors = [{"task": "retrieval", "metric": "ap@100", "at_least": 0.1}]
    metrics = slicing.metrics_used(GateSettings.model_validate({"floors": floors}))
    assert metrics["retrieval"] == ("ap", "ap@100_tie_safe", "ap_tie_safe")
