"""`hpatches fetch`: progress, results and problems as a user sees them."""

import pytest

from components.datasets import catalogue
from components.datasets.catalogue import Dataset, Home
from tests.components.datasets.test_fetch import packed
from tests.pipeline.commands.bad_data import assert_refused, everything, hpatches
from tests.support.file_server import serving
from tests.support.pictures import write_strips


@pytest.fixture
def server(tmp_path_factory, monkeypatch):
    root = tmp_path_factory.mktemp("made")
    for name in ("i_a", "v_b"):
        write_strips(root / "release" / name, 2)
    with serving({"/set.zip": packed(root / "release", root / "set.zip")}) as server:
        homes = (Home(f"{server.address}/set.zip", "test", about_gb=4.2),)
        contents = {"i": 1, "v": 1}
        small = Dataset("hpatches", "A release", "strips", "Somebody 2017", homes, contents)
        monkeypatch.setattr("pipeline.commands.fetch.datasets", lambda: {"hpatches": small})
        yield server


@pytest.mark.usefixtures("server")
def test_a_set_is_fetched_by_its_name(tmp_path):
    result = hpatches("fetch", "hpatches", "--output", tmp_path / "release")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "A release: 2 image sequences (1 of illumination, 1 of viewpoint), in "
        f"{tmp_path / 'release'}",
        "To be cited: Somebody 2017",
        f"Next: hpatches run --config hpatches_a --data {tmp_path / 'release'}",
    ]
    assert "A release (about 4.2 GB, and as much again to unpack) from http://127" in result.stderr
    assert "No checksum of this archive is known; layout and counts are right, and its sha" in (
        result.stderr
    )


def test_a_set_that_is_not_to_be_had_is_told_in_one_sentence(server, tmp_path, monkeypatch):
    server.files.clear()
    monkeypatch.setattr("pipeline.commands.fetch._announce", lambda *_: None)
    sentence = "/set.zip answered 404 Not Found; try again later, or without a network download"
    assert_refused(tmp_path, sentence, "fetch", "hpatches", "--output", "release")
    assert everything(tmp_path) == {}


def test_an_unknown_name_is_answered_with_those_that_there_are():
    result = hpatches("fetch", "oxford", "--output", "anywhere")
    assert result.exit_code == 2
    for name in catalogue.datasets():
        assert name in result.stderr


@pytest.mark.usefixtures("no_runner")
@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("--config", "hpatches_a"), "hpatches fetch hpatches --output hpatches-release"),
        (
            ("--format", "sequences", "--data", "nowhere"),
            "hpatches fetch hpatches-sequences --output hpatches-sequences-release",
        ),
    ],
)
def test_a_run_without_data_says_how_to_get_hpatches(tmp_path, arguments, command):
    sentence = f"(`{command}` downloads HPatches' own)"
    assert_refused(tmp_path, sentence, "run", *arguments, "--work", "work")


@pytest.mark.usefixtures("no_runner")
def test_a_run_without_photographs_names_no_command_that_would_not_help(tmp_path):
    arguments = ("run", "--format", "photos", "--data", "nowhere", "--work", "work")
    told = assert_refused(tmp_path, "found no folder 'nowhere'; expected the folder", *arguments)
    assert "fetch" not in told
