"""A compiled pipeline of small tasks, run task by task: order, cache, conditions, failures."""

import json
import re
import shutil
from pathlib import Path

import pytest

from pipeline.config.platform import ResourceRequest
from pipeline.events import Event
from pipeline.kfp import adapt
from pipeline.kfp.local import execution, processes
from pipeline.kfp.local.run_folder import RUN_FILE
from tests.support.small_spec import (
    PROCESS_TASKS,
    TASKS_IN_ORDER,
    container,
    parameters_in,
    small_spec,
    take_journal,
    task,
)
from trainer.core.errors import UserError

pytestmark = pytest.mark.slow

ALL = list(PROCESS_TASKS)


def run(folder: Path, spec=None, mode="kfp", only_from=(), **parameters: str):
    """Runs the small pipeline below a folder; returns what its tasks left and its events."""
    events: list[Event] = []
    work = folder / "work"
    work.mkdir(exist_ok=True)
    left = execution.execute(
        spec or small_spec(),
        parameters_in(folder, **parameters),
        work,
        mode,
        only_from=only_from,
        on_event=events.append,
    )
    return left, {event.component: event.kind for event in events}


def written(folder: Path, task: str) -> dict:
    """Returns the newest ExecutorInput of a task."""
    paths = (folder / "work" / "tasks").glob(f"*/{task}/*/executor_input.json")
    return json.loads(max(paths).read_text())  # runs are named after their time


def test_tasks_run_in_the_order_of_the_dag_and_pass_artifacts_on(tmp_path):
    left, events = run(tmp_path)
    assert take_journal(tmp_path) == ALL
    assert list(events) == list(left) == list(TASKS_IN_ORDER)
    assert set(events.values()) == {"finished"}

    def text_of(name: str) -> str:
        return Path(left[name].artifacts["made"][0]["uri"], "text").read_text()

    second = "second(first(hello))(number)"
    assert text_of("report") == f"report(push(check({second}))({second}))"
    assert left["second"].parameters == {"length": len(text_of("second"))}  # read from its file
    (imported,) = left["text"].artifacts["made"]
    assert imported["uri"] == str(tmp_path / "source")
    assert imported["metadata"] == {"language": "en"}


def test_a_task_gets_its_declared_inputs_and_nothing_else(tmp_path):
    run(tmp_path)
    given = written(tmp_path, "check")["inputs"]
    assert sorted(given["artifacts"]) == ["second"]
    assert sorted(given["parameterValues"]) == ["bless", "journal"]
    assert given["artifacts"]["second"]["artifacts"][0]["metadata"] == {"blessed": 1.0}
    for place in (tmp_path / "work" / "tasks").glob("*/*/*/cwd"):
        assert list(place.iterdir()) == []  # where it ran there was nothing, and is nothing


def test_types_of_inputs_are_told_by_vertex_alone(tmp_path):
    run(tmp_path, mode="kfp")
    (artifact,) = written(tmp_path, "second")["inputs"]["artifacts"]["first"]["artifacts"]
    assert artifact["type"] == {"instanceSchema": ""}
    run(tmp_path, mode="vertex")
    (artifact,) = written(tmp_path, "second")["inputs"]["artifacts"]["first"]["artifacts"]
    assert "tfx.First" in artifact["type"]["instanceSchema"]


def test_a_condition_that_does_not_hold_skips_its_task_and_what_follows(tmp_path):
    left, events = run(tmp_path, bless="no")
    assert take_journal(tmp_path) == ["number", "first", "second", "check"]
    assert events["push"] == events["report"] == "skipped"
    assert left["push"].state == "skipped" and left["push"].artifacts == {}


def test_a_condition_on_what_is_not_there_says_so(tmp_path):
    spec = small_spec()
    condition = "inputs.artifacts['check'].artifacts[0].metadata['blest'] == 1.0"
    task(spec, "push")["triggerPolicy"]["condition"] = condition
    with pytest.raises(UserError, match=r"^push: condition .*'blest'"):
        run(tmp_path, spec)


