"""Runs on Kubeflow Pipelines: what kfp's client sends, and what becomes of answers and errors."""

import socket

import pytest
from kfp_server_api import ApiException, V2beta1RuntimeState
from urllib3.exceptions import MaxRetryError, SSLError

from pipeline.submission import following, kubeflow, kubeflow_errors, places, request
from pipeline.submission.places import Cluster
from tests.support.cloud.fake_kubeflow import RefusedError
from tests.support.submitted_spec import DATA, PUSH, ROOT, spec, write
from trainer.core.errors import UserError

_HEALTH = "GET /apis/v2beta1/healthz"
_EXPERIMENTS = "GET /apis/v2beta1/experiments"
_CREATE = "POST /apis/v2beta1/runs"
_LIST = "GET /apis/v2beta1/runs"
_LOOK = "GET /apis/v2beta1/runs/ID"
_AWAY = (503, "no healthy upstream")


@pytest.fixture
def wanted(tmp_path):
    texts = (f"data_path={DATA}", f"push_destination={PUSH}")
    return request.prepare(write(tmp_path), "kubeflow", ROOT, texts)


def place(fake, **more) -> Cluster:
    return Cluster(fake.host, **more)


def test_a_run_is_asked_for_as_it_was_described(cluster, wanted, capsys):
    started = kubeflow.submit(wanted, place(cluster), service_account="runner")
    (run,) = cluster.runs.values()
    assert run["pipeline_spec"] == spec()
    assert run["display_name"] == wanted.name
    assert run["service_account"] == "runner"
    assert run["runtime_config"] == {
        "pipeline_root": ROOT,
        "parameters": {"data_path": DATA, "push_destination": PUSH, "data_fingerprint": ""},
    }
    (experiment,) = cluster.experiments.values()
    assert experiment["display_name"] == "small"
    assert run["experiment_id"] == experiment["experiment_id"]
    assert started.name == wanted.name
    assert started.address == f"{cluster.host}/#/runs/details/run-1"
    assert capsys.readouterr().out == ""  # kfp prints addresses of its own


def test_an_experiment_that_exists_is_used(cluster, wanted):
    for _ in range(2):
        kubeflow.submit(wanted, place(cluster), experiment="trials")
    assert [each["display_name"] for each in cluster.experiments.values()] == ["trials"]
    assert len(cluster.runs) == 2


def test_the_page_may_be_elsewhere_than_the_api(cluster, wanted, monkeypatch):
    monkeypatch.setenv("KF_PIPELINES_UI_ENDPOINT", "https://kubeflow.example.com/")
    started = kubeflow.submit(wanted, place(cluster))
    assert started.address == "https://kubeflow.example.com/#/runs/details/run-1"


def test_a_token_is_shown_with_every_call(cluster, wanted):
    cluster.token = "secret"
    started = kubeflow.submit(wanted, place(cluster, token="secret"))
    assert started.look().outcome == "succeeded"
    assert set(cluster.tokens) == {"Bearer secret"}
    assert "secret" not in repr(place(cluster, token="secret"))


def test_a_kubeflow_for_several_users_asks_for_the_namespace(cluster, wanted):
    cluster.several_users = True
    with pytest.raises(UserError, match=r"--namespace: not given, .*several users"):
        kubeflow.submit(wanted, place(cluster))
    assert cluster.calls == [_HEALTH]
    for namespace in ("team", "kubeflow"):  # the latter is the client's own default
        kubeflow.submit(wanted, place(cluster, namespace=namespace), experiment=namespace)
    namespaces = [experiment["namespace"] for experiment in cluster.experiments.values()]
    assert namespaces == ["team", "kubeflow"]


def test_a_service_that_is_away_for_a_moment_is_asked_again(cluster, wanted):
    for call in (_HEALTH, _EXPERIMENTS, _CREATE, _LIST):
        cluster.failures[call] = [_AWAY, _AWAY]
    kubeflow.submit(wanted, place(cluster))
    assert len(cluster.runs) == 1
    assert cluster.calls.count(_CREATE) == 3


