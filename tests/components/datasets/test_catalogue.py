"""The list of data sets says what is known, and what is not."""

import re

import pytest

from components.datasets import catalogue
from components.example_gen.registry import FORMATS

ALL = [home for dataset in catalogue.datasets().values() for home in dataset.homes]


def test_the_published_sets_are_listed():
    assert list(catalogue.datasets()) == [
        "hpatches", "hpatches-sequences", "brown-liberty", "brown-notredame", "brown-yosemite",
    ]  # fmt: skip
    for name in ("hpatches", "hpatches-sequences"):
        assert catalogue.datasets()[name].sequences == {"i": 57, "v": 59}


@pytest.mark.parametrize("home", ALL, ids=lambda home: home.url)
def test_what_is_left_out_of_an_entry_is_said_to_be_unverified(home):
    assert home.source and home.file_name.endswith((".zip", ".tar.gz"))
    if home.bytes is None:
        assert "size" in home.unverified
    if home.checksum is None:
        assert "checksum" in home.unverified
    else:
        algorithm, digest = home.checksum
        assert re.fullmatch("[0-9a-f]+", digest)
        assert len(digest) == {"sha256": 64, "md5": 32}[algorithm]
    # What is neither encrypted on its way nor has a checksum could be anything.
    assert home.url.startswith("https://") or home.checksum or "checksum" in home.unverified


def test_the_command_for_a_format_names_a_set_of_that_layout():
    for format in FORMATS:
        command = catalogue.command_for(format).split()
        if command:
            assert command[:2] == ["hpatches", "fetch"]
            assert catalogue.datasets()[command[2]].layout == format
    assert catalogue.command_for("photos") == ""