def test_a_second_execution_runs_what_is_never_cached_and_what_takes_it(tmp_path):
    run(tmp_path)
    assert json.loads((tmp_path / "work" / RUN_FILE).read_text())["done"]  # not to be gone on with
    take_journal(tmp_path)
    _, events = run(tmp_path)
    assert take_journal(tmp_path) == ["number", "second", "check", "push", "report"]
    assert events["first"] == "cached"


def test_what_changed_and_what_comes_after_it_runs_again(tmp_path):
    spec = small_spec()
    task(spec, "number")["cachingOptions"] = {"enableCache": True}
    run(tmp_path, spec)
    take_journal(tmp_path)
    run(tmp_path, spec)
    assert take_journal(tmp_path) == []
    run(tmp_path, spec, bless="perhaps")
    assert take_journal(tmp_path) == ["check", "push", "report"]
    container(spec, "check")["args"].append("--more")
    run(tmp_path, spec, bless="perhaps")
    assert take_journal(tmp_path) == ["check", "push", "report"]


def _delete(artifact: dict) -> None:
    folder = Path(artifact["uri"])
    (folder / "text").unlink()
    folder.rmdir()


def test_deleted_artifacts_are_made_again_on_vertex(tmp_path):
    left, _ = run(tmp_path, mode="vertex")
    take_journal(tmp_path)
    _delete(left["first"].artifacts["made"][0])
    run(tmp_path, mode="vertex")
    assert "first" in take_journal(tmp_path)


def test_kfp_does_not_look_whether_cached_files_are_there(tmp_path):
    left, _ = run(tmp_path)
    _delete(left["first"].artifacts["made"][0])
    with pytest.raises(UserError, match=r"^second: .* No such file or directory: "):
        run(tmp_path)


def test_kfp_adds_the_log_to_what_a_task_leaves(tmp_path):
    spec = small_spec()
    args = container(spec, "number")["args"]
    args[0] += "print('hello from', name)\n"
    left, _ = run(tmp_path, spec)
    (logs,) = left["number"].artifacts["executor-logs"]
    assert Path(logs["uri"]).read_text() == "hello from number\n"
    assert logs["type"] == {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}


def test_an_attempt_after_a_killed_one_writes_to_the_same_place_on_kfp(tmp_path):
    for mode, different in (("kfp", False), ("vertex", True)):
        folder = tmp_path / mode
        folder.mkdir()
        (folder / "check.die").touch()
        with pytest.raises(UserError, match="killed by signal 9"):
            run(folder, mode=mode)
        (folder / "check.die").unlink()
        run(folder, mode=mode)
        read = [
            json.loads(p.read_text())
            for p in folder.glob("work/tasks/*/check/*/executor_input.json")
        ]
        places = {one["outputs"]["artifacts"]["made"]["artifacts"][0]["uri"] for one in read}
        assert len(read) == 2 and (len(places) == 2) == different


def test_a_task_has_the_environment_and_the_disk_of_its_pod_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("SOMETHING_OF_MINE", "1")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    spec = small_spec()
    args = container(spec, "check")["args"]
    args[0] += (
        "import tempfile\n"
        "assert 'SOMETHING_OF_MINE' not in os.environ\n"
        "assert os.environ['https_proxy'] == 'http://127.0.0.1:9'\n"
        "pod = pathlib.Path(os.environ['HOME'])\n"
        "assert pathlib.Path(tempfile.gettempdir()).parent == pod\n"
        "copy = pod / 'local' / inputs['artifacts']['second']['artifacts'][0]['uri'].lstrip('/')\n"
        "assert (copy / 'text').read_text().startswith('second')\n"
        "sent = pod / 'local' / outputs['artifacts']['made']['artifacts'][0]['uri'].lstrip('/')\n"
        "(sent / 'deeper').mkdir(parents=True)\n"
        "(sent / 'deeper' / 'file').write_text('uploaded')\n"
    )
    left, _ = run(tmp_path, spec)
    uri = left["check"].artifacts["made"][0]["uri"]
    assert Path(uri, "deeper", "file").read_text() == "uploaded"