def test_a_call_that_arrived_although_no_answer_came_starts_no_second_run(cluster, wanted):
    kubeflow.submit(wanted, place(cluster))  # another one, in the same experiment
    other = request.RunRequest(**{**vars(wanted), "name": "other"})
    cluster.lost_answers = 1
    started = kubeflow.submit(other, place(cluster))
    assert [run["display_name"] for run in cluster.runs.values()] == [wanted.name, "other"]
    assert started.address.endswith("/run-2")


def test_a_service_that_stays_away_is_told(cluster, wanted):
    cluster.failures[_CREATE] = [_AWAY] * 10
    with pytest.raises(UserError, match=r"does not answer .no healthy upstream.; try again later"):
        kubeflow.submit(wanted, place(cluster))
    assert cluster.calls.count(_CREATE) == 5


@pytest.mark.parametrize("call", [_HEALTH, _EXPERIMENTS, _CREATE])
@pytest.mark.parametrize(
    ("status", "said", "message"),
    [
        (401, "no user identity", r"access denied .no user identity.*--token-file"),
        (
            403,
            "User 'me' is not authorized with reason: create runs",
            r"permission denied .User 'me' is not authorized.*contributor of that profile",
        ),
        (
            403,
            "workflows is forbidden: exceeded quota: team, requested: count=1, limited: count=9",
            r"insufficient quota .*exceeded quota: team.*end other runs, or ask for more quota",
        ),
        (404, "Namespace team not found", r"not found .Namespace team not found.*--host"),
        (400, "Invalid input error: bad", r"refused .Invalid input error: bad."),
        (500, "InternalServerError: no database", r"the service failed .*ml-pipeline deployment"),
    ],
)
def test_a_refusal_is_one_sentence_and_not_repeated(cluster, wanted, call, status, said, message):
    cluster.failures[call] = [(status, said)]
    with pytest.raises(UserError, match=message) as raised:
        kubeflow.submit(wanted, place(cluster))
    assert f"({cluster.host}): " in str(raised.value)
    assert "\n" not in str(raised.value)
    assert cluster.calls.count(call) == 1
    assert not cluster.runs


def test_a_page_to_log_in_is_not_taken_for_kubeflow(cluster, wanted):
    cluster.page_for_people = "<html>Log in</html>"
    with pytest.raises(UserError, match=r"answers, but not as Kubeflow Pipelines does.*token-file"):
        kubeflow.submit(wanted, place(cluster))


def test_an_address_where_nobody_is_is_told(wanted):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening: whoever connects is refused
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            UserError, match=rf"connecting .*{host}.*cannot be reached.*port-forw"
        ) as raised:
            kubeflow.submit(wanted, Cluster(host))
    assert "Connection refused);" in str(raised.value)
    assert " object at " not in str(raised.value)


def test_a_certificate_that_is_not_trusted_is_told_at_once():
    error = MaxRetryError(None, "/", SSLError("self-signed certificate"))
    assert not kubeflow_errors.is_passing(error)
    with (
        pytest.raises(UserError, match=r"not trusted .*self-signed certificate.*--ca-cert"),
        kubeflow_errors.translate_errors("connecting", "https://kubeflow"),
    ):
        raise error


def test_a_page_instead_of_an_error_is_told_by_its_status():
    error = ApiException(status=404, reason="Not Found")
    error.body = "<!DOCTYPE html><pre>Cannot GET /pipeline/apis/v2beta1/experiments</pre>"
    with (
        pytest.raises(UserError, match=r"not found \(404 Not Found\); expected as --host"),
        kubeflow_errors.translate_errors("connecting", "https://kubeflow"),
    ):
        raise error


def test_watching_outlives_a_short_outage(cluster, wanted):
    started = kubeflow.submit(wanted, place(cluster))
    cluster.failures[_LOOK] = [_AWAY, (429, "slow down"), _AWAY]
    assert started.look().outcome == "succeeded"


@pytest.mark.slow
def test_watching_ends_with_a_sentence_when_the_service_stays_away(cluster, wanted):
    started = kubeflow.submit(wanted, place(cluster))
    cluster.failures[_LOOK] = [_AWAY] * 10_000
    with pytest.raises(UserError, match=r"watching the run run-1, which goes on .*does not answer"):
        started.look()


