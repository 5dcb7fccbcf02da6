import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.example_gen.formats import sequences
from components.example_gen.formats.base import SequenceInput
from components.example_gen.geometry import detection, frames
from components.example_gen.geometry.patches import ImageSampler
from components.example_gen.settings import CutSettings, DataSettings
from tests.support.pictures import texture, write_sequence
from trainer.core.errors import UserError

STILL = CutSettings(jitter=0, offset=0)


def item(name="v_x"):
    return SequenceInput(name, name, "v", "sequences", ())


def settings(**changes):
    return DataSettings(format="sequences", **changes)


def check(folder):
    return sequences.check(folder.name, (str(folder),), folder.name)


@pytest.mark.parametrize("suffix", ["ppm", "pgm", "png", "jpg"])
def test_a_sequence_lists_its_images_then_its_homographies(tmp_path, suffix):
    folder = write_sequence(tmp_path / "v_x", suffix)
    (listed,) = check(folder)
    assert (listed.name, listed.scene, listed.kind) == ("v_x", "v_x", "v")
    assert [path.rsplit("/")[-1] for path in listed.files] == [
        *(f"{k}.{suffix}" for k in range(1, 7)),
        *(f"H_1_{k}" for k in range(2, 7)),
    ]


def test_oxfords_names_are_read_too(tmp_path):
    folder = write_sequence(tmp_path / "v_x")
    for k in range(1, 7):
        (folder / f"{k}.ppm").rename(folder / f"img{k}.ppm")
    for k in range(2, 7):
        (folder / f"H_1_{k}").rename(folder / f"H1to{k}p")
    assert [path.rsplit("/")[-1] for path in check(folder)[0].files] == [
        *(f"img{k}.ppm" for k in range(1, 7)),
        *(f"H1to{k}p" for k in range(2, 7)),
    ]


@pytest.mark.parametrize("name", ["H_ref_3", "H_1_3.txt", "h1to3P"])
def test_other_names_of_homographies_are_read_too(tmp_path, name):
    folder = write_sequence(tmp_path / "v_x")
    (folder / "H_1_3").rename(folder / name)
    assert check(folder)[0].files[7].endswith(f"v_x/{name}")


def test_images_beyond_the_sixth_are_left_out_and_named(tmp_path):
    folder = write_sequence(tmp_path / "v_x")
    assert sequences.left_out(str(tmp_path)) == []
    files = check(folder)[0].files
    for k in (7, 9):
        copy_of("2.ppm")(folder / f"{k}.ppm")
        (folder / f"H_1_{k}").write_text("1 0 0\n0 1 0\n0 0 1\n")
    assert check(folder)[0].files == files
    assert sequences.left_out(str(tmp_path)) == [
        "v_x: 7.ppm, 9.ppm left out, as a point has patches in the images 1 to 6 (HPatches)"
    ]


@pytest.mark.parametrize("count", [2, 4, 8])
def test_pairs_take_sequences_of_any_number_of_images(tmp_path, count):
    folder = write_sequence(tmp_path / "v_x")
    for k in range(2, 9):
        if k > count:
            for name in (f"{k}.ppm", f"H_1_{k}"):
                (folder / name).unlink(missing_ok=True)
        elif k > 6:
            copy_of("2.ppm")(folder / f"{k}.ppm")
            copy_of("H_1_2")(folder / f"H_1_{k}")
    (item,) = sequences.check_pairs("v_x", (str(folder),), "v_x")
    assert [path.rsplit("/")[-1] for path in item.files] == [
        *(f"{k}.ppm" for k in range(1, count + 1)),
        *(f"H_1_{k}" for k in range(2, count + 1)),
    ]
    (folder / "2.ppm").unlink()
    with pytest.raises(UserError, match="expected two images or more, numbered from 1"):
        sequences.check_pairs("v_x", (str(folder),), "v_x")


def test_the_layouts_that_people_have_give_the_same_patches(shared):
    """Commas in one, Oxford's names in the other; the images are the same."""
    cases = ("h-ref-comma/comma", "oxford-layout/seq")
    items = [check(shared / "cases" / case / "v_wall")[0] for case in cases]
    first, second = (sequences.load(item, settings(max_points=20)).patches for item in items)
    assert len(first) == 20
    np.testing.assert_array_equal(first, second)


def copy_of(name):
    return lambda path: path.write_bytes(path.with_name(name).read_bytes())


