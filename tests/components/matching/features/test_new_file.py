"""Files that are there whole or not at all."""

import pytest

from components.matching.features import new_file
from trainer.core.errors import UserError


def test_the_file_appears_in_the_end(tmp_path):
    path = tmp_path / "a.db"
    with new_file.writing(str(path)) as place:
        place.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_what_another_wrote_meanwhile_is_kept(tmp_path):
    path = tmp_path / "a.db"
    with (
        pytest.raises(UserError, match=r"a\.db is there already"),
        new_file.writing(str(path)) as place,
    ):
        place.write_text("ours")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("gs://bucket/a.db", "is remote"), ("missing/a.db", "cannot be written")],
)
def test_places_that_cannot_be_written_are_refused(tmp_path, path, sentence):
    place = path if "://" in path else str(tmp_path / path)
    with pytest.raises(UserError, match=f"--output: .*{sentence}"):
        new_file.check(place)
