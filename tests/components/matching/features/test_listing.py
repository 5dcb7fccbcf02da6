"""Which photographs are meant."""

import pytest

from components.matching.features import listing
from trainer.core.errors import UserError


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_folder_gives_all_images_below_it_by_name(tmp_path):
    touch(tmp_path, "b.JPG", "deep/er/a.png", "notes.txt", ".hidden.jpg", ".git/c.png")
    found = listing.photographs(str(tmp_path))
    assert [one.name for one in found] == ["b.JPG", "deep/er/a.png"]
    assert found[1].path == str(tmp_path / "deep/er/a.png")


def test_a_list_is_relative_to_its_own_folder(tmp_path):
    (tmp_path / "list.txt").write_text("# mine\nz/1.jpg\n\n/abs/2.jpg\n")
    found = listing.photographs(str(tmp_path / "list.txt"))
    assert [(one.name, one.path) for one in found] == [
        ("abs/2.jpg", "/abs/2.jpg"),
        ("z/1.jpg", str(tmp_path / "z/1.jpg")),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("", "lists no image"), ("a.jpg\nb.jpg\na.jpg\n", r"lists a\.jpg twice")],
)
def test_a_list_of_nothing_or_of_something_twice_is_refused(tmp_path, content, sentence):
    (tmp_path / "list.txt").write_text(content)
    with pytest.raises(UserError, match=sentence):
        listing.photographs(str(tmp_path / "list.txt"))


def test_places_without_images_are_refused(tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(UserError, match=r"holds no image, expected \.jpg"):
        listing.photographs(str(tmp_path))
    with pytest.raises(UserError, match="is one image, expected a folder of images"):
        listing.photographs("a.jpg")
    with pytest.raises(UserError, match="cannot be read"):
        listing.photographs(str(tmp_path / "missing"))
    with pytest.raises(UserError, match="is remote"):
        listing.photographs("gs://bucket/images")
