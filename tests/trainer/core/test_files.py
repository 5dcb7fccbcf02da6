"""Files written whole or not at all."""

import os

import pytest
import tensorflow as tf

from trainer.core.errors import UserError
from trainer.core.files import (
    make_writable_folder,
    remove_folder,
    replace_folder,
    walk,
    write_text,
    writing,
)


def test_text_replaces_what_was_there_and_leaves_no_temporary_file(tmp_path):
    path = tmp_path / "text"
    for text in ("old and longer", "new"):
        write_text(str(path), text)
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["text"]


def test_folders_are_replaced_whole(tmp_path):
    old, new = tmp_path / "final", tmp_path / "temporary"
    for folder in (old, new):
        folder.mkdir()
        (folder / folder.name).write_text("")
    replace_folder(str(new), str(old))
    assert [file.name for file in old.iterdir()] == ["temporary"]
    assert not new.exists()


def test_a_writable_folder_is_made_and_left_empty(tmp_path):
    make_writable_folder(str(tmp_path / "a" / "b"))
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_folder_that_cannot_be_is_refused_by_name(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match=rf"{path}: cannot be written"):
            make_writable_folder(str(path))


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        tf.errors.ResourceExhaustedError(None, None, "No space left on device"),
    ],
)
def test_a_full_disk_is_told_in_one_sentence(error):
    told = pytest.raises(UserError, match=r"logs: cannot be written \(.*No space left")
    with told, writing("logs"):
        raise error


def test_of_a_link_to_a_folder_the_link_alone_is_removed(tmp_path):
    (tmp_path / "folder" / "within").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "folder" / "within" / "out").symlink_to(tmp_path)
    remove_folder(str(tmp_path / "link"))
    assert (tmp_path / "folder" / "within").is_dir()
    remove_folder(str(tmp_path / "folder"))
    assert list(tmp_path.iterdir()) == []


def test_each_real_folder_is_walked_once_and_only_files_are_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").touch()
    (tmp_path / "two").touch()
    for name in ("again", "and_again"):
        (tmp_path / name).symlink_to(tmp_path)
        (tmp_path / "a" / name).symlink_to("..")
    (tmp_path / "to_nothing").symlink_to("nowhere")
    (tmp_path / "linked").symlink_to("two")
    os.mkfifo(tmp_path / "pipe")
    found = sorted(path.removeprefix(f"{tmp_path}/") for path in walk(str(tmp_path)))
    assert found == ["a/one", "linked", "two"]
