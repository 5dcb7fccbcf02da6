"""`hpatches submit`: from a file to the end of a run, as a user sees it."""

import json

import pytest
from click.testing import CliRunner
from google.cloud.aiplatform_v1 import PipelineState, PipelineTaskDetail

from pipeline.cli import cli
from pipeline.commands.runs import submit as command
from pipeline.kfp import files
from tests.support.submitted_spec import DATA, PUSH, ROOT, spec, write

_PLACES = ["--pipeline-root", ROOT, "--data", DATA, "--push", PUSH]
_VERTEX = ["--target", "vertex", "--project", "my-project", "--location", "us-west4"]
_ACCOUNT = "trainer@p.iam.gserviceaccount.com"
_NETWORK = "projects/12/global/networks/mine"
_RUNNING = PipelineState.PIPELINE_STATE_RUNNING
_States = PipelineTaskDetail.State


def submit(*arguments):
    return CliRunner().invoke(cli, ["submit", *arguments])


def _detail(name, state):
    return PipelineTaskDetail(task_name=name, state=state)


def test_vertex_without_waiting_prints_the_address_and_ends(google, tmp_path):
    google.pipeline_states = [_RUNNING]
    result = submit(write(tmp_path), *_VERTEX, *_PLACES)
    assert result.exit_code == 0, result.output
    (name,) = google.pipelines
    first, address = result.stdout.splitlines()
    assert first == f"Submitted {name.rpartition('/')[2]}: 2 tasks."
    assert address.startswith("https://console.cloud.google.com/vertex-ai/locations/us-west4/")
    assert google.methods() == ["create_pipeline_job"]


def test_vertex_with_waiting_shows_the_tasks_to_the_end(google, tmp_path):
    google.pipeline_states = [
        PipelineState.PIPELINE_STATE_QUEUED,
        _RUNNING,
        _RUNNING,
        PipelineState.PIPELINE_STATE_SUCCEEDED,
    ]
    google.pipeline_tasks = [
        [],
        [_detail("PatchExampleGen", _States.RUNNING)],
        [_detail("PatchExampleGen", _States.SKIPPED), _detail("small", _States.RUNNING)],
        [
            _detail("PatchExampleGen", _States.SKIPPED),
            _detail("DescriptorTrainer", _States.SUCCEEDED),
        ],
    ]
    result = submit(write(tmp_path), *_VERTEX, *_PLACES, "--wait")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[2:] == [
        "the run is queued",
        "[1/2] PatchExampleGen: started",
        "[1/2] PatchExampleGen: cached",
        "[2/2] DescriptorTrainer: finished after 0.0 s",
        "Succeeded after 0:00.",
    ]


def test_kubeflow_with_waiting(cluster, tmp_path):
    cluster.states = ["PENDING", "RUNNING", "SUCCEEDED"]
    done = [{"display_name": "PatchExampleGen", "state": "SUCCEEDED"}]
    cluster.tasks = [[], [{"display_name": "PatchExampleGen", "state": "RUNNING"}], done]
    host = ["--target", "kubeflow", "--host", cluster.host]
    result = submit(write(tmp_path), *host, *_PLACES, "--wait")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1:] == [
        f"{cluster.host}/#/runs/details/run-1",
        "the run is pending",
        "[1/2] PatchExampleGen: started",
        "[1/2] PatchExampleGen: finished after 0.0 s",
        "Succeeded after 0:00.",
    ]


def _job(tree):
    trainer = tree["root"]["dag"]["tasks"]["DescriptorTrainer"]
    return json.loads(trainer["inputs"]["parameters"]["vertex_json"]["runtimeValue"]["constant"])


def test_account_and_network_go_for_the_run_and_its_training_job(google, tmp_path):
    path = write(tmp_path, spec(with_job=True))
    terms = ["--service-account", _ACCOUNT, "--network", _NETWORK]
    assert submit(path, *_VERTEX, *_PLACES, *terms).exit_code == 0
    other = [*terms, "--training-account", "other@p.iam.gserviceaccount.com"]
    assert submit(path, *_VERTEX, *_PLACES, *other).exit_code == 0
    runs = [type(run).to_dict(run) for run in google.pipelines.values()]
    assert {(run["service_account"], run["network"]) for run in runs} == {(_ACCOUNT, _NETWORK)}
    jobs = [_job(run["pipeline_spec"]) for run in runs]
    assert [job["service_account"] for job in jobs] == [_ACCOUNT, "other@p.iam.gserviceaccount.com"]
    assert {job["network"] for job in jobs} == {_NETWORK}


def test_on_kubeflow_the_account_of_a_training_job_is_another_one(cluster, tmp_path):
    path = write(tmp_path, spec(with_job=True))
    host = ["--target", "kubeflow", "--host", cluster.host, "--service-account", "pipeline-runner"]
    job = ["--project", "my-project", "--location", "us-west4", "--training-account", _ACCOUNT]
    result = submit(path, *host, *_PLACES, *job)
    assert result.exit_code == 0, result.output
    (run,) = cluster.runs.values()
    assert run["service_account"] == "pipeline-runner"
    assert _job(run["pipeline_spec"])["service_account"] == _ACCOUNT


