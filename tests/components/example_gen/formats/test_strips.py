from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.example_gen.formats import strips
from components.example_gen.formats.base import PatchSet
from tests.support.pictures import write_strips
from trainer.core.errors import UserError
from trainer.core.variants import VARIANTS


@pytest.fixture
def patch_set():
    rng = np.random.default_rng(0)
    return PatchSet(
        name="v_x",
        scene="street",
        kind="v",
        patches=rng.integers(0, 256, (4, 16, 65, 65), np.uint8),
        positions=rng.uniform(1, 500, (4, 3)).astype(np.float32),
    )


def read(folder, scene="x"):
    (item,) = strips.check(folder.name, (str(folder),), scene)
    return strips.load(item)


def test_what_is_written_reads_back_equal(tmp_path, patch_set):
    folder = strips.write_release(patch_set, str(tmp_path))
    assert folder == str(tmp_path / "v_x")
    back = read(tmp_path / "v_x", "street")
    np.testing.assert_array_equal(back.patches, patch_set.patches)
    np.testing.assert_allclose(back.positions, patch_set.positions, atol=6e-4)
    assert (back.name, back.scene, back.kind) == ("v_x", "street", "v")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v_x"]
    with pytest.raises(UserError, match="v_x: found a folder that is not empty"):
        strips.write_release(patch_set, str(tmp_path))


def test_other_tools_find_sixteen_grey_strips(tmp_path, patch_set):
    strips.write_release(patch_set, str(tmp_path))
    assert len(list((tmp_path / "v_x").glob("*.png"))) == 16
    for number, variant in enumerate(VARIANTS):
        with Image.open(tmp_path / "v_x" / f"{variant}.png") as image:
            assert (image.mode, image.size) == ("L", (65, 4 * 65))
            block = np.asarray(image)[2 * 65 : 3 * 65]
        np.testing.assert_array_equal(block, patch_set.patches[2, number])


def test_a_release_of_others_has_no_positions(tmp_path):
    back = read(write_strips(tmp_path / "i_x"))
    assert back.patches.shape == (3, 16, 65, 65)
    assert not back.positions.any()


def test_nothing_half_written_stays(tmp_path, patch_set, monkeypatch):
    def full(path, data):
        raise UserError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr(strips.files, "write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        strips.write_release(patch_set, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_no_hindrance(tmp_path, patch_set):
    (tmp_path / ".v_x.partial").mkdir()
    (tmp_path / ".v_x.partial" / "ref.png").write_text("half")
    assert strips.find(str(tmp_path)) == {}
    strips.write_release(patch_set, str(tmp_path))
    assert list(strips.find(str(tmp_path))) == ["v_x"]
    assert not (tmp_path / ".v_x.partial").exists()


def lengthen(path):
    strip = np.asarray(Image.open(path))
    Image.fromarray(np.concatenate([strip, strip[:65]])).save(path)


@pytest.mark.parametrize(
    ("name", "spoil", "sentence"),
    [
        ("h3.png", Path.unlink, r"v_x: lacks h3\.png, expected the 16 strips"),
        ("e6.png", Path.touch, r"v_x: holds e6\.png beside the 16 strips"),
        ("t2.png", lengthen, r"t2\.png: holds 4 patches, expected 3 as in ref\.png"),
    ],
)
def test_strips_that_do_not_go_together_are_refused(tmp_path, name, spoil, sentence):
    folder = write_strips(tmp_path / "v_x")
    spoil(folder / name)
    with pytest.raises(UserError, match=sentence):
        strips.check("v_x", (str(folder),), "x")


def test_files_that_are_no_strips_do_no_harm(tmp_path):
    folder = write_strips(tmp_path / "v_x")
    (folder / "notes.txt").write_text("")
    (folder / "._ref.png").write_text("")
    assert len(read(folder)) == 3


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3\n", "x,y,sigma\n1,2,3\n", "x,y,sigma\n1,2\n"])
def test_positions_of_another_shape_are_refused(tmp_path, text):
    folder = write_strips(tmp_path / "v_x")
    (folder / "positions.csv").write_text(text)
    with pytest.raises(UserError, match=r"positions\.csv"):
        read(folder)


def test_a_sequence_given_for_a_release_is_told(tmp_path):
    folder = write_strips(tmp_path / "v_x")
    with pytest.raises(UserError, match="is itself an image sequence"):
        strips.find(str(folder))


def test_a_patch_set_yields_its_records_in_order(patch_set):
    records = list(patch_set.records())
    assert [record.index for record in records] == [0, 1, 2, 3]
    assert {(r.sequence, r.scene, r.kind) for r in records} == {("v_x", "street", "v")}
    np.testing.assert_array_equal(records[2].patches, patch_set.patches[2])
    np.testing.assert_array_equal(records[2].position, patch_set.positions[2])
