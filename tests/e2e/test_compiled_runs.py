"""The compiled DAG, run task by task as the backends run it.

`make test` plays open-source Kubeflow Pipelines (`kfp`) once; `make test-kubeflow` plays
both backends, and everything that takes a whole run more.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.descriptor_evaluator.gate import verdict
from components.serving.production_model import served_model
from pipeline.kfp.tasks import read_tasks
from tests.e2e.conftest import _SMALL, LENIENT, STRICT, small_config
from tests.support.spec_runs import Place, Result, only_tasks
from trainer.core.errors import UserError

pytestmark = pytest.mark.slow
_BOTH = ["kfp", pytest.param("vertex", marks=pytest.mark.kubeflow)]
_SECONDS = 600
# The order in which threads add up numbers is no part of what is compared.
_SAME = (*LENIENT, "training.deterministic=true")


@pytest.fixture(scope="module")
def local_verdict(tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> verdict.Verdict:
    """What `hpatches run` makes of the same configuration.

    In a process of its own: what makes operations deterministic holds for all of a process.
    """
    work = tmp_path_factory.mktemp("local")
    words = ["run", "--data", str(photographs), "--work", str(work)]
    words += [word for text in (*_SMALL, *_SAME) for word in ("--set", text)]
    subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *words], check=True, stdout=subprocess.DEVNULL
    )
    (path,) = work.glob("artifacts/DescriptorEvaluator/evaluation/*/verdict.json")
    return verdict.read(str(path.parent))


@pytest.fixture(scope="module", params=_BOTH)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, photographs: Path
) -> Place:
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(photographs, folder / "photographs")
    return Place(folder, folder / "photographs", request.param)


def _config(*overrides: str):
    # Data, work folder and push destination are no part of what is compiled.
    return small_config(Path("/nowhere/work"), Path("/nowhere/data"), *overrides)


@pytest.fixture(scope="module")
def specs(place: Place) -> dict[str, dict]:
    """The compiled pipeline and its variants, all of the same code."""
    return {
        "lenient": place.compile(_config(*_SAME)),
        "strict": place.compile(_config(*_SAME, *STRICT)),
        "other seed": place.compile(
            _config(*_SAME, "training.seed=7", "evaluation.gate.production.delta=0.2")
        ),
    }


@pytest.fixture(scope="module")
def first(place: Place, specs: dict[str, dict]) -> Result:
    """The first run: nothing is in production yet."""
    return place.run(specs["lenient"])


def test_every_task_runs_and_a_model_is_pushed(first: Result, place: Place):
    assert set(first.states.values()) == {"finished"}
    assert first.artifact("Pusher", "pushed_model")["metadata"]["pushed"] == 1.0
    served = served_model.find(place.serving)
    assert served is not None and served.checksum == first.verdict().candidate_checksum
    describe = tf.saved_model.load(served.path).signatures["serving_default"]
    patches = np.random.default_rng(0).integers(0, 256, (3, 65, 65), dtype=np.uint8)
    assert describe(patches=tf.constant(patches))["descriptors"].shape == (3, 128)


def test_its_metrics_are_those_of_the_local_run(first: Result, local_verdict: verdict.Verdict):
    decision = first.verdict()
    assert decision.blessed == local_verdict.blessed is True
    assert decision.production.status == "none"
    assert [(r.task, r.noise, r.metric) for r in decision.table] == [
        (r.task, r.noise, r.metric) for r in local_verdict.table
    ]
    for row, expected in zip(decision.table, local_verdict.table, strict=True):
        assert row.candidate == pytest.approx(expected.candidate, abs=1e-6, nan_ok=True)
        assert row.baselines == pytest.approx(expected.baselines, abs=1e-6, nan_ok=True)


def test_each_task_gets_its_declared_inputs_and_nothing_else(
    first: Result, place: Place, specs: dict[str, dict]
):
    del first
    of_the_driver = {"span", "input_fingerprint"} if place.mode == "vertex" else set()
    for name, task in read_tasks(specs["lenient"]).items():
        given = place.inputs(name)
        assert set(given["artifacts"]) == set(task.declared("input", "artifacts"))
        more = of_the_driver if name == "PatchExampleGen" else set()
        assert set(given["parameterValues"]) == set(task.declared("input", "parameters")) | more
        for listed in given["artifacts"].values():
            typed = bool(listed["artifacts"][0]["type"]["instanceSchema"])
            assert typed == (place.mode == "vertex")


def test_a_model_that_fails_the_gate_is_refused(
    first: Result, place: Place, specs: dict[str, dict]
):
    del first
    before = served_model.versions(place.serving)
    refused = place.run(specs["strict"], only_from=["DescriptorEvaluator"])
    assert refused.states["DescriptorTrainer"] == "cached"
    assert not refused.verdict().blessed
    metadata = refused.artifact("Pusher", "pushed_model")["metadata"]
    assert metadata["pushed"] == 0.0 and metadata["reason"] == "the model was not blessed"
    assert served_model.versions(place.serving) == before


def test_the_next_run_is_compared_with_a_production_that_changed(
    first: Result, place: Place, specs: dict[str, dict]
):
    """Somebody else pushed: no input of the pipeline tells so, and no cache may stand for it."""
    candidate = first.verdict().candidate_checksum
    newest = Path(served_model.find(place.serving).path)
    other = newest.with_name(str(int(newest.name) + 1))
    shutil.copytree(newest, other)
    (other / "assets.extra" / "note.txt").write_text("made by somebody else")
    checksum = served_model.find(place.serving).checksum
    assert checksum != candidate
    # On Kubeflow nothing tells that the data are the same: there only what is asked for is new.
    only_from = ["ProductionModel"] if place.mode == "kfp" else []
    again = place.run(specs["lenient"], only_from)
    assert {"ProductionModel", "DescriptorEvaluator", "Pusher"} <= again.executed()
    assert not {"PatchExampleGen", "Transform", "DescriptorTrainer"} & again.executed()
    decision = again.verdict()
    assert (decision.production.status, decision.production.checksum) == ("compared", checksum)
    assert "production" in {check.name for check in decision.checks}
    changes = [row.change for row in decision.table if row.task == "matching"]
    assert changes and all(change is not None and change.mean == 0 for change in changes)
    # The data fingerprint of ExampleGen's driver, or its executor, is that of the first run.
    keys = ("custom:span", "input_fingerprint")
    told = [run.artifact("PatchExampleGen", "examples")["metadata"] for run in (first, again)]
    assert [told[0][key] for key in keys] == [told[1][key] for key in keys]


@pytest.mark.kubeflow
def test_another_seed_is_trained_anew_and_compared(
    first: Result, place: Place, specs: dict[str, dict]
):
    del first
    other = place.run(specs["other seed"])
    decision = other.verdict()
    assert "DescriptorTrainer" in other.executed()
    assert ("PatchExampleGen" in other.executed()) == (place.mode == "kfp")
    assert decision.production.status == "compared"
    pushed = other.artifact("Pusher", "pushed_model")["metadata"]["pushed"]
    assert bool(pushed) == decision.blessed


@pytest.mark.kubeflow
@pytest.mark.parametrize("mode", ["kfp", "vertex"])
def test_the_newest_span_is_found_with_and_without_a_driver(
    tmp_path: Path, photographs: Path, mode: str
):
    data = tmp_path / "data"
    for span in (1, 2):
        shutil.copytree(photographs, data / f"span-{span}")
    (data / "span-1" / "brick.png").unlink()
    where = Place(tmp_path, data, mode)
    config = _config(*LENIENT, "data.pattern=span-{SPAN}/*")
    spec = only_tasks(where.compile(config), "PatchExampleGen")
    examples = where.run(spec).artifact("PatchExampleGen", "examples")
    assert examples["metadata"]["custom:span"] == 2.0
    assert "num_files:6" in examples["metadata"]["input_fingerprint"]
    again = where.run(spec)
    assert again.states["PatchExampleGen"] == ("cached" if mode == "vertex" else "finished")
    shutil.copytree(photographs, data / "span-3")
    newer = where.run(spec)
    assert newer.states["PatchExampleGen"] == "finished"
    assert newer.artifact("PatchExampleGen", "examples")["metadata"]["custom:span"] == 3.0


@pytest.mark.kubeflow
def test_a_training_that_was_killed_goes_on(tmp_path: Path, photographs: Path):
    where = Place(tmp_path, photographs, "kfp")
    spec = where.compile(_config(*LENIENT, "training.checkpoint_every=5"))
    watcher = threading.Thread(target=_kill_training, args=(tmp_path,), daemon=True)
    watcher.start()
    with pytest.raises(UserError, match=r"^DescriptorTrainer: its process was killed by signal 9"):
        where.run(spec)
    watcher.join()
    again = where.run(spec)
    before = {"PatchExampleGen", "Transform", "ProductionModel", "AnomalyGate"}
    assert all(again.states[name] == "cached" for name in before)
    assert {"DescriptorTrainer", "DescriptorEvaluator", "Pusher"} <= again.executed()
    run = Path(again.artifact("DescriptorTrainer", "model_run")["uri"])
    assert '"resume"' in (run / "timeline.json").read_text()


def _kill_training(folder: Path) -> None:
    """Kills the trainer as soon as it has saved a whole checkpoint."""
    deadline = time.monotonic() + _SECONDS
    pattern = "work/root/*/DescriptorTrainer/checkpoints/*/step-*[0-9]/complete.json"
    while not list(folder.glob(pattern)) and time.monotonic() < deadline:
        time.sleep(0.1)
    (alive,) = folder.glob("work/tasks/*/DescriptorTrainer/1/alive")
    os.kill(int(alive.read_text()), signal.SIGKILL)