def test_a_run_that_fails_exits_with_2_and_one_sentence(google, cluster, tmp_path):
    google.pipeline_states = [PipelineState.PIPELINE_STATE_FAILED]
    google.pipeline_tasks = [[_detail("DescriptorTrainer", _States.FAILED)]]
    cluster.states = ["FAILED"]
    cluster.tasks = [[{"display_name": "DescriptorTrainer", "state": "FAILED"}]]
    for target in (_VERTEX, ["--target", "kubeflow", "--host", cluster.host]):
        result = submit(write(tmp_path), *target, *_PLACES, "--wait")
        assert result.exit_code == 2
        (sentence,) = result.stderr.splitlines()
        assert "failed in DescriptorTrainer; the last lines of its log" in sentence


def test_ctrl_c_stops_the_watching_and_not_the_run(google, tmp_path, monkeypatch):
    google.pipeline_states = [_RUNNING]

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_pause", interrupt)
    result = submit(write(tmp_path), *_VERTEX, *_PLACES, "--wait")
    assert result.exit_code == 130
    assert "Stopped watching; the run goes on: https://console.cloud.google.com" in result.stderr
    assert "cancel" not in "".join(google.methods())


def _without_image(tree):
    tree["deploymentSpec"]["executors"]["train"]["container"]["image"] = ""


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (_without_image, _PLACES, "DescriptorTrainer: container: no image"),
        (dict, _PLACES[:4], "parameter push_destination: not given"),
        (dict, [*_PLACES, "--param", "nothing=1"], "parameter nothing: unknown"),
        (dict, [*_PLACES, "--tasks", "gs://b/t"], "--tasks: found gs://b/t, but this pipeline has"),
        (dict, [*_PLACES, "--staging", "gs://b"], "--staging: found gs://b, but this pipeline has"),
    ],
)
def test_what_could_not_run_is_refused_before_any_call(
    google, cluster, tmp_path, change, arguments, message
):
    tree = spec()
    change(tree)
    for target in (_VERTEX, ["--target", "kubeflow", "--host", cluster.host]):
        result = submit(write(tmp_path, tree), *target, *arguments)
        assert result.exit_code == 2
        assert message in result.stderr
    assert not google.calls
    assert not cluster.calls


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [*_VERTEX, "--host", "http://k"],
            "--host: found 'http://k', which only --target kubeflow",
        ),
        ([*_VERTEX, "--token-file", "t"], "--token-file: found 't', which only --target kubeflow"),
        ([*_VERTEX, "--network", "default"], "--network: found default, expected projects/NUMBER"),
        ([*_VERTEX, "--service-account", "me"], "--service-account: found me, expected NAME@"),
        (
            ["--target", "kubeflow", "--host", "http://k", "--network", _NETWORK],
            "--network: this pipeline starts no training job on Vertex AI",
        ),
        (
            [*_VERTEX, "--training-account", _ACCOUNT],
            "--training-account: this pipeline starts no training job on Vertex AI",
        ),
        (["--target", "vertex", "--location", "us-west4"], "--project: found none"),
        (["--target", "kubeflow"], "--host: found none"),
    ],
)
def test_options_that_do_not_fit_the_platform_are_refused(tmp_path, arguments, message):
    result = submit(write(tmp_path), *arguments, *_PLACES)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The real pipeline, compiled for both platforms by the command that users call."""
    folder = tmp_path_factory.mktemp("compiled")
    machine = {
        "image": "registry.example.com/hpatches-trainer:1",
        "machine_type": "ct5lp-hightpu-4t",
        "tpu_topology": "2x2",
    }
    image = "platform.image=registry.example.com/hpatches-pipeline:1"
    training = f"platform.training={json.dumps(machine)}"
    for target in ("vertex", "kubeflow"):
        output = str(folder / f"{target}.yaml")
        arguments = ["compile", "--target", target, "--config", "hpatches_a", "--output", output]
        result = CliRunner().invoke(cli, [*arguments, "--set", image, "--set", training])
        assert result.exit_code == 0, result.output
    return folder


@pytest.mark.slow
def test_what_compile_writes_is_what_the_platforms_get(google, cluster, compiled):
    job = ["--project", "my-project", "--location", "us-west4"]
    host = ["--target", "kubeflow", "--host", cluster.host]
    for target, arguments in (("vertex", _VERTEX), ("kubeflow", [*host, *job])):
        result = submit(str(compiled / f"{target}.yaml"), *arguments, *_PLACES)
        assert result.exit_code == 0, result.output
    (vertex_run,) = google.pipelines.values()
    (kubeflow_run,) = cluster.runs.values()
    sent = {
        "vertex": type(vertex_run).to_dict(vertex_run)["pipeline_spec"],
        "kubeflow": kubeflow_run["pipeline_spec"],
    }
    for target, tree in sent.items():
        assert _comparable(tree) == _comparable(files.read(str(compiled / f"{target}.yaml")))
    values = dict(vertex_run.runtime_config.parameter_values)
    assert values == kubeflow_run["runtime_config"]["parameters"]
    assert values["project"] == "my-project"
    assert values["staging"] == f"{ROOT}/staging"


def _comparable(tree):
    """Returns a spec as protocol buffers see it: numbers are floats, what is empty is absent."""
    if isinstance(tree, dict):
        values = {key: _comparable(value) for key, value in tree.items()}
        return {key: value for key, value in values.items() if value not in ({}, [], "", False)}
    if isinstance(tree, list):
        return [_comparable(value) for value in tree]
    return float(tree) if isinstance(tree, int) and not isinstance(tree, bool) else tree
