import cv2
import pytest

from components.example_gen.formats import left_out, reading
from components.example_gen.settings import DataSettings
from tests.support.pictures import texture
from trainer.core.errors import UserError


def test_nothing_is_said_of_photographs_and_texts(tmp_path):
    for name in (
        "a.png", "IMG_1.JPG", "scenes.csv", "README", "licence.txt", ".DS_Store", "._a.png",
        "Thumbs.db", "extraction.json",
    ):  # fmt: skip
        (tmp_path / name).write_bytes(b"")
    for name in ("__MACOSX", ".git"):
        (tmp_path / name).mkdir()
    assert left_out.remarks(str(tmp_path)) == []


def test_what_is_not_read_is_counted_and_named(tmp_path):
    for name in ("b.HEIC", "a.heic", "c.heif", "d.CR2", "e.psd"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sub").symlink_to(tmp_path / "elsewhere")
    heic, raw, other, folder = left_out.remarks(str(tmp_path))
    assert heic.startswith("3 HEIC files are left out (a.heic, b.HEIC, c.heif): convert them")
    assert raw.startswith("1 raw file is left out (d.CR2): develop them")
    assert other.startswith("1 other file is left out (e.psd): png, jpg")
    assert folder.startswith("2 folders are left out (elsewhere, sub): photographs are read")


def test_of_many_files_the_first_are_named(tmp_path):
    for number in range(7):
        (tmp_path / f"{number}.heic").write_bytes(b"")
    (remark,) = left_out.remarks(str(tmp_path))
    assert remark.startswith("7 HEIC files are left out (0.heic, 1.heic, 2.heic, 3.heic, 4.heic an")
    assert "4.heic and 2 more): convert" in remark


def test_a_survey_and_an_empty_folder_tell_it(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"")
    with pytest.raises(UserError, match=r"nothing to read; 1 HEIC file is left out .*; expected p"):
        reading.list_sequences("photos", str(tmp_path), DataSettings())
    cv2.imwrite(str(tmp_path / "b.png"), texture())
    (tmp_path / "c.png").symlink_to("b.png")
    survey = reading.survey("photos", str(tmp_path), DataSettings())
    assert [item.name for item in survey.inputs] == ["i_b", "i_c", "v_b", "v_c"]  # links are read
    assert survey.remarks[0].startswith("1 HEIC file is left out (a.heic)")


def test_the_case_of_a_folder_with_all_of_them(shared):
    survey = reading.survey(
        "photos", str(shared / "cases" / "ignored-photos" / "photos"), DataSettings()
    )
    assert [item.name for item in survey.inputs] == [
        "i_IMG_0001", "i_a.b.c", "v_IMG_0001", "v_a.b.c",
    ]  # fmt: skip
    assert ["(IMG_2.HEIC)" in survey.remarks[0], "(sub)" in survey.remarks[1]] == [True, True]
