import os
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import tensorflow as tf

from components.serving.production_model import served_model
from components.serving.pusher import destination
from tests.components.serving.production_model import saved_model_folders
from trainer.core.errors import UserError
from trainer.model.names import CARD_FILE

DAY = 24 * 3600


@pytest.fixture
def model(tmp_path):
    return saved_model_folders.write(tmp_path / "model")


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "serving"


def test_the_first_version_is_the_time(model, serving):
    before = int(time.time())
    placed = destination.place(model, str(serving))
    assert before <= placed.version <= time.time()
    assert placed.path == str(serving / str(placed.version))
    assert saved_model_folders.content_of(placed.path) == saved_model_folders.content_of(model)
    assert [path.name for path in serving.iterdir()] == [str(placed.version)]
    # Also within the same second, and after one from the future that is half written.
    assert destination.place(model, str(serving)).version > placed.version
    future = int(time.time()) + 1000
    (serving / str(future)).mkdir(parents=True)
    assert destination.place(model, str(serving)).version == future + 1


def test_a_number_taken_by_another_push_meanwhile_is_passed_over(model, serving, monkeypatch):
    rename = tf.io.gfile.rename
    taken: list[str] = []

    def take_it_first(source, target, **options):
        if not taken:
            taken.append(target)
            saved_model_folders.write(target, "another model")
        rename(source, target, **options)

    monkeypatch.setattr(tf.io.gfile, "rename", take_it_first)
    placed = destination.place(model, str(serving))
    assert placed.path != taken[0]
    assert saved_model_folders.content_of(placed.path) == saved_model_folders.content_of(model)
    assert saved_model_folders.content_of(taken[0])["variables/variables.index"] == b"another model"
    assert len(list(serving.iterdir())) == 2


@pytest.mark.parametrize(
    ("file", "error", "sentence"),
    [
        (
            "saved_model.pb",
            tf.errors.ResourceExhaustedError(None, None, "No space left on device"),
            r"serving: cannot write the model.*No space left",
        ),
        ("variables.index", None, "differs"),
    ],
)
def test_a_copy_that_breaks_off_or_differs_leaves_nothing(
    model, serving, monkeypatch, file, error, sentence
):
    copy = tf.io.gfile.copy

    def spoil(source, target, **options):
        if target.endswith(file) and error is not None:
            raise error
        copy(source, target, **options)
        if target.endswith(file):
            Path(target).write_text("flipped bits")

    monkeypatch.setattr(tf.io.gfile, "copy", spoil)
    with pytest.raises(UserError, match=sentence):
        destination.place(model, str(serving))
    assert list(serving.iterdir()) == []


def test_a_destination_that_cannot_be_written_is_told_in_one_sentence(model, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match=r"file/serving: cannot write the model there \("):
        destination.place(model, str(tmp_path / "file" / "serving"))


def test_a_folder_that_is_no_saved_model_is_not_pushed(tmp_path, serving):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"saved_model\.pb"):
        destination.place(str(tmp_path / "empty"), str(serving))
    assert not serving.exists()


def test_what_a_killed_push_left_is_removed_and_one_that_goes_on_left_alone(model, serving):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    killed = serving / f".pushing-17-{socket.gethostname()}-{ended.pid}"
    here = serving / f".pushing-17-{socket.gethostname()}-{os.getppid()}"
    elsewhere = serving / ".pushing-17-another-machine-4"
    for folder in (killed, here, elsewhere):
        saved_model_folders.write(folder)
    destination.place(model, str(serving))
    assert not killed.exists()
    assert destination.remove_stale(str(serving)) == []
    assert here.exists() and elsewhere.exists()
    long_ago = time.time() - DAY - 60  # after which another machine's leftovers go too
    for path in (elsewhere, *elsewhere.rglob("*")):
        os.utime(path, (long_ago, long_ago))
    assert destination.remove_stale(str(serving)) == [str(elsewhere)]


