"""The whole DAG, run in this process: pass, refuse, and again against production."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tfx.utils import path_utils

from components.descriptor_evaluator.gate import verdict
from components.serving.production_model import served_model
from components.serving.pusher import push_log
from pipeline import graph
from pipeline.runners import local
from tests.e2e.conftest import LENIENT, STRICT, small_config
from trainer.core.variants import SPLITS
from trainer.data import manifest, packing, records

pytestmark = pytest.mark.slow

ALL = {
    "PatchExampleGen",
    "ImportSchemaGen",
    "StatisticsGen",
    "ExampleValidator",
    "AnomalyGate",
    "Transform",
    "ProductionModel",
    "DescriptorTrainer",
    "DescriptorEvaluator",
    "EvaluationReport",
    "ServingValidator",
    "Pusher",
}
TOUCHED_BY_PRODUCTION = {
    "ProductionModel",
    "DescriptorEvaluator",
    "EvaluationReport",
    "Pusher",
}


def _executed(result: local.RunResult) -> set[str]:
    return {name for name, state in result.states.items() if state == "finished"}


def _verdict(result: local.RunResult) -> verdict.Verdict:
    return verdict.read(result.uri("DescriptorEvaluator", "evaluation"))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def first(work: Path, photographs: Path) -> local.RunResult:
    """The first run: nothing is in production yet."""
    return local.run(small_config(work, photographs, *LENIENT))


@pytest.fixture(scope="module")
def second(first: local.RunResult, work: Path, photographs: Path) -> local.RunResult:
    """The same again, now that the first run's model is in production."""
    return local.run(small_config(work, photographs, *LENIENT))


def test_the_first_run_blesses_and_pushes(first: local.RunResult, work: Path):
    assert _executed(first) == ALL
    decision = _verdict(first)
    assert decision.blessed and decision.production.status == "none"
    assert decision.table and all(0 <= row.candidate <= 1 for row in decision.table)
    served = served_model.find(str(work / "serving"))
    assert served is not None and served.checksum == decision.candidate_checksum


def test_the_report_names_the_run_and_shows_how_it_was_configured(first: local.RunResult):
    text = Path(first.uri("EvaluationReport", "report"), "report.html").read_text(encoding="utf-8")
    assert f"run {first.run_id}" in text and "Report of the evaluation of 20" in text
    assert "Recipes of the handcrafted descriptors" in text
    assert "&#34;warm_start&#34;: false" in text and "&#34;destination&#34;" in text


def test_what_is_served_describes_patches_of_any_size(first: local.RunResult, work: Path):
    del first
    served = served_model.find(str(work / "serving"))
    describe = tf.saved_model.load(served.path).signatures["serving_default"]
    random = np.random.default_rng(0)
    for size in ((65, 65), (32, 32), (40, 80)):
        patches = random.integers(0, 256, (3, *size), dtype=np.uint8)
        descriptors = describe(patches=tf.constant(patches))["descriptors"].numpy()
        assert descriptors.shape == (3, 128) and descriptors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, atol=1e-5)


def test_a_patch_is_described_alike_through_transform_and_serving(
    first: local.RunResult, tmp_path: Path
):
    """What training sees (Transform's 32 x 32 pixels) and what serving is given (65 x 65)."""
    examples = first.uri("PatchExampleGen", "examples")
    packed = packing.pack(
        examples, "eval", first.uri("Transform", "transform_graph"), str(tmp_path)
    )
    model = tf.saved_model.load(
        path_utils.serving_model_path(first.uri("DescriptorTrainer", "model"))
    )
    listing = manifest.read(examples)
    serialized = [
        record
        for shard in listing.shard_paths(examples, "eval")
        for record in records.read_serialized(shard)
    ][:20]
    raw = np.concatenate([records.decode(record).patches for record in serialized])
    small = packed.patches[:20].reshape(-1, 32, 32)
    describe = model.signatures["serving_default"]
    served = describe(patches=tf.constant(raw))["descriptors"].numpy()
    trained = describe(patches=tf.constant(small))["descriptors"].numpy()
    np.testing.assert_allclose(served, trained, atol=1e-5)
    together = model.signatures["serialized_records"](records=tf.constant(serialized))
    np.testing.assert_allclose(
        together["descriptors"].numpy().reshape(served.shape), served, atol=1e-5
    )