def test_vertex_runs_the_driver_before_it_looks_into_the_cache(tmp_path):
    data = tmp_path / "data"
    data.write_text("old")
    given = {"mode": "vertex", "data_path": str(tmp_path)}
    run(tmp_path, **given)
    assert take_journal(tmp_path)[1:3] == ["first's driver", "first"]
    given_first = written(tmp_path, "first")
    assert given_first["inputs"]["parameterValues"]["seen"] == "old"
    (artifact,) = given_first["outputs"]["artifacts"]["made"]["artifacts"]
    assert artifact["metadata"] == {"span": 3.0}  # what the driver says of the output
    _, events = run(tmp_path, **given)
    assert "first's driver" in take_journal(tmp_path) and events["first"] == "cached"
    data.write_text("new")
    _, events = run(tmp_path, **given)
    assert events["first"] == "finished"
    assert written(tmp_path, "first")["inputs"]["parameterValues"]["seen"] == "new"
    take_journal(tmp_path)
    run(tmp_path, mode="kfp", data_path=str(tmp_path))  # which has no drivers
    assert "first's driver" not in take_journal(tmp_path)
    assert "seen" not in written(tmp_path, "first")["inputs"]["parameterValues"]


def test_the_spec_tells_which_backend_it_is_for():
    spec = small_spec()
    assert execution.mode_of(spec) == "vertex"
    del container(spec, "first")["lifecycle"]
    assert execution.mode_of(spec) == "kfp"


@pytest.mark.parametrize("mode", ["kfp", "vertex"])
@pytest.mark.parametrize("killed", ALL)
def test_a_killed_task_is_where_the_next_start_goes_on(tmp_path, killed, mode):
    flag = tmp_path / f"{killed}.die"
    flag.touch()
    with pytest.raises(UserError, match=f"^{killed}: its process was killed by signal 9"):
        run(tmp_path, mode=mode)
    before = [name for name in take_journal(tmp_path) if "driver" not in name]
    assert before == ALL[: ALL.index(killed) + 1]
    flag.unlink()
    left, events = run(tmp_path, mode=mode)
    after = [name for name in take_journal(tmp_path) if "driver" not in name]
    assert after == ALL[ALL.index(killed) :]
    assert len(left) == len(TASKS_IN_ORDER)
    assert all(events[name] == "cached" for name in ALL[: ALL.index(killed)])


def test_a_run_for_other_parameters_is_a_new_one(tmp_path):
    (tmp_path / "second.fail").touch()
    with pytest.raises(UserError, match="something broke"):
        run(tmp_path)
    take_journal(tmp_path)
    with pytest.raises(UserError, match="something broke"):
        run(tmp_path, bless="no")
    assert take_journal(tmp_path) == [
        "number",
        "second",
    ]  # never cached: not the other run's


@pytest.mark.parametrize(
    ("flag", "sentence", "log"),
    [
        (
            "fail",
            "check: its process ended with status 1; its last line: ValueError: something broke.",
            "ValueError: something broke\n",
        ),
        ("mistake", "check: a.png is empty (log: ", "UserError: a.png is empty\n"),
    ],
)
def test_a_failure_says_how_it_ended_and_which_log_tells_more(tmp_path, flag, sentence, log):
    (tmp_path / f"check.{flag}").touch()
    with pytest.raises(UserError) as failure:
        run(tmp_path)
    assert str(failure.value).startswith(sentence)
    (path,) = re.findall(r"/\S*log\.txt", str(failure.value))
    assert Path(path).read_text() == log


