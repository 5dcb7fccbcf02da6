import os

import pytest

from components.example_gen.formats import demo_photographs, reading
from components.example_gen.settings import DataSettings
from trainer.core.errors import UserError


def test_the_folder_can_be_listed_and_keeps_the_stereo_pair_together(tmp_path):
    folder = demo_photographs.materialise(tmp_path / "photos")
    inputs, _ = reading.list_sequences("photos", str(folder), DataSettings())
    assert len(inputs) == 2 * len(demo_photographs.PHOTOGRAPHS)
    assert len({item.scene for item in inputs}) == len(demo_photographs.PHOTOGRAPHS) - 1
    pair = [item for item in inputs if "motorcycle" in item.name]
    assert {item.scene for item in pair} == {"motorcycle"}


def test_a_second_call_touches_nothing(tmp_path):
    folder = demo_photographs.materialise(tmp_path)
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}
    demo_photographs.materialise(tmp_path)
    after = {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}
    assert after == before


def test_a_damaged_copy_is_made_anew_with_its_old_time(tmp_path):
    folder = demo_photographs.materialise(tmp_path)
    copy = folder / "coins.png"
    original = (copy.read_bytes(), copy.stat().st_mtime)
    copy.write_bytes(original[0][:100])
    os.utime(copy, (0, 0))
    demo_photographs.materialise(tmp_path)
    assert copy.read_bytes() == original[0]
    assert copy.stat().st_mtime == pytest.approx(original[1], abs=1)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        demo_photographs.materialise(tmp_path / "file")


def test_a_package_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_photographs, "PHOTOGRAPHS", {"a": ("no_such_package", "a.png")})
    with pytest.raises(UserError, match="no_such_package is not installed"):
        demo_photographs.materialise(tmp_path)
