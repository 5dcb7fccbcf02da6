"""Names, counts and scenes of a patch release."""

import json

import cv2
import numpy as np
import pytest

from components.descriptor_evaluator.scoring import release
from tests.support.releases import COUNTS, make_release
from trainer.core.errors import UserError


@pytest.fixture
def root(tmp_path):
    return make_release(tmp_path / "release")


def strip(path, height, width=65, dtype=np.uint8, channels=()):
    cv2.imwrite(str(path), np.zeros((height, width, *channels), dtype))


def test_counts_come_from_the_headers(root):
    assert release.counts_of_release(root) == COUNTS
    assert list(release.counts_of_release(root)) == sorted(COUNTS)


def test_the_real_strip_counts_1123_patches(shared, tmp_path):
    (tmp_path / "v_x").mkdir()
    strip(tmp_path / "v_x" / "ref.png", 65 * 9)  # which is all that is needed
    assert release.counts_of_release(str(tmp_path)) == {"v_x": 9}
    (tmp_path / "v_x" / "ref.png").unlink()
    (tmp_path / "v_x" / "ref.png").symlink_to(shared / "hpatches" / "ref.png")
    assert release.counts_of_release(str(tmp_path)) == {"v_x": 1123}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: strip(path, 64), r"ref\.png: is 64 pixels high, expected a multiple"),
        (lambda path: strip(path, 65, 60), r"ref\.png: is 60 pixels wide, expected 65"),
        (lambda path: strip(path, 65, channels=(3,)), r"ref\.png: is an 8-bit RGB PNG"),
        (lambda path: strip(path, 65, dtype=np.uint16), r"ref\.png: is a 16-bit grey"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), r"ref\.png: is truncated"),
        (lambda path: path.unlink(), r"v_one: lacks ref\.png"),
        (lambda path: strip(path, 65 * 4), r"e1\.png: holds 5 patches, expected 4"),
    ],
)
def test_bad_strips_are_refused(tmp_path, make, message):
    root = make_release(tmp_path / "release")
    make(tmp_path / "release" / "v_one" / "ref.png")
    with pytest.raises(UserError, match=message):
        release.counts_of_release(root)


def test_a_folder_without_sequences_is_refused(tmp_path):
    with pytest.raises(UserError, match="no image sequence found"):
        release.counts_of_release(str(tmp_path))


def test_a_split_of_a_file_chooses_its_test_list(tmp_path):
    splits = tmp_path / "splits.json"
    splits.write_text(json.dumps({"x": {"name": "x", "test": ["v_b", "i_a"], "train": ["v_c"]}}))
    names = ["i_a", "v_b", "v_c"]
    assert release.choose_sequences(names, "x", str(splits), "data") == ["i_a", "v_b"]
    assert release.choose_sequences(names, None, None, "data") == names
    with pytest.raises(UserError, match=r"data: split 'x' of .*splits\.json tests on i_a"):
        release.choose_sequences(["v_b"], "x", str(splits), "data")
    with pytest.raises(UserError, match="no split 'y'"):
        release.choose_sequences(names, "y", str(splits), "data")
    with pytest.raises(UserError, match=r"split 'a' tests on .* and 37 more"):  # an official one
        release.choose_sequences(["v_wall"], "a", None, "data")


def test_scenes_and_contrast(root, tmp_path):
    (tmp_path / "release" / "scenes.csv").write_text("name,scene\nv_one,house\ni_two,house\n")
    infos = release.describe_sequences(root, ["v_one", "i_two", "v_three"], with_contrast=True)
    assert [(info.name, info.scene, info.kind) for info in infos] == [
        ("i_two", "house", "i"),
        ("v_one", "house", "v"),
        ("v_three", "v_three", "v"),
    ]
    assert [len(info.ref_contrast) for info in infos] == [7, 5, 6]
    plain = release.describe_sequences(root, ["v_one"], with_contrast=False)[0]
    assert plain.ref_contrast is None and plain.count == 5