def test_a_run_that_somebody_deleted_is_told(cluster, wanted):
    started = kubeflow.submit(wanted, place(cluster))
    cluster.runs.clear()
    with pytest.raises(UserError, match=r"watching the run run-1.*not found .Run run-1 not found"):
        started.look()


def _detail(name, state, minute=0, seconds=5, said=""):
    detail = {
        "display_name": name,
        "state": state,
        "create_time": f"2026-01-01T10:{minute:02}:00Z",
        "start_time": f"2026-01-01T10:{minute:02}:00Z",
        "end_time": f"2026-01-01T10:{minute:02}:{seconds:02}Z",
    }
    return detail | ({"error": {"code": 2, "message": said}} if said else {})


def test_tasks_are_told_apart_from_kubeflows_own(cluster, wanted):
    cluster.states = ["RUNNING"]
    cluster.tasks = [
        [
            _detail("root", "RUNNING"),
            _detail("PatchExampleGen-driver", "SUCCEEDED"),
            _detail("PatchExampleGen", "SUCCEEDED", minute=1, seconds=42),
            _detail("DescriptorTrainer", "RUNNING", minute=3),
            _detail("DescriptorTrainer", "FAILED", minute=2),
        ]
    ]
    run = kubeflow.submit(wanted, place(cluster)).look()
    tasks = {task.name: (task.kind, task.seconds) for task in run.tasks}
    assert run.outcome is None
    assert tasks["PatchExampleGen"] == ("finished", 42.0)
    assert tasks["DescriptorTrainer"][0] == "started"  # the later of two attempts


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("PENDING", None),
        ("RUNNING", None),
        ("PAUSED", None),
        ("CANCELING", None),
        ("SUCCEEDED", "succeeded"),
        ("FAILED", "failed"),
        ("CANCELED", "cancelled"),
        ("SKIPPED", "succeeded"),
    ],
)
def test_every_state_of_the_api_has_a_meaning(cluster, wanted, state, outcome):
    assert state in V2beta1RuntimeState.allowable_values
    cluster.states = [state]
    run = kubeflow.submit(wanted, place(cluster)).look()
    assert (run.words, run.outcome) == (state.lower(), outcome)


def test_a_run_that_does_not_end_well_tells_why(cluster, wanted):
    cluster.states, cluster.error = ["RUNNING", "FAILED"], {"code": 13, "message": "no root"}
    cluster.tasks = [[], [_detail("DescriptorTrainer", "FAILED", said="exit status 2")]]
    started = kubeflow.submit(wanted, place(cluster))
    assert started.look().outcome is None
    with pytest.raises(UserError, match=r"failed in DescriptorTrainer \(exit status 2\); the task"):
        following.conclude(started.look(), started)
    cluster.tasks = [[]]  # before its tasks
    with pytest.raises(UserError, match=r"failed \(no root\); its page says why"):
        following.conclude(started.look(), started)
    cluster.states = ["CANCELED"]
    with pytest.raises(UserError, match=r"was cancelled; see http\S+; to go on, press Retry there"):
        following.conclude(started.look(), started)


def test_the_address_is_asked_for(monkeypatch, tmp_path):
    with pytest.raises(UserError, match="--host: found none, expected the address"):
        places.cluster(None)
    with pytest.raises(UserError, match="--host: found kubeflow:8080"):
        places.cluster("kubeflow:8080")
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "https://kubeflow/pipeline/")
    assert places.cluster(None).host == "https://kubeflow/pipeline"


@pytest.mark.parametrize(
    ("host", "mode", "begins"),
    [
        ("https://k", 0o600, []),
        ("http://localhost:3000", 0o600, []),
        ("http://k.example.com", 0o600, ["--host: http://k.example.com is no https"]),
        ("https://k", 0o644, ["--token-file: others on this machine can read"]),
        ("http://k", 0o640, ["--host: http://k is no", "--token-file: others"]),
    ],
)
def test_who_else_can_read_the_token_is_told(tmp_path, host, mode, begins):
    path = tmp_path / "token"
    path.write_text("secret")
    path.chmod(mode)
    place = places.cluster(host, token_file=str(path))
    said = places.exposures(place, str(path))
    assert len(said) == len(begins)
    assert all(map(str.startswith, said, begins)) and "secret" not in "".join(said)
    assert places.exposures(place, None) == []


