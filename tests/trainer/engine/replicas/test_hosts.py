"""What the processes of one run agree on."""

import json
import signal

import pytest
import tensorflow as tf

from tests.trainer.engine.replicas.processes import started
from trainer.core.config import TrainerConfig
from trainer.core.errors import UserError
from trainer.core.interruption import Interrupted
from trainer.engine import strategy
from trainer.engine.hosts import Hosts

_TALK = """
import json, os, signal, sys
import trainer
from trainer.core.config import TrainerConfig
from trainer.core.errors import UserError
from trainer.engine import strategy
from trainer.engine.hosts import Hosts

hosts = Hosts(strategy.create(TrainerConfig()))
mine = json.loads(os.environ["TF_CONFIG"])["task"]["type"]
told = {"count": hosts.count, "is_chief": hosts.is_chief}
told["value"] = hosts.from_chief({"who": mine, "text": "e" * 5000, "nan": float("nan")})
told["nothing"] = hosts.from_chief(None)
told["exact"] = hosts.from_chief(0.1 if hosts.is_chief else 0.2) == 0.1
done = []
told["result"] = hosts.on_chief(lambda: done.append(mine) or [mine])
told["done"] = done
def refuse():
    raise UserError("the chief's disk is full")
try:
    hosts.on_chief(refuse)
except UserError as error:
    told["mistake"] = str(error)
told["no signal"] = hosts.any_signal(None)
told["others"] = hosts.any_signal(None if hosts.is_chief else signal.SIGINT)
try:
    hosts.check_same(mine)
    told["same"] = True
except UserError as error:
    told["same"] = str(error)
hosts.from_chief(None)  # nobody leaves before the others have what they need
with open(sys.argv[1], "w") as file:
    json.dump(told, file)
"""


def test_a_value_a_mistake_and_a_signal_are_the_same_everywhere(tmp_path):
    commands = [("-c", _TALK, str(tmp_path / f"{number}.json")) for number in range(2)]
    with started(commands, tmp_path / "logs", chief=True) as processes:
        for number, process in enumerate(processes):
            log = tmp_path / "logs" / f"{number}.log"
            assert process.wait(300) == 0, log.read_text()[-3000:]
    chief, worker = (json.loads((tmp_path / f"{number}.json").read_text()) for number in range(2))
    assert (chief["count"], chief["is_chief"]) == (2, True)
    assert (worker["count"], worker["is_chief"]) == (2, False)
    for told in (chief, worker):
        assert told["value"]["who"] == "chief" and told["value"]["text"] == "e" * 5000
        assert told["value"]["nan"] != told["value"]["nan"]
        assert told["nothing"] is None and told["exact"] is True
        assert told["result"] == ["chief"]
        assert told["mistake"] == "the chief's disk is full"
        assert told["no signal"] is None
    assert (chief["done"], worker["done"]) == (["chief"], [])
    assert (chief["others"], worker["others"]) == (signal.SIGTERM, signal.SIGINT)
    assert chief["same"] is True
    assert worker["same"].startswith("this host has other data, settings or code than the chief")


def test_one_process_agrees_with_itself():
    hosts = Hosts(tf.distribute.OneDeviceStrategy("/cpu:0"))
    value = object()
    assert (hosts.count, hosts.is_chief) == (1, True)
    assert hosts.from_chief(value) is hosts.on_chief(lambda: value) is value
    assert hosts.any_signal(signal.SIGINT) == signal.SIGINT and hosts.any_signal(None) is None
    hosts.check_same("anything")
    with pytest.raises(tf.errors.UnavailableError), hosts.loss_told():
        raise tf.errors.UnavailableError(None, None, "of a bucket")


def test_a_lost_process_is_told_by_its_name():
    hosts = Hosts(tf.distribute.OneDeviceStrategy("/cpu:0"))
    hosts.count = 3
    why = "Graph execution error:\n\nTask /job:worker/replica:0/task:2 heartbeat timeout"
    sentence = r"^another of the run's 3 processes is gone \(worker 2 of TF_CONFIG\); start all of"
    with pytest.raises(Interrupted, match=sentence) as told, hosts.loss_told():
        raise tf.errors.UnavailableError(None, None, why)
    assert told.value.exit_status == 129
    with pytest.raises(Interrupted, match="processes is gone; start all"), hosts.loss_told():
        raise tf.errors.AbortedError(None, None, "collectives were aborted")
    with pytest.raises(tf.errors.InternalError, match="a bug"), hosts.loss_told():
        raise tf.errors.InternalError(None, None, "a bug")


def _config(**changes):
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    return {"cluster": cluster, "task": {"type": "worker", "index": 1}} | changes


@pytest.mark.parametrize(
    ("text", "several"),
    [
        ("", False),
        ("{}", False),
        (json.dumps({"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}), False),
        (json.dumps({"cluster": {"worker": ["a:1"]}, "environment": "cloud"}), False),
        (json.dumps(_config()), True),
        (json.dumps(_config(task={"type": "chief", "index": "0"})), True),  # as Vertex may write
    ],
)
def test_several_hosts_are_those_that_the_cluster_names(text, several):
    assert strategy.several_hosts({"TF_CONFIG": text}) is several
    assert strategy.several_hosts({}) is False


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "TF_CONFIG cannot be read (JSONDecodeError: "),
        ("[]", "TF_CONFIG cannot be read (AttributeError: "),
        (json.dumps(_config(task={})), "(KeyError: 'type'), expected JSON with cluster"),
        (
            json.dumps(_config(cluster={"worker": ["a:1", "b:1"], "ps": ["c:1"]})),
            "TF_CONFIG names ps in its cluster, expected chief and worker only",
        ),
        (
            json.dumps(_config(task={"type": "worker", "index": 2})),
            "TF_CONFIG says that this is worker 2, which its cluster does not have; expected one",
        ),
        (json.dumps(_config(task={"type": "master", "index": 0})), "this is master 0, which its"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused(text, sentence):
    with pytest.raises(UserError) as told:
        strategy.several_hosts({"TF_CONFIG": text})
    assert sentence in str(told.value)


def test_several_hosts_do_not_each_train_alone(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps(_config()))
    with pytest.raises(UserError, match="strategy is one_device, but TF_CONFIG names several"):
        strategy.create(TrainerConfig(strategy="one_device"))
