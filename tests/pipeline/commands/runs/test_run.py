"""`hpatches run` around a made-up runner."""

import dataclasses
import sys
import types

import pytest
from click.testing import CliRunner
from ml_metadata.proto import metadata_store_pb2

from components.descriptor_evaluator.gate import verdict
from pipeline.cli import cli
from pipeline.runs import records, work_lock
from tests.support.pictures import write_sequence
from tests.support.training import training_result
from trainer.core import progress
from trainer.core.errors import UserError
from trainer.core.variants import SPLITS
from trainer.data import manifest
from trainer.reporting import result as training_results

_TABLE = (
    verdict.TableRow("matching", "mean", "ap", 0.75, 0.7, 0.8, 5, {"rootsift": 0.6}),
    verdict.TableRow("retrieval", "mean", "ap", 0.85, 0.8, 0.9, 5, {"rootsift": 0.7}),
)


@dataclasses.dataclass(frozen=True)
class Event:
    kind: str
    component: str
    number: int
    total: int
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Result:
    run_id: str
    states: dict
    outputs: dict

    def artifact(self, component, key):
        return self.outputs[component][key][0]

    def uri(self, component, key):
        return self.artifact(component, key).uri


class FakeRunner:
    """Stands in for `pipeline.runners.local`: writes what the command reads, trains nothing."""

    def __init__(self, folder, blessed=True, error=None, pusher_state="finished"):
        self.folder, self.blessed, self.error = folder, blessed, error
        self.pusher_state = pusher_state
        self.config = None

    def run(self, config, *, on_event):
        self.config = config
        with pytest.raises(UserError), work_lock.hold(config.work_dir):
            pass  # the command holds the folder's lock meanwhile
        on_event(Event("started", "PatchExampleGen", 1, 3))
        progress.report("cutting patches", 1, 1)
        if self.error is not None:
            on_event(Event("failed", "PatchExampleGen", 1, 3, 0.5))
            raise self.error
        on_event(Event("finished", "PatchExampleGen", 1, 3, 2.0))
        on_event(Event("cached", "DescriptorEvaluator", 2, 3))
        on_event(Event(self.pusher_state, "Pusher", 3, 3, 0.1))
        return Result(
            run_id="2026-01-02T03:04:05.678",
            states={
                "PatchExampleGen": "finished",
                "DescriptorEvaluator": "cached",
                "Pusher": self.pusher_state,
            },
            outputs={
                "PatchExampleGen": {"examples": [self._examples()]},
                "DescriptorTrainer": {
                    "model": [self._artifact("model")],
                    "model_run": [self._model_run()],
                },
                "DescriptorEvaluator": {"evaluation": [self._evaluation()]},
                "Pusher": {"pushed_model": [self._pushed()]},
            },
        )

    def _artifact(self, name):
        (self.folder / name).mkdir(exist_ok=True)
        return metadata_store_pb2.Artifact(uri=str(self.folder / name))

    def _examples(self):
        artifact = self._artifact("examples")
        skipped = (manifest.SkippedSequence(name="v_bad", reason="e1.png is 64 pixels wide"),)
        empty = dict.fromkeys(SPLITS, ())
        manifest.write(
            manifest.Manifest(splits=empty, skipped=skipped, remarks=("a.png = b.png",)),
            artifact.uri,
        )
        return artifact

    def _model_run(self):
        artifact = self._artifact("model_run")
        training_results.write(training_result(), artifact.uri)
        return artifact

    def _evaluation(self):
        artifact = self._artifact("evaluation")
        check = verdict.Check("baseline", self.blessed, "tough is 0.05 below rootsift")
        verdict.write(verdict.Verdict((check,), _TABLE), artifact.uri)
        return artifact

    def _pushed(self):
        artifact = self._artifact("pushed")
        properties = artifact.custom_properties
        properties["pushed"].int_value = int(self.blessed)
        properties["reason"].string_value = "" if self.blessed else "the model was not blessed"
        if self.blessed:
            properties["production_path"].string_value = "/serving/7"
            properties["production_version"].int_value = 7
        return artifact


@pytest.fixture
def install(monkeypatch, tmp_path):
    def _install(**arguments):
        runner = FakeRunner(tmp_path, **arguments)
        module = types.ModuleType("pipeline.runners.local")
        module.run, module.RunEvent = runner.run, Event
        monkeypatch.setitem(sys.modules, "pipeline.runners.local", module)
        monkeypatch.setattr("pipeline.runners.local", module, raising=False)
        return runner

    return _install


def hpatches(*arguments):
    return CliRunner().invoke(cli, ["run", *map(str, arguments)])