@pytest.mark.parametrize(
    ("name", "spoil", "sentence"),
    [
        ("4.ppm", Path.unlink, r"v_x: holds 5 images \(1\.ppm, 2\.ppm, 3\.ppm, 5"),
        ("1.ppm", Path.unlink, r"v_x: holds 5 images \(2\.ppm"),
        ("6.ppm", Path.unlink, r"expected at least the images 1 to 6, as a point .* --task pairs"),
        ("2.png", copy_of("2.ppm"), r"holds image 2 as 2\.png and 2\.ppm"),
        ("H1to3p", copy_of("H_1_3"), "holds the homography to image 3 as H1to3p and H_1_3"),
        ("H_1_5", Path.unlink, "H_1_5: is missing, expected a 3x3 homography"),
    ],
)
def test_files_that_do_not_make_a_sequence_are_refused(tmp_path, name, spoil, sentence):
    folder = write_sequence(tmp_path / "v_x")
    spoil(folder / name)
    with pytest.raises(UserError, match=sentence):
        check(folder)


def test_a_singular_homography_is_refused_before_any_image_is_read(tmp_path):
    folder = write_sequence(tmp_path / "v_x")
    (folder / "H_1_3").write_text("1 0 0\n1 0 0\n0 0 1\n")
    (folder / "1.ppm").write_text("no image")
    with pytest.raises(UserError, match="H_1_3: the matrix is singular"):
        check(folder)


def test_an_image_that_cannot_be_decoded_is_told_by_name(tmp_path):
    folder = write_sequence(tmp_path / "v_x")
    (folder / "3.ppm").write_text("no image")
    with pytest.raises(UserError, match=r"3\.ppm: cannot be decoded"):
        sequences.load(check(folder)[0], settings())


def test_without_jitter_a_shifted_target_gives_the_reference_patch(tmp_path):
    folder = write_sequence(tmp_path / "v_x")
    rules = settings(cut=STILL)
    cut = sequences.load(check(folder)[0], rules)
    assert cut.patches.shape == (len(cut), 16, 65, 65)
    assert cut.patches.dtype == np.uint8
    assert len(cut) > 30
    difference = cut.patches[:, 1:].astype(int) - cut.patches[:, :1]
    assert np.abs(difference).max() <= 3
    assert cut.patches[:, 0].std(axis=(1, 2)).mean() > 5


def test_patches_follow_a_strong_homography_of_either_sign():
    reference = cv2.GaussianBlur(texture(400, 320), (0, 0), 2)
    matrix = np.array([[0.9, 0.25, 10], [-0.15, 1.0, 60], [3e-4, 1e-4, 1]])
    target = cv2.warpPerspective(reference, matrix, (480, 480))
    rules = settings(max_points=60, cut=CutSettings(jitter=0, offset=0, min_sigma=4))
    both = [
        sequences.cut(item(), [reference] + [target] * 5, [sign * matrix] * 5, rules)
        for sign in (1, -1)
    ]
    np.testing.assert_array_equal(both[0].patches, both[1].patches)
    difference = both[0].patches[:, 1].astype(int) - both[0].patches[:, 0]
    assert np.abs(difference).mean() < 2


def test_each_position_names_the_region_that_was_cut():
    reference = texture(300, 240)
    cut = sequences.cut(item(), [reference] * 6, [np.eye(3)] * 5, settings(max_points=20))
    angles = detection.orientations(reference, cut.positions)
    squares = frames.from_detections(cut.positions, angles, 5.0)
    again = ImageSampler(reference).sample(squares)
    assert np.abs(cut.patches[:, 0].astype(int) - again).max() <= 1
    assert frames.inside(squares, 300, 240).all()


def test_noise_levels_and_targets_are_disturbed_apart():
    reference = texture(300, 240)
    cut = sequences.cut(item(), [reference] * 6, [np.eye(3)] * 5, settings(max_points=60))
    strips = cut.patches.reshape(len(cut), 16, -1).astype(np.float64)
    strips -= strips.mean(2, keepdims=True)
    strips /= np.linalg.norm(strips, axis=2, keepdims=True)
    likeness = (strips[:, :1] * strips[:, 1:]).sum(2).mean(0).reshape(3, 5)
    assert likeness[0].min() > likeness[1].max() > likeness[1].min() > likeness[2].max()
    pairs = (strips[0] @ strips[0].T)[np.triu_indices(16, 1)]
    assert (pairs < 0.9999).all()


def test_equal_seed_gives_equal_bytes_and_another_seed_does_not():
    pictures, matrices = [texture(300, 240)] * 6, [np.eye(3)] * 5
    first, again, other, renamed = (
        sequences.cut(item(name), pictures, matrices, settings(seed=seed, max_points=30))
        for name, seed in (("v_x", 1), ("v_x", 1), ("v_x", 2), ("v_y", 1))
    )
    assert first.patches.tobytes() == again.patches.tobytes()
    assert first.positions.tobytes() == again.positions.tobytes()
    assert first.statistics == again.statistics
    assert first.patches.tobytes() != other.patches.tobytes()
    assert first.patches.tobytes() != renamed.patches.tobytes()


