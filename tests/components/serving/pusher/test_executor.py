import errno
import os
from pathlib import Path

import pytest
from tfx.components.pusher import component as stock
from tfx.orchestration import data_types
from tfx.types import channel_utils, standard_artifacts

from components.core import files
from components.core.names import CARD_SCORES_FILE
from components.serving.production_model import served_model
from components.serving.pusher import executor, push_log
from components.serving.pusher.component import Pusher
from components.serving.pusher.executor import Executor
from tests.components.serving.production_model import saved_model_folders
from tests.support.artifacts import artifact
from trainer.core.errors import UserError
from trainer.model.names import CARD_FILE, SERVING_DIR

CARD = "# Patch descriptor\n\n## Scores\n\nNone are stored here.\n\n## Limits\n\nMany.\n"


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "serving"


def push(tmp_path, serving, content="weights", blessed=1, infra_blessed=1, number=None, scores=""):
    """Runs the executor on a candidate; returns the `pushed_model` artifact.

    The `number` of an earlier execution makes it an attempt at the same once more.
    """
    number = len(list(tmp_path.glob("candidate-*"))) if number is None else number
    model = artifact(standard_artifacts.Model, tmp_path / f"candidate-{number}")
    if not Path(model.uri).exists():
        saved_model_folders.write(tmp_path / f"candidate-{number}/Format-Serving", content)
    model_blessing = standard_artifacts.ModelBlessing()
    model_blessing.set_int_custom_property("blessed", blessed)
    if scores:
        model_blessing.uri = str(tmp_path / f"blessing-{number}")
        files.write_text(f"{model_blessing.uri}/{CARD_SCORES_FILE}", scores)
        Path(model.uri, SERVING_DIR, CARD_FILE).write_text(CARD)
    infra_blessing = standard_artifacts.InfraBlessing()
    infra_blessing.set_int_custom_property("blessed", infra_blessed)
    pushed_model = artifact(standard_artifacts.PushedModel, tmp_path / f"pushed-{number}")
    inputs = {
        "model": [model],
        "model_blessing": [model_blessing],
        "infra_blessing": [infra_blessing],
    }
    Executor().Do(inputs, {"pushed_model": [pushed_model]}, {"push_destination": str(serving)})
    return pushed_model


def test_a_blessed_model_is_pushed_and_archived(tmp_path, serving):
    pushed = push(tmp_path, serving)
    production = saved_model_folders.production_of(serving)
    candidate = saved_model_folders.content_of(tmp_path / "candidate-0/Format-Serving")
    assert saved_model_folders.content_of(production.path) == candidate
    assert saved_model_folders.content_of(pushed.uri) == candidate
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == production.path
    assert pushed.get_string_custom_property("pushed_version") == str(production.version)
    assert pushed.get_int_custom_property("production_version") == production.version
    (entry,) = push_log.read(str(serving))
    assert (entry.action, entry.version) == ("push", production.version)
    assert entry.checksum == production.checksum


@pytest.mark.parametrize(("blessed", "infra_blessed"), [(0, 1), (1, 0)])
def test_a_model_without_both_blessings_is_not_pushed(tmp_path, serving, blessed, infra_blessed):
    pushed = push(tmp_path, serving, blessed=blessed, infra_blessed=infra_blessed)
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property("reason") == "the model was not blessed"
    assert pushed.get_string_custom_property("production_path") == ""
    assert not serving.exists()


def test_the_model_in_production_is_not_pushed_again(tmp_path, serving):
    push(tmp_path, serving)
    production = saved_model_folders.production_of(serving)
    again = push(tmp_path, serving)
    assert served_model.versions(str(serving)) == (production.version,)
    assert again.get_int_custom_property("pushed") == 0
    assert again.get_string_custom_property("production_path") == production.path
    assert again.get_int_custom_property("production_version") == production.version
    assert str(production.version) in again.get_string_custom_property("reason")
    assert len(push_log.read(str(serving))) == 1


