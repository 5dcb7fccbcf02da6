import json

import cv2
import numpy as np
import pytest

from components.example_gen import extract as extraction
from components.example_gen.extract import extract
from components.example_gen.formats import reading
from components.example_gen.settings import DataSettings
from tests.support.pictures import texture, write_sequence
from trainer.core.errors import UserError
from trainer.core.progress import listen

SETTINGS = DataSettings(max_points=12, seed=5)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(("left", "right")):
        cv2.imwrite(str(folder / f"{name}.png"), texture(400, 320, seed=number))
    (folder / "scenes.csv").write_text("name,scene\nleft,bike\nright,bike\n")
    return folder


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_release_reads_back_as_what_was_cut(tmp_path):
    write_sequence(tmp_path / "in" / "v_a", seed=1)
    write_sequence(tmp_path / "in" / "i_b", seed=2)
    output = tmp_path / "out" / "release"
    summary = extract("sequences", str(tmp_path / "in"), str(output), SETTINGS)
    assert sorted(path.name for path in output.iterdir()) == [
        "extraction.json", "i_b", "scenes.csv", "v_a",
    ]  # fmt: skip
    cut, _ = reading.list_sequences("sequences", str(tmp_path / "in"), SETTINGS)
    written, _ = reading.list_sequences("strips", str(output), SETTINGS)
    for one, other in zip(cut, written, strict=True):
        first = reading.load_sequence(one, SETTINGS)
        second = reading.load_sequence(other, SETTINGS)
        np.testing.assert_array_equal(first.patches, second.patches)
        np.testing.assert_allclose(first.positions, second.positions, atol=6e-4)
    assert summary["patches"] == 16 * summary["points"] == 16 * 24
    assert json.loads((output / "extraction.json").read_text()) == summary
    assert summary["settings"]["seed"] == 5
    assert 0.5 < summary["statistics"]["overlap_tough"] < summary["statistics"]["overlap_easy"] < 1
    assert "nearer_to_another" in summary["statistics"]


def test_sequences_of_one_photograph_keep_their_scene(tmp_path, photos):
    output = tmp_path / "release"
    output.mkdir()  # an empty folder may be given
    extract("photos", str(photos), str(output), SETTINGS)
    written, _ = reading.list_sequences("strips", str(output), SETTINGS)
    assert [(item.name, item.scene) for item in written] == [
        ("i_left", "bike"), ("i_right", "bike"), ("v_left", "bike"), ("v_right", "bike"),
    ]  # fmt: skip


def test_equal_seed_gives_equal_files_and_another_seed_does_not(tmp_path, photos):
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        extract("photos", str(photos), str(tmp_path / name), DataSettings(max_points=5, seed=seed))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one") != contents(tmp_path / "three")


def test_a_bad_sequence_leaves_nothing_behind_or_is_skipped(tmp_path, photos):
    (photos / "right.png").write_text("no image")
    with pytest.raises(UserError, match=r"right\.png: cannot be decoded"):
        extract("photos", str(photos), str(tmp_path / "release"), SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    cv2.imwrite(str(photos / "sky.png"), np.full((300, 300), 128, np.uint8))
    settings = SETTINGS.model_copy(update={"skip_bad_sequences": True, "max_points": 5})
    summary = extract("photos", str(photos), str(tmp_path / "release"), settings)
    skipped = {entry["name"]: entry["reason"] for entry in summary["skipped"]}
    assert "cannot be decoded" in skipped["right"]
    assert set(skipped) >= {"right"}
    assert {entry["name"] for entry in summary["sequences"]} >= {"i_left", "v_left"}


def test_what_cannot_be_written_is_told(tmp_path, photos):
    output = tmp_path / "release"
    output.mkdir()
    (output / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="release: found a folder that is not empty"):
        extract("photos", str(photos), str(output), SETTINGS)
    assert (output / "thesis.txt").read_text() == "mine"
    with pytest.raises(UserError, match="cannot be written"):
        extract("photos", str(photos), str(output / "thesis.txt" / "release"), SETTINGS)
    with pytest.raises(UserError, match="format 'strips' holds patches already"):
        extract("strips", str(tmp_path), str(tmp_path / "out"), SETTINGS)


@pytest.mark.parametrize("skipping", [False, True])
def test_a_full_disk_leaves_nothing_behind_and_is_no_reason_to_skip(
    tmp_path, photos, monkeypatch, skipping
):
    write = extraction.files.write_bytes

    def fills_up(path, data):
        if path.endswith("h2.png"):
            raise UserError(f"{path}: cannot be written (No space left on device)")
        write(path, data)

    monkeypatch.setattr(extraction.files, "write_bytes", fills_up)
    settings = SETTINGS.model_copy(update={"skip_bad_sequences": skipping})
    with pytest.raises(UserError, match=r"h2\.png: cannot be written .No space left"):
        extract("photos", str(photos), str(tmp_path / "release"), settings)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_progress_is_told(tmp_path, photos):
    heard = []
    with listen(heard.append):
        extract("photos", str(photos), str(tmp_path / "release"), SETTINGS)
    told = [(event.done, event.total) for event in heard if event.label == "cutting patches"]
    assert told == [(n, 4) for n in range(5)]
