import shutil
import uuid

import pytest

from components.serving.pusher import push_log
from components.serving.pusher.push_log import PushEntry
from tests.components.serving.production_model import saved_model_folders


@pytest.mark.parametrize("remote", [False, True])
def test_entries_come_back_in_order(tmp_path, remote):
    serving = f"ram://{uuid.uuid4().hex}" if remote else str(tmp_path / "serving")
    first = PushEntry(action="push", version=7, checksum="abc")
    second = PushEntry(
        action="rollback", version=8, checksum="def", from_version=3, replaced_version=7
    )
    assert push_log.read(serving) == []
    push_log.append(serving, first)
    push_log.append(serving, second)
    assert push_log.read(serving) == [first, second]


def test_the_origin_of_a_version_is_found_through_rollbacks(tmp_path):
    serving = str(tmp_path / "serving")
    for action, version, from_version in (
        ("push", 7, None),
        ("push", 8, None),
        ("rollback", 9, 7),
        ("rollback", 10, 8),
        ("rollback", 11, 9),
    ):
        entry = PushEntry(action=action, version=version, checksum="", from_version=from_version)
        push_log.append(serving, entry)
    origins = [push_log.origin(serving, version) for version in (7, 8, 9, 10, 11, 12)]
    assert origins == [7, 8, 7, 8, 7, 12]


def test_a_line_cut_short_is_passed_over(tmp_path):
    serving = str(tmp_path / "serving")
    entry = PushEntry(action="push", version=7, checksum="abc")
    push_log.append(serving, entry)
    with open(push_log.log_path(serving), "a") as file:
        file.write('{"action": "push", "vers')
    assert push_log.read(serving) == [entry]


def test_the_log_lies_beside_the_folder_that_the_server_scans_or_inside_a_bucket(tmp_path):
    serving = tmp_path / "serving"
    serving.mkdir()
    entry = PushEntry(action="push", version=7, checksum="abc")
    push_log.append(f"{serving}/", entry)
    assert list(serving.iterdir()) == []
    assert (tmp_path / "serving.pushes.jsonl").is_file()
    push_log.append(str(tmp_path / "serving.pushes.jsonl" / "serving"), entry)  # does not fail
    assert push_log.log_path("gs://models") == "gs://models/pushes.jsonl"
    assert push_log.log_path("gs://models/patch") == "gs://models/patch.pushes.jsonl"


def test_the_state_changes_with_every_push_and_when_a_model_vanishes(tmp_path):
    serving = tmp_path / "serving"
    seen = [push_log.destination_state(str(serving))]
    saved_model_folders.write(serving / "1")
    push_log.append(str(serving), PushEntry(action="push", version=1, checksum="abc"))
    seen.append(push_log.destination_state(str(serving)))
    assert push_log.destination_state(str(serving)) == seen[-1]
    shutil.rmtree(serving)
    seen.append(push_log.destination_state(str(serving)))
    assert len(set(seen)) == 3


def test_no_push_is_cached_for_a_destination_that_serves_nothing(tmp_path):
    serving = tmp_path / "serving"
    assert push_log.pusher_state(str(serving)) != push_log.pusher_state(str(serving))
    saved_model_folders.write(serving / "1")
    assert push_log.pusher_state(str(serving)) == push_log.destination_state(str(serving))


def test_one_bad_byte_does_not_hide_the_other_entries(tmp_path):
    destination = str(tmp_path / "serving")
    for version in (1, 2):
        entry = PushEntry(action="push", version=version, checksum="abc")
        push_log.append(destination, entry)
        with open(push_log.log_path(destination), "ab") as file:
            file.write(b"\xff\xfe\n")
    assert [entry.version for entry in push_log.read(destination)] == [1, 2]