def test_points_come_in_random_order():
    reference = texture(300, 240)
    cut = sequences.cut(item(), [reference] * 6, [np.eye(3)] * 5, settings())
    order = cut.positions[:, 1].argsort().argsort()
    assert abs(np.corrcoef(order, np.arange(len(cut)))[0, 1]) < 0.3


def test_homographies_are_taken_one_pixel_off_as_those_of_hpatches_were():
    reference = cv2.GaussianBlur(texture(400, 320), (0, 0), 2)
    matrix = np.diag([0.5, 0.5, 1.0])
    target = cv2.warpPerspective(reference, matrix, (200, 160))
    # x' = H (x - 1) + 1: both images are counted from 1.
    moved = matrix + np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    there, off, expected = (
        sequences.cut(item(), [reference] + [target] * 5, [each] * 5, settings(cut=rules)).patches
        for each, rules in (
            (matrix, STILL),
            (matrix, CutSettings(jitter=0)),
            (moved, STILL),
        )
    )
    np.testing.assert_array_equal(off, expected)
    assert there.shape != off.shape or (there != off).any()


def test_images_are_blurred_by_the_size_that_points_have_in_them():
    reference = cv2.GaussianBlur(texture(400, 320), (0, 0), 1)
    matrix = np.diag([0.5, 0.5, 1.0])
    target = cv2.warpPerspective(reference, matrix, (200, 160))
    square = np.array([[[40.0, 0, 200], [0, 40, 160], [0, 0, 1]]])  # sigma 8, in the target 4
    matched = dataclasses.replace(item(), as_matched=True)
    rules = settings(cut=STILL, extraction={"half_width": 5, "smoothing": 0.5})
    cut = sequences.cut(matched, [reference] + [target] * 5, [matrix] * 5, rules, square)
    for row, image, frame, sigma in ((0, reference, square, 8), (1, target, matrix @ square, 4)):
        blur = np.sqrt((0.5 * sigma) ** 2 - 0.5**2)
        smooth = cv2.GaussianBlur(image, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
        np.testing.assert_array_equal(cut.patches[0, row], ImageSampler(smooth).sample(frame)[0])


def test_frames_that_are_given_are_cut_in_their_order(tmp_path):
    folder = write_sequence(tmp_path / "v_x")
    rows = [(60, 50, 12, 0), (80, 60, 10, 90), ("", "", "", ""), (70, 55, 14.5, -30)]
    text = "\n".join(
        ",".join(map(str, row)) for row in [("x", "y", "half_width", "angle_deg"), *rows]
    )
    (folder / "frames.csv").write_text(text)
    (listed,) = check(folder)
    assert listed.files[-1].endswith("frames.csv")
    cut = sequences.load(listed, settings(cut=STILL))
    np.testing.assert_allclose(
        cut.positions, [(60, 50, 2.4), (80, 60, 2), (70, 55, 2.9)], rtol=1e-6
    )


def test_patches_of_train_are_cut_by_their_own_settings():
    rules = settings(training_cut={"jitter": 0.3})
    assert rules.of_split("train").cut == rules.training_cut
    assert (rules.training_cut.offset, rules.training_cut.min_sigma) == (0, 1)
    assert rules.of_split("val") == rules.of_split("eval") == rules


def test_the_limit_draws_from_all_points():
    pictures, matrices = [texture(300, 240)] * 6, [np.eye(3)] * 5
    whole = sequences.cut(item(), pictures, matrices, settings(max_points=None))
    few = sequences.cut(item(), pictures, matrices, settings(max_points=25))
    assert len(few) == 25 < len(whole)
    known = {tuple(row) for row in whole.positions}
    assert all(tuple(row) in known for row in few.positions)
    assert few.positions[:, 1].max() > 120 > few.positions[:, 1].min()


def test_points_whose_disturbed_region_leaves_a_target_are_dropped():
    reference = texture(300, 240)
    narrow = reference[:, :150]
    targets = [reference, reference, narrow, reference, reference]
    cut = sequences.cut(item(), [reference, *targets], [np.eye(3)] * 5, settings(max_points=None))
    half_width = 5 * cut.positions[:, 2]
    assert (cut.positions[:, 0] + half_width * 0.6 < 149).all()


@pytest.mark.parametrize(
    ("picture", "shift", "sentence"),
    [
        (np.full((100, 100), 7, np.uint8), 0, "v_x: none of 0 points stays"),
        (texture(), 5000, r"none of \d+ points stays inside all 6 images"),  # something else
    ],
)
def test_a_sequence_without_a_point_is_refused(picture, shift, sentence):
    moved = np.array([[1.0, 0, shift], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(UserError, match=sentence):
        sequences.cut(item(), [picture] * 6, [moved] * 5, settings())
