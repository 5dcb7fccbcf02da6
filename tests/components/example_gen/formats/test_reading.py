import os

import cv2
import numpy as np
import pytest

from components.example_gen.formats import layouts, reading
from components.example_gen.registry import FORMATS
from components.example_gen.settings import DataSettings
from tests.support.pictures import texture, write_sequence, write_strips
from trainer.core.errors import UserError

STRICT = DataSettings()
LENIENT = DataSettings(skip_bad_sequences=True)


def test_image_sequences_are_listed_by_name(tmp_path):
    for name in ("v_b", "i_a", "other"):
        write_strips(tmp_path / name)
    (tmp_path / "README").write_text("")
    inputs, skipped = reading.list_sequences("strips", str(tmp_path), STRICT)
    assert [(item.name, item.kind, item.scene) for item in inputs] == [
        ("i_a", "i", "i_a"),
        ("other", "u", "other"),
        ("v_b", "v", "v_b"),
    ]
    assert skipped == []


def test_the_six_real_sequences_are_listed(shared):
    inputs, _ = reading.list_sequences("sequences", str(shared / "sequences"), STRICT)
    assert [item.name for item in inputs] == [
        "i_leuven", "i_trees", "i_ubc", "v_bark", "v_graffiti", "v_wall",
    ]  # fmt: skip


def test_the_table_of_scenes_is_read(tmp_path):
    for name in ("left", "right"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), texture())
    (tmp_path / "scenes.csv").write_text("name,scene\nleft,bike\nright,bike\ngone,x\n")
    inputs, _ = reading.list_sequences("photos", str(tmp_path), STRICT)
    assert [(item.name, item.scene) for item in inputs] == [
        ("i_left", "bike"), ("i_right", "bike"), ("v_left", "bike"), ("v_right", "bike"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the first line is 'nothing'"),
        ("file,scene\na,b\n", "the first line is 'file,scene'"),
        ("name,scene\na\n", "row 2 is 'a'"),
        ("name,scene\na,\n", "row 2 is 'a,'"),
        ("name,scene\na,x\na,y\n", "row 3 gives a a second scene"),
    ],
)
def test_a_bad_table_of_scenes_is_refused(tmp_path, text, sentence):
    write_strips(tmp_path / "a")
    (tmp_path / "scenes.csv").write_text(text)
    with pytest.raises(UserError, match=sentence):
        reading.list_sequences("strips", str(tmp_path), STRICT)
    (tmp_path / "scenes.csv").rename(tmp_path / "sources.csv")
    with pytest.raises(UserError, match=r"sources\.csv: this file is called scenes\.csv now"):
        reading.list_sequences("strips", str(tmp_path), STRICT)


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_without_sequences_is_refused(tmp_path, name):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"found nothing to read; expected .*(folder|photographs)"):
        reading.list_sequences(name, str(tmp_path), STRICT)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="found nothing, expected a folder"):
        reading.list_sequences("strips", str(tmp_path / "gone"), STRICT)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="found a file, expected a folder"):
        reading.list_sequences("strips", str(tmp_path / "file"), STRICT)


def test_bad_sequences_are_skipped_with_their_reason(tmp_path):
    for name in ("i_a", "i_b", "i_c", "i_d"):
        write_strips(tmp_path / name)
    (tmp_path / "i_b" / "e1.png").unlink()
    whole = (tmp_path / "i_c" / "t5.png").read_bytes()
    (tmp_path / "i_c" / "t5.png").write_bytes(whole[:-20])
    inputs, skipped = reading.list_sequences("strips", str(tmp_path), LENIENT)
    assert [item.name for item in inputs] == ["i_a", "i_d"]
    assert [item.name for item in skipped] == ["i_b", "i_c"]
    assert "lacks e1.png" in skipped[0].reason
    assert "t5.png: is truncated" in skipped[1].reason


def test_a_reason_does_not_repeat_the_sequences_name():
    for sentence in ("v_a: the homography does not fit", "the homography does not fit"):
        skipped = reading.Skipped.of("v_a", UserError(sentence))
        assert skipped == ("v_a", "the homography does not fit")


def test_bad_images_and_photographs_are_skipped_too(tmp_path):
    for name in ("v_a", "v_b"):
        write_sequence(tmp_path / "sequences" / name)
    (tmp_path / "sequences" / "v_b" / "5.ppm").write_text("no image")
    inputs, skipped = reading.list_sequences("sequences", str(tmp_path / "sequences"), LENIENT)
    assert ([item.name for item in inputs], skipped[0].name) == (["v_a"], "v_b")
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "b.png", "c.png", "c.jpg"):
        cv2.imwrite(str(photos / name), texture())
    (photos / "b.png").write_text("no image")
    inputs, skipped = reading.list_sequences("photos", str(photos), LENIENT)
    assert [item.name for item in inputs] == ["i_a", "v_a"]
    assert [item.name for item in skipped] == ["b", "c"]