def test_a_blessed_run_shows_progress_table_verdict_and_the_models_place(install, tmp_path):
    runner = install()
    result = hpatches("--work", tmp_path / "work", "--require-blessing")
    assert result.exit_code == 0, result.output
    for part in (
        "[1/3] PatchExampleGen: finished after 2.0 s",
        "cutting patches 1/1",
        "[2/3] DescriptorEvaluator: cached",
        "75.0",
        "rootsift",
        "Left out: v_bad: e1.png is 64 pixels wide",
        "Training: not trained: S 64 K 8;",
        "Data: a.png = b.png",
        "Blessed",
        "Pushed: /serving/7",
    ):
        assert part in result.output
    # The demo works on photographs in the work folder, and says so first.
    assert result.output.startswith("No --data: the photographs that are installed")
    assert runner.config.data.path == str(tmp_path / "work" / "photographs")
    assert (tmp_path / "work" / "photographs" / "astronaut.png").is_file()
    (record,) = records.list_runs(str(tmp_path / "work"))
    assert record.config_name == "demo"
    assert record.metrics == {"matching": 0.75, "retrieval": 0.85}
    assert record.blessed is True
    assert record.pushed_version == 7
    assert [c.state for c in record.components] == ["executed", "cached", "executed"]
    assert record.components[0].outputs == {"examples": (str(tmp_path / "examples"),)}
    assert record.ran_to_its_end


def test_paths_become_absolute(install, tmp_path, monkeypatch):
    runner = install()
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("v_a", "v_b", "v_c", "v_d", "v_e", "v_f")):
        write_sequence(tmp_path / "data" / name, "png", seed=number)
    result = hpatches(
        "--format", "sequences", "--data", "data", "--work", "w", "--set", "push.destination=models"
    )
    assert result.exit_code == 0, result.output
    assert "No --data" not in result.output
    assert runner.config.name == "hpatches-sequences"
    assert runner.config.data.format == "sequences"
    assert runner.config.data.path == str(tmp_path / "data")
    assert runner.config.work_dir == str(tmp_path / "w")
    assert runner.config.push_destination == str(tmp_path / "models")


def test_a_refused_model_exits_with_0_or_on_request_with_3(install, tmp_path):
    install(blessed=False)
    result = hpatches("--work", tmp_path / "work")
    assert result.exit_code == 0
    assert "tough is 0.05 below rootsift" in result.output
    assert "Nothing pushed (the model was not blessed)." in result.output
    assert hpatches("--work", tmp_path / "work", "--require-blessing").exit_code == 3


def test_a_push_found_in_the_cache_is_not_told_as_a_new_one(install, tmp_path):
    install(pusher_state="cached")
    result = hpatches("--work", tmp_path / "work")
    assert "Nothing pushed (an earlier run did)." in result.output
    assert "In production: /serving/7" in result.output
    (record,) = records.list_runs(str(tmp_path / "work"))
    assert record.pushed_version is None


_MISTAKE = "Traceback\ntrainer.core.errors.UserError: a.png is empty [while running 'X']"


@pytest.mark.parametrize(
    ("error", "status", "said", "recorded"),
    [
        (RuntimeError(_MISTAKE), 2, "a.png is empty\n", "a.png is empty"),
        (ZeroDivisionError("a bug"), 1, "", "a bug"),  # which keeps its traceback
        (OSError(28, "No space left", "/w/shard"), 2, "/w/shard: the disk is full", "/w/"),
        (KeyboardInterrupt(), 130, "Stopped before the end", "interrupted"),
    ],
)
def test_a_run_that_fails_is_one_sentence_and_recorded_and_frees_the_folder(
    install, tmp_path, error, status, said, recorded
):
    install(error=error)
    result = hpatches("--work", tmp_path / "work")
    assert result.exit_code == status
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert (result.exception is error) == (status == 1)
    (record,) = records.list_runs(str(tmp_path / "work"))
    assert record.error.startswith(recorded)
    assert [c.state for c in record.components] == ["failed"]
    with work_lock.hold(tmp_path / "work"):
        result = hpatches("--work", tmp_path / "work")
    assert result.exit_code == 2
    assert "is working in this folder" in result.stderr


def test_a_record_that_cannot_be_written_is_told_with_what_was_done(install, tmp_path, monkeypatch):
    install()

    def full(work_dir, summary):
        raise UserError("run.json: cannot be written (No space left on device)")

    monkeypatch.setattr(records, "record_run", full)
    result = hpatches("--work", tmp_path / "work")
    assert result.exit_code == 2
    assert result.stderr.startswith("the model is pushed (/serving/7), but not its record")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--format", "strips"], "data.path: not set"),
        (["--format", "sequences", "--data", "nowhere"], "data.path: found no folder 'nowhere'"),
        (["--config", "dmo"], "configuration 'dmo': did you mean 'demo'?"),
        (["--set", "training.sed=1"], "--set training.sed: unknown key"),
        (["--work", "/proc/work"], "work_dir: cannot write in /proc"),
        (["--set", "push.destination=/dev/null/x"], "push.destination: found the file /dev/null"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    install, tmp_path, monkeypatch, arguments, sentence
):
    runner = install()
    monkeypatch.chdir(tmp_path)
    result = hpatches(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(sentence)
    assert runner.config is None
    assert list(tmp_path.iterdir()) == []


def test_a_reference_may_be_a_work_folder_whose_newest_model_is_taken(install, tmp_path):
    model = tmp_path / "earlier" / "serving" / "3"
    model.mkdir(parents=True)
    (model / "saved_model.pb").touch()
    runner = install()
    reference = f"evaluation.references={{v1: {{model: {tmp_path / 'earlier'}}}}}"
    result = hpatches("--work", tmp_path / "work", "--set", reference)
    assert result.exit_code == 0, result.output
    assert runner.config.evaluation.references["v1"].model == str(model)