def test_the_card_of_a_pushed_model_tells_its_scores_and_stays_the_same_model(tmp_path, serving):
    pushed = push(tmp_path, serving, scores="## Scores\n\nBlessed, 47.1.\n")
    production = saved_model_folders.production_of(serving)
    told = CARD.replace("None are stored here.", "Blessed, 47.1.")
    for folder in (production.path, pushed.uri):
        assert Path(folder, CARD_FILE).read_text() == told
    assert Path(tmp_path / "candidate-0", SERVING_DIR, CARD_FILE).read_text() == CARD
    again = push(tmp_path, serving, scores="## Scores\n\nBlessed on other data, 52.0.\n")
    assert again.get_int_custom_property("pushed") == 0
    assert served_model.versions(str(serving)) == (production.version,)
    assert Path(production.path, CARD_FILE).read_text() == told


class _Killed(BaseException):
    """In place of SIGKILL."""


def _killed(*_arguments):
    raise _Killed


@pytest.mark.parametrize(("where", "name"), [(push_log, "append"), (executor.io_utils, "copy_dir")])
def test_a_push_that_was_killed_is_finished_and_not_made_twice(
    tmp_path, serving, monkeypatch, where, name
):
    push(tmp_path, serving, "old")
    before = saved_model_folders.production_of(serving)
    with monkeypatch.context() as patch:
        patch.setattr(where, name, _killed)
        with pytest.raises(_Killed):
            push(tmp_path, serving, "new")
    pushed = push(tmp_path, serving, "new", number=1)
    assert len(served_model.versions(str(serving))) == 2
    production = saved_model_folders.production_of(serving)
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == str(production.version)
    assert saved_model_folders.content_of(pushed.uri)
    entries = push_log.read(str(serving))
    assert [entry.version for entry in entries] == [before.version, production.version]
    assert entries[-1].replaced_version == before.version


def test_another_model_replaces_it_and_the_old_version_stays_and_may_come_back(tmp_path, serving):
    push(tmp_path, serving, "old")
    first = saved_model_folders.production_of(serving)
    push(tmp_path, serving, "new")
    second = saved_model_folders.production_of(serving)
    assert served_model.versions(str(serving)) == (first.version, second.version)
    assert push_log.read(str(serving))[-1].replaced_version == first.version
    push(tmp_path, serving, "old")
    assert len(served_model.versions(str(serving))) == 3


def test_a_destination_that_cannot_be_written_is_the_users_to_mend(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="set another push destination"):
        push(tmp_path, tmp_path / "file/serving")


@pytest.mark.parametrize("destination", ["/models", data_types.RuntimeParameter("to", str)])
def test_the_component_is_the_stock_one_and_its_cache_key_holds_the_code(destination):
    def channel(artifact_type):
        return channel_utils.as_channel([artifact_type()])

    pusher = Pusher(
        model=channel(standard_artifacts.Model),
        model_blessing=channel(standard_artifacts.ModelBlessing),
        infra_blessing=channel(standard_artifacts.InfraBlessing),
        push_destination=destination,
        code_fingerprint="abc",
        destination_state="7:def:1",
    )
    assert isinstance(pusher, stock.Pusher)
    assert pusher.executor_spec.executor_class is Executor
    assert pusher.exec_properties == {
        "push_destination": destination,
        "code_fingerprint": "abc",
        "destination_state": "7:def:1",
    }


def test_what_fails_behind_a_push_says_that_the_model_is_served(tmp_path, serving, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)

    monkeypatch.setattr(executor.io_utils, "copy_dir", full)
    with pytest.raises(UserError, match=r"is pushed and served, but not .*\(No space left"):
        push(tmp_path, serving, number=0)
    served = saved_model_folders.production_of(serving)
    monkeypatch.undo()
    pushed = push(tmp_path, serving, number=0)
    assert pushed.get_string_custom_property("pushed_version") == str(served.version)
    assert saved_model_folders.production_of(serving) == served