def test_nothing_left_after_skipping_is_refused(tmp_path):
    (tmp_path / "v_b").mkdir()
    with pytest.raises(UserError, match=r"v_b: lacks ref\.png, e1\.png"):
        reading.list_sequences("strips", str(tmp_path), STRICT)
    with pytest.raises(UserError, match="every image sequence is bad"):
        reading.list_sequences("strips", str(tmp_path), LENIENT)


def test_patches_do_not_depend_on_the_order_of_loading(tmp_path):
    for number, name in enumerate(("v_a", "v_b")):
        write_sequence(tmp_path / name, seed=number)
    settings = DataSettings(format="sequences", max_points=10)
    inputs, _ = reading.list_sequences("sequences", str(tmp_path), settings)
    forward = {item.name: reading.load_sequence(item, settings) for item in inputs}
    backward = {item.name: reading.load_sequence(item, settings) for item in inputs[::-1]}
    for name, patch_set in forward.items():
        np.testing.assert_array_equal(patch_set.patches, backward[name].patches)
    assert not np.array_equal(forward["v_a"].patches, forward["v_b"].patches)


def test_remote_folders_are_read_and_written_like_local_ones(tmp_path):
    from components.core import files
    from components.example_gen.formats import strips

    local = strips.load(strips.check("v_x", (str(write_strips(tmp_path / "v_x")),), "v_x")[0])
    strips.write_release(local, "ram://release")
    files.write_bytes("ram://release/scenes.csv", b"name,scene\nv_x,street\n")
    inputs, _ = reading.list_sequences("strips", "ram://release", STRICT)
    assert [(item.name, item.scene) for item in inputs] == [("v_x", "street")]
    np.testing.assert_array_equal(reading.load_sequence(inputs[0], STRICT).patches, local.patches)
    with pytest.raises(UserError, match=r"ram://release/v_x/gone\.png: cannot be read"):
        files.read_bytes("ram://release/v_x/gone.png")


def _folder_of(format, root):
    for number in range(2):
        if format == "photos":
            root.mkdir(exist_ok=True)
            cv2.imwrite(str(root / f"{number}.png"), texture(seed=number))
        else:
            write = {"strips": write_strips, "sequences": write_sequence}[format]
            write(root / f"v_{number}")
    return str(root)


@pytest.mark.parametrize("held", FORMATS)
@pytest.mark.parametrize("expected", FORMATS)
def test_a_folder_of_another_format_is_recognised_and_named(tmp_path, held, expected):
    root = _folder_of(held, tmp_path / "data")
    if held == expected:
        assert layouts.recognise(root) == held
        assert reading.list_sequences(held, root, STRICT)[0]
        return
    with pytest.raises(UserError) as told:
        reading.list_sequences(expected, root, STRICT)
    assert f"{root}: holds {reading.get(held).title} (--format {held}), expected" in str(told.value)
    cut = "`hpatches extract" in str(told.value)
    assert cut == (expected == "strips")


@pytest.mark.parametrize("held", ["strips", "sequences"])
@pytest.mark.parametrize("expected", FORMATS)
def test_an_image_sequence_itself_is_not_taken_for_many(tmp_path, held, expected):
    root = _folder_of(held, tmp_path / "data")
    with pytest.raises(UserError, match=r"v_0: is itself an image sequence.*give the folder above"):
        reading.list_sequences(expected, f"{root}/v_0", STRICT)


def test_a_bad_sequence_of_the_right_format_is_told_as_before(tmp_path):
    root = _folder_of("sequences", tmp_path / "data")
    (tmp_path / "data" / "v_1" / "H_1_3").unlink()
    with pytest.raises(UserError, match=r"v_1/H_1_3: is missing"):
        reading.list_sequences("sequences", root, STRICT)


@pytest.mark.parametrize("format", FORMATS)
def test_what_archives_and_file_managers_leave_is_passed_over(tmp_path, format):
    root = tmp_path / "data"
    _folder_of(format, root)
    expected = reading.survey(format, str(root), STRICT)
    for folder in (root, *(path for path in root.iterdir() if path.is_dir())):
        for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._1.ppm", "._ref.png", "._0.png"):
            (folder / name).write_bytes(b"\x00\x05\x16\x07")
        (folder / "__MACOSX" / "v_0").mkdir(parents=True)
        (folder / "__MACOSX" / "v_0" / "._1.ppm").write_bytes(b"\x00\x05\x16\x07")
    assert reading.survey(format, str(root), STRICT) == expected


@pytest.mark.parametrize("name", [b"a\x1b[31m.png", b"\xff.png", b"a\n.png"])
def test_a_name_that_cannot_be_shown_is_refused_escaped(tmp_path, name):
    (tmp_path / os.fsdecode(name)).touch()
    with pytest.raises(UserError, match="rename it"):
        reading.list_sequences("photos", str(tmp_path), DataSettings(format="photos"))