def test_a_link_that_looks_like_a_leftover_does_not_empty_what_it_leads_to(serving, tmp_path):
    victim = tmp_path / "victim"
    saved_model_folders.write(victim)
    serving.mkdir()
    link = serving / f".pushing-1-{socket.gethostname()}-{os.getpid()}"
    link.symlink_to(victim)
    assert destination.remove_stale(str(serving)) == [str(link)]
    assert not link.is_symlink() and any(victim.iterdir())


def test_a_push_that_ends_while_another_looks_for_leftovers_disturbs_neither(
    model, serving, monkeypatch
):
    writing = serving / f".pushing-17-{socket.gethostname()}-{os.getppid()}"
    saved_model_folders.write(writing)
    files_under = destination.files.files_under

    def end_it_first(folder):
        if Path(folder) == writing:
            writing.rename(serving / "17")
        return files_under(folder)

    monkeypatch.setattr(destination.files, "files_under", end_it_first)
    placed = destination.place(model, str(serving))
    assert served_model.version_numbers(str(serving)) == (17, placed.version)


def test_a_foreign_folder_is_never_removed(serving):
    for name in ("17", "notes"):
        (serving / name).mkdir(parents=True)
        os.utime(serving / name, (0, 0))
    assert destination.remove_stale(str(serving)) == []


# `ram://` behaves as an object store does: renaming a folder there does not take its files along.


@pytest.fixture
def bucket():
    return f"ram://{uuid.uuid4().hex}/serving"


def test_without_atomic_renames_the_model_is_whole_as_well(model, bucket):
    placed = destination.place(model, bucket)
    assert served_model.find(bucket) == placed
    assert placed.checksum == served_model.checksum(model)


def test_without_atomic_renames_nothing_is_renamed_and_the_marker_is_last(
    model, bucket, monkeypatch
):
    copy, served_meanwhile = tf.io.gfile.copy, []

    def look(source, target, **options):
        served_meanwhile.append(served_model.find(bucket))
        copy(source, target, **options)

    monkeypatch.setattr(tf.io.gfile, "copy", look)
    monkeypatch.delattr(tf.io.gfile, "rename")
    destination.place(model, bucket)
    assert served_meanwhile == [None] * 3


def test_without_atomic_renames_the_card_is_rewritten_before_the_model_is_served(
    model, bucket, monkeypatch
):
    tf.io.gfile.copy(f"{model}/saved_model.pb", f"{model}/{CARD_FILE}")
    copied, copy = [], tf.io.gfile.copy

    def look(source, target, **options):
        copied.append((Path(target).name, tf.io.gfile.exists(f"{Path(target).parent}/{CARD_FILE}")))
        copy(source, target, **options)

    monkeypatch.setattr(tf.io.gfile, "copy", look)
    placed = destination.place(model, bucket, "with scores")
    with tf.io.gfile.GFile(f"{placed.path}/{CARD_FILE}") as file:
        assert file.read() == "with scores"
    assert copied[-1][0] == "saved_model.pb"
    assert len(copied) == 3
    assert placed.checksum == served_model.checksum(model)


def test_half_written_versions_in_an_object_store_are_removed(model, bucket):
    tf.io.gfile.makedirs(f"{bucket}/17")
    with tf.io.gfile.GFile(f"{bucket}/17/fingerprint.pb", "w") as file:
        file.write("half")
    placed = destination.place(model, bucket)
    assert served_model.version_numbers(bucket) == (placed.version,)


_PUSHES = """
import sys
from components.serving.pusher import destination
for _ in range(6):
    destination.place(sys.argv[1], sys.argv[2])
"""


@pytest.mark.slow
def test_pushes_at_the_same_time_each_get_a_whole_version_of_their_own(model, serving):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _PUSHES, str(model), str(serving)]
    pushing = [subprocess.Popen(command, env=environment) for _ in range(4)]
    assert [process.wait() for process in pushing] == [0] * 4
    versions = served_model.versions(str(serving))
    assert len(versions) == 24
    checksums = {served_model.load_version(str(serving), version).checksum for version in versions}
    assert checksums == {served_model.checksum(str(model))}
    assert sorted(path.name for path in serving.iterdir()) == sorted(map(str, versions))