def test_the_token_is_read_from_a_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("secret\n")
    assert places.cluster("http://k", token_file=str(path)).token == "secret"
    path.write_text("Bearer secret")
    with pytest.raises(UserError, match="--token-file: expected one token and nothing else"):
        places.cluster("http://k", token_file=str(path))
    with pytest.raises(UserError, match=r"--token-file: .*nothing.* cannot be read"):
        places.cluster("http://k", token_file=str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="--ca-cert: found no file"):
        places.cluster("http://k", ca_cert=str(tmp_path / "nothing"))


def test_the_server_refuses_what_the_api_does_not_describe(cluster):
    """Or none of the tests above would prove anything."""
    for method, path, query, body in (
        ("POST", "/apis/v2beta1/experiments", {}, {"name": "x"}),
        ("POST", "/apis/v2beta1/experiments", {}, {"display_name": 3}),
        ("POST", "/apis/v2beta1/runs", {}, {"display_name": "x", "pipelineSpec": {}}),
        ("POST", "/apis/v2beta1/runs", {}, {"display_name": "x", "runtime_config": {"root": ""}}),
        ("GET", "/apis/v2beta1/runs", {"experiment": "1"}, None),
        ("GET", "/apis/v1beta1/runs", {}, None),
        ("DELETE", "/apis/v2beta1/runs/run-1", {}, None),
    ):
        with pytest.raises(RefusedError, match=r"unknown|is no str|Not Found"):
            cluster.answer(method, path, query, body, None)


def _ended(**terminated) -> dict:
    """The status of a pod whose container has ended."""
    return {"containerStatuses": [{"name": "main", "state": {"terminated": terminated}}]}


def _failed_in_a_pod(cluster) -> None:
    """Has DescriptorTrainer fail as Kubeflow tells it: its pod is that of a task inside it."""
    cluster.states = ["FAILED"]
    inside = {"pod_name": "run-impl-7"}
    trainer = _detail("DescriptorTrainer", "FAILED", minute=2)
    trainer |= {"pod_name": "run-executor-3", "child_tasks": [inside]}
    executor = _detail("executor", "FAILED", minute=3) | inside
    executor["child_tasks"] = [{"pod_name": "run-impl-9"}]
    attempt = _detail("executor(2)", "FAILED", minute=4) | {"pod_name": "run-impl-9"}
    cluster.tasks = [[_detail("root", "FAILED"), trainer, executor, attempt]]


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (
            _ended(reason="OOMKilled", exitCode=137),
            r"\(its memory ran out; give it more with platform\.resources\.DescriptorTrainer\.mem",
        ),
        (
            _ended(reason="Error", message="I1 a\nF2 failed to execute component: signal: killed"),
            r"\(it was killed, as when memory runs out; give it more with",
        ),
        (
            _ended(reason="Error", exitCode=1, message="a.png is empty"),
            r"failed in DescriptorTrainer \(a\.png is empty\); the task's log says more",
        ),
        (
            _ended(reason="Error", message="I1 a\nUserError: a.png is empty\nI3 publish success."),
            r"failed in DescriptorTrainer \(a\.png is empty\)",
        ),
        (
            {"reason": "Evicted", "message": "The node was low on resource: memory."},
            r"\(its pod was Evicted: The node was low on resource",
        ),
    ],
)
def test_why_a_task_failed_is_asked_of_its_pod(cluster, wanted, status, sentence):
    _failed_in_a_pod(cluster)
    cluster.pods["kubeflow", "run-impl-9"] = {"status": status}
    started = kubeflow.submit(wanted, place(cluster))
    with pytest.raises(UserError, match=sentence) as raised:
        following.conclude(started.look(), started)
    assert "\n" not in str(raised.value) and "executor" not in str(raised.value)


def test_where_no_page_tells_of_pods_the_log_is_named(cluster, wanted):
    _failed_in_a_pod(cluster)
    started = kubeflow.submit(wanted, place(cluster))
    with pytest.raises(UserError, match=r"failed in DescriptorTrainer; the last lines of its log"):
        following.conclude(started.look(), started)
    assert "GET /k8s/pod" in cluster.calls