def test_train_val_and_eval_share_no_photograph(first: local.RunResult):
    listing = manifest.read(first.uri("PatchExampleGen", "examples"))
    scenes = [{entry.scene for entry in listing.splits[name]} for name in SPLITS]
    assert all(scenes)
    assert not scenes[0] & scenes[1] and not (scenes[0] | scenes[1]) & scenes[2]


def test_the_second_run_does_only_what_production_changes(second: local.RunResult, work: Path):
    assert _executed(second) == TOUCHED_BY_PRODUCTION
    decision = _verdict(second)
    assert decision.blessed and decision.production.status == "identical"
    pushed = second.artifact("Pusher", "pushed_model").custom_properties["pushed"].int_value
    assert pushed == 0
    assert len(served_model.versions(str(work / "serving"))) == 1


def test_the_third_run_finds_everything_done(
    second: local.RunResult, work: Path, photographs: Path
):
    del second
    third = local.run(small_config(work, photographs, *LENIENT))
    assert set(third.states.values()) == {"cached"}


def test_changed_code_of_an_executor_runs_that_component_again(
    second: local.RunResult, work: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
):
    del second
    original = graph.fingerprint

    def changed(*modules: str) -> str:
        return "changed" if modules[0] == "components.anomaly_gate" else original(*modules)

    monkeypatch.setattr(graph, "fingerprint", changed)
    again = local.run(small_config(work, photographs, *LENIENT))
    assert _executed(again) == {"AnomalyGate"}


def test_a_refused_model_is_not_pushed_and_the_reasons_say_by_how_much(
    second: local.RunResult, work: Path, photographs: Path
):
    del second
    before = served_model.versions(str(work / "serving"))
    refused = local.run(small_config(work, photographs, *STRICT))
    decision = _verdict(refused)
    assert not decision.blessed
    (check,) = [check for check in decision.checks if check.name == "floor"]
    assert check.slice.task == "matching" and check.threshold == 0.99
    assert check.margin == pytest.approx(check.value - 0.99) and check.margin < 0
    assert check.sentence in decision.reasons
    assert "matching" in check.sentence and "99" in check.sentence
    assert served_model.versions(str(work / "serving")) == before


def test_another_seed_is_compared_with_production(
    second: local.RunResult, work: Path, photographs: Path
):
    del second
    other = local.run(
        small_config(
            work,
            photographs,
            *LENIENT,
            "training.seed=7",
            "evaluation.gate.production.delta=0.2",
        )
    )
    decision = _verdict(other)
    assert decision.production.status == "compared"
    names = {check.name for check in decision.checks}
    assert "production" in names
    assert all(row.change is not None for row in decision.table if row.task == "matching")
    pushed = other.artifact("Pusher", "pushed_model").custom_properties["pushed"].int_value
    assert bool(pushed) == decision.blessed


def test_a_model_whose_destination_was_deleted_is_pushed_again(
    second: local.RunResult, work: Path, photographs: Path
):
    """An empty destination looks as it did before the first push, whose "pushed" is cached."""
    del second
    shutil.rmtree(work / "serving")
    Path(push_log.log_path(str(work / "serving"))).unlink()
    again = local.run(small_config(work, photographs, *LENIENT))
    assert "DescriptorTrainer" not in _executed(again)
    production = again.artifact("Pusher", "pushed_model").custom_properties["production_path"]
    served = served_model.find(str(work / "serving"))
    assert served is not None and served.path == production.string_value