def test_a_program_that_is_not_there_is_named(tmp_path):
    spec = small_spec()
    container(spec, "number")["command"] = ["no-such-program"]
    with pytest.raises(UserError, match=r"^number: no-such-program: No such file"):
        run(tmp_path, spec)


def test_the_environment_of_the_container_is_set_and_no_accelerator_is_expected_here(tmp_path):
    program = (
        "import os; assert (os.environ['COLOUR'], os.environ['SHADE']) == ('red', '');"
        "assert 'HPATCHES_ACCELERATOR' not in os.environ"
    )
    spec = small_spec()
    container(spec, "number")["args"] = [program]
    spec["root"]["dag"]["tasks"] = {"number": task(spec, "number")}
    spec = adapt.with_resources(spec, {"number": ResourceRequest(accelerator="NVIDIA_L4")})
    container(spec, "number")["env"] += [{"name": "COLOUR", "value": "red"}, {"name": "SHADE"}]
    left, _ = run(tmp_path, spec)
    assert left["number"].state == "finished"  # without an output file nothing is added


def test_an_output_file_that_is_no_json_is_named(tmp_path):
    spec = small_spec()
    code = (
        "import json, sys; open(json.loads(sys.argv[1])['outputs']['outputFile'], 'w').write('x')"
    )
    container(spec, "number")["args"] = [code, "{{$}}"]
    with pytest.raises(UserError, match=r"^number: .*executor_output\.json is no JSON"):
        run(tmp_path, spec)


def test_from_a_task_all_others_are_taken_from_earlier_runs(tmp_path):
    run(tmp_path)
    take_journal(tmp_path)
    _, events = run(tmp_path, only_from=["check"], bless="no")
    assert take_journal(tmp_path) == ["check"]
    assert events["number"] == events["second"] == "cached" and events["push"] == "skipped"


def test_from_a_task_outputs_that_an_earlier_task_did_not_write_are_not_missed(tmp_path):
    spec = small_spec()
    outputs = spec["components"]["first"]["outputDefinitions"]["artifacts"]
    outputs["unwritten"] = dict(outputs["made"])
    run(tmp_path, spec)
    _, events = run(tmp_path, spec, only_from=["check"])
    assert events["first"] == "cached"


@pytest.mark.parametrize("mode", ["kfp", "vertex"])
def test_from_a_task_a_deleted_input_is_told(tmp_path, mode):
    left, _ = run(tmp_path, mode=mode)
    shutil.rmtree(left["first"].artifacts["made"][0]["uri"])
    with pytest.raises(UserError, match=r"^first: no earlier run in this folder .* leave out"):
        run(tmp_path, mode=mode, only_from=["check"])


def test_from_a_task_without_earlier_runs_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"^number: no earlier run in this folder finished it"):
        run(tmp_path, only_from=["check"])
    assert take_journal(tmp_path) == []


def _without_second(spec) -> None:
    del spec["root"]["dag"]["tasks"]["second"]


@pytest.mark.parametrize(
    ("change", "given", "sentence"),
    [
        (_without_second, {}, "depends on the task 'second'"),
        (lambda spec: container(spec, "push").pop("image"), {}, "push: container: no image"),
        (lambda spec: None, {"blesss": "no"}, "parameter blesss: unknown; did you mean bless"),
        (lambda spec: None, {"only_from": ["chek"]}, "^--from: found 'chek', expected one of chec"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(tmp_path, change, given, sentence):
    spec = small_spec()
    change(spec)
    with pytest.raises(UserError, match=sentence):
        run(tmp_path, spec, **given)
    assert list((tmp_path / "work").iterdir()) == []
    assert take_journal(tmp_path) == []


def test_what_is_left_of_a_finished_attempt_is_no_survivor(tmp_path):
    status = processes.run(["python", "-c", "print('hello')"], {}, tmp_path)
    assert (status, processes.last_line(tmp_path)) == (0, "hello")
    processes.end_survivor(tmp_path)  # returns at once
    processes.end_survivor(tmp_path / "never made")
