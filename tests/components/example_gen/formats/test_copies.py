import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from components.example_gen.formats import copies, demo_photographs, reading
from components.example_gen.formats.base import SequenceInput
from components.example_gen.settings import DataSettings
from tests.support.pictures import texture, write_sequence, write_strips

SETTINGS = DataSettings()


def survey(format, root, tested=()):
    return reading.survey(format, str(root), SETTINGS, tested)


def scenes(format, root):
    return {item.name.partition("_")[2]: item.scene for item in survey(format, root).inputs}


@pytest.fixture
def photos(tmp_path):
    """Three photographs."""
    for number, name in enumerate(("hall", "lake", "moon")):
        picture = cv2.cvtColor(texture(400, 320, seed=number), cv2.COLOR_GRAY2BGR)
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    return tmp_path


def _rewritten(suffix, **options):
    def write(path):
        with Image.open(path) as image:
            image.convert("RGB").save(path.with_name(f"copy{suffix}"), **options)

    return write


def _resized(width, height):
    def write(path):
        with Image.open(path) as image:
            image.resize((width, height)).save(path.with_name("copy.png"))

    return write


def _turned_with_a_tag(path):
    with Image.open(path) as image:
        exif = Image.Exif()
        exif[0x0112] = 6
        image.rotate(90, expand=True).save(path.with_name("copy.jpg"), exif=exif)


@pytest.mark.parametrize(
    "copy",
    [
        lambda path: shutil.copy(path, path.with_name("copy.png")),
        lambda path: path.with_name("copy.png").symlink_to(path),
        lambda path: path.with_name("copy.png").symlink_to(path.name),
        _rewritten(".jpg", quality=40),
        _rewritten(".bmp"),
        _rewritten(".webp", quality=40),
        _rewritten(".tiff"),
        _rewritten(".ppm"),
        _resized(200, 160),
        _resized(133, 106),
        _resized(900, 720),
        _turned_with_a_tag,
    ],
    ids=[
        "same",
        "link",
        "relative link",
        "jpg",
        "bmp",
        "webp",
        "tiff",
        "ppm",
        "half",
        "third",
        "larger",
        "turned",
    ],
)
def test_copies_of_a_photograph_are_one_scene(photos, copy):
    copy(photos / "hall.png")
    found = survey("photos", photos)
    (name,) = [path.name for path in photos.iterdir() if path.stem == "copy"]
    assert {item.scene for item in found.inputs if item.name.endswith(("copy", "hall"))} == {"copy"}
    assert {item.scene for item in found.inputs} == {"copy", "lake", "moon"}
    assert found.remarks == [
        "copies of one picture count as one scene, so that they stay on one side of the split: "
        f"{name} = hall.png"
    ]


def test_scenes_of_the_table_are_joined_by_copies(photos):
    (photos / "scenes.csv").write_text("name,scene\nlake,far\nmoon,far\ncopy,near\nhall,near\n")
    assert survey("photos", photos).remarks == []  # `copy` is not there
    shutil.copy(photos / "lake.png", photos / "copy.png")
    found = survey("photos", photos)
    assert {item.scene for item in found.inputs} == {"far"}
    assert "copy.png = hall.png = lake.png = moon.png" in found.remarks[0]


def test_sequences_with_one_reference_image_are_one_scene(tmp_path):
    for name, seed in (("i_a", 1), ("v_a", 1), ("v_b", 2)):
        write_sequence(tmp_path / "sequences" / name, seed=seed)
        write_strips(tmp_path / "strips" / name, seed=seed)
    for format, first in (("sequences", "1.ppm"), ("strips", "ref.png")):
        found = survey(format, tmp_path / format)
        assert [item.scene for item in found.inputs] == ["i_a", "i_a", "v_b"]
        assert found.remarks[0].endswith(f"split: i_a/{first} = v_a/{first}")


def test_a_published_split_is_taken_as_it_is(tmp_path):
    for name in ("i_a", "i_b", "i_c"):
        write_strips(tmp_path / name, seed=1)
    found = survey("strips", tmp_path, tested=["i_b"])
    assert [item.scene for item in found.inputs] == ["i_a", "i_b", "i_a"]
    assert found.remarks[1] == (
        "copies of one picture are trained on and tested on, as the published split has it: "
        "i_a/ref.png = i_b/ref.png; i_b/ref.png = i_c/ref.png"
    )


def test_pictures_without_content_are_no_copies(tmp_path):
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((200, 300), 90, np.uint8))
    assert survey("photos", tmp_path).remarks == []


def test_many_groups_are_told_in_short(tmp_path):
    for number in range(7):
        for side in "ab":
            picture = texture(120, 100, seed=number)
            cv2.imwrite(str(tmp_path / f"{number}{side}.png"), picture)
    (remark,) = survey("photos", tmp_path).remarks
    assert remark.endswith("4a.png = 4b.png; and 2 more")


def test_photographs_of_different_things_stay_apart(tmp_path):
    found = survey("photos", demo_photographs.materialise(tmp_path))
    assert found.remarks == []
    assert len({item.scene for item in found.inputs}) == 17  # a stereo pair is in the table


def test_views_of_one_place_stay_apart(shared):
    found = survey("photos", shared / "scene" / "images")
    assert (len({item.scene for item in found.inputs}), found.remarks) == (11, [])
    found = survey("sequences", shared / "sequences")
    assert (len({item.scene for item in found.inputs}), found.remarks) == (6, [])


def test_every_photograph_twice_is_half_as_many_scenes(shared):
    assert set(scenes("photos", shared / "cases" / "duplicate-photos" / "photos").values()) == {
        "i_leuven", "i_trees", "i_ubc", "v_bark", "v_graffiti", "v_wall",
    }  # fmt: skip


def test_thumbnails_of_copies_of_real_photographs_correlate(tmp_path):
    """The margin between copies and others is as the threshold needs it."""
    folder = demo_photographs.materialise(tmp_path)
    inputs = [item for item in survey("photos", folder).inputs if item.kind == "v"]
    vectors = []
    for item in inputs:
        picture = cv2.imread(item.files[0], cv2.IMREAD_GRAYSCALE)
        height, width = picture.shape
        smaller = cv2.resize(picture, (width // 3, height // 3), interpolation=cv2.INTER_AREA)
        path = tmp_path / "smaller.jpg"
        cv2.imwrite(str(path), smaller, [cv2.IMWRITE_JPEG_QUALITY, 50])
        copy = SequenceInput(item.name, item.scene, "v", "photos", (str(path),))
        vectors.append((copies.thumbnail(item), copies.thumbnail(copy)))
    originals, small = map(np.stack, zip(*vectors, strict=True))
    table = originals @ small.T
    assert np.diag(table).min() > 0.95
    assert table[~np.eye(len(table), dtype=bool)].max() < 0.6
