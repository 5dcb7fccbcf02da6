"""Which errors are the user's to put right."""

import errno
import os

import pytest

from pipeline.terminal.user_errors import find_user_error
from trainer.core.errors import UserError


def test_a_users_mistake_is_found_behind_other_errors():
    try:
        try:
            raise UserError("a.png is empty")
        except UserError as cause:
            raise RuntimeError("a component failed") from cause
    except RuntimeError as error:
        assert str(find_user_error(error)) == "a.png is empty"


def test_a_full_disk_is_told_with_its_path_or_as_tensorflow_tells_it():
    for number in (errno.ENOSPC, errno.EDQUOT):
        told = str(find_user_error(OSError(number, os.strerror(number), "/w/shard")))
        assert told.startswith("/w/shard: the disk is full; free some space")
    error = RuntimeError("/w/variables; No space left on device")
    assert "the disk is full" in str(find_user_error(error))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENAMETOOLONG])
def test_a_path_that_is_refused_is_told(number):
    told = str(find_user_error(OSError(number, os.strerror(number), "/w/x")))
    assert told == f"/w/x: {os.strerror(number)}; expected a path that this user may read and write"


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), OSError(errno.ENOENT, "gone", "/w"), OSError(errno.EACCES, "no")]
)
def test_bugs_stay_bugs(error):
    assert find_user_error(error) is None


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        RuntimeError("MemoryError: Unable to allocate 3 GiB [while running 'Cut']"),
        RuntimeError("can't start new thread"),
        ImportError("libtensorflow_cc.so.2: failed to map segment from shared object"),
    ],
)
def test_no_memory_is_told_whoever_ran_into_it(error):
    assert str(find_user_error(error)).startswith("the memory is full")


def test_a_full_disk_is_known_by_numpys_words_too():
    error = OSError("270400 requested and 266112 written")
    assert "the disk is full" in str(find_user_error(error))
