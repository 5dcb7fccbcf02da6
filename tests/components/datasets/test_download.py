"""A download goes on where it stopped, and is never joined from two files."""

import errno
import os
import random

import pytest

from components.datasets.catalogue import Home
from components.datasets.download import HomeError, download
from tests.support.file_server import serving
from trainer.core import progress
from trainer.core.errors import UserError

CHUNK = 1 << 16
CONTENT = random.Random(1).randbytes(3_000_000)


@pytest.fixture
def server():
    with serving({"/set.zip": CONTENT}) as server:
        yield server


def get(server, path, name="/set.zip", **home):
    pauses = []
    download(Home(f"{server.address}{name}", "test", **home), path, "small", pauses.append)
    return pauses


def test_a_file_is_downloaded_with_progress_in_megabytes(server, tmp_path):
    seen = []
    with progress.listen(seen.append):
        get(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert {(event.label, event.total) for event in seen} == {("downloading small, MB", 3)}
    assert [event.done for event in seen] == sorted(event.done for event in seen)
    assert seen[-1].done == 3


def test_a_download_that_breaks_off_goes_on_from_there(server, tmp_path):
    server.cuts = [16 * CHUNK, 8 * CHUNK]
    pauses = get(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert server.asked == ["", f"bytes={16 * CHUNK}-", f"bytes={24 * CHUNK}-"]
    assert pauses == [1.0, 1.0]  # each attempt had brought something


def test_a_later_call_goes_on_with_what_is_there(server, tmp_path):
    server.cuts = [10 * CHUNK + 9] + [0] * 4
    with pytest.raises(HomeError, match="breaks off again and again"):
        get(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT[: 10 * CHUNK]
    get(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={10 * CHUNK}-"


def test_a_server_that_ignores_ranges_is_asked_for_all_of_it(server, tmp_path):
    server.cuts, server.honours_ranges = [1_000_000], False
    get(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_not_joined_with_its_old_beginning(server, tmp_path):
    server.cuts = [1_000_000] + [0] * 4
    with pytest.raises(HomeError):
        get(server, tmp_path / "part")
    server.files["/set.zip"], server.etag = CONTENT[::-1], '"2"'
    get(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_whole_file_is_not_downloaded_again(server, tmp_path, size):
    (tmp_path / "part").write_bytes(CONTENT)
    get(server, tmp_path / "part", bytes=size)
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert len(server.asked) == (1 if size is None else 0)


def test_more_than_the_whole_file_is_thrown_away(server, tmp_path):
    (tmp_path / "part").write_bytes(CONTENT + b"more")
    get(server, tmp_path / "part", bytes=len(CONTENT))
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again_and_not_for_ever(server, tmp_path):
    server.statuses = [503, 429]
    assert get(server, tmp_path / "part") == [1.0, 2.0]
    server.statuses = [503] * 5
    with pytest.raises(HomeError, match="answered 503 Service Unavailable"):
        get(server, tmp_path / "other")


def test_a_file_that_is_not_there_is_not_asked_for_again(server, tmp_path):
    with pytest.raises(HomeError, match="answered 404 Not Found"):
        get(server, tmp_path / "part", name="/gone.zip")
    assert len(server.asked) == 1


def test_a_file_of_another_size_is_not_downloaded(server, tmp_path):
    with pytest.raises(HomeError, match="has a file of 3000000 bytes, expected 7"):
        get(server, tmp_path / "part", bytes=7)
    assert not (tmp_path / "part").exists()


def test_a_server_that_is_not_there_is_told_without_the_clients_words(tmp_path):
    with serving({}) as gone:
        pass
    with pytest.raises(HomeError, match=r"^cannot be reached$"):
        get(gone, tmp_path / "part")


def test_a_full_disk_is_told_with_what_is_missing(server, tmp_path):
    if not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("no /dev/full on this system")
    (tmp_path / "part").symlink_to("/dev/full")
    sentence = f"{tmp_path}: the disk is full after 0 MB of 3 MB; free some space and give"
    with pytest.raises(UserError, match=sentence) as told:
        get(server, tmp_path / "part")
    assert told.value.__cause__.errno == errno.ENOSPC
