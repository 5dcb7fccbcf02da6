import dataclasses
import math

import cv2
import numpy as np
import pytest
from scipy.integrate import trapezoid

from components.example_gen.formats import demo_photographs, images, photographs
from components.example_gen.formats.base import SequenceInput
from components.example_gen.geometry import detection, homography
from components.example_gen.settings import DataSettings, PhotographSettings
from components.matching import points
from tests.support.pictures import texture
from trainer.core.errors import UserError

CLEAR = photographs.Light((0, 0), (0, 0), 0, 0, 0, shading=0, jpeg=(100, 100))


def sequence(name):
    return SequenceInput(name, "x", name[0], "photos", ("x.png",))


@pytest.fixture
def clear_light(monkeypatch):
    monkeypatch.setattr(photographs, "LIGHT", dict.fromkeys("iv", CLEAR))


def test_a_photograph_becomes_an_i_and_a_v_sequence(tmp_path):
    cv2.imwrite(str(tmp_path / "house.png"), texture())
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".hidden.png").write_text("")
    listed = photographs.find(str(tmp_path))
    assert list(listed) == ["house"]
    both = photographs.check("house", listed["house"], "street")
    assert [(each.name, each.kind, each.scene) for each in both] == [
        ("i_house", "i", "street"),
        ("v_house", "v", "street"),
    ]


def test_two_photographs_of_one_stem_are_refused(tmp_path):
    for name in ("a.png", "a.jpg"):
        cv2.imwrite(str(tmp_path / name), texture())
    listed = photographs.find(str(tmp_path))
    with pytest.raises(UserError, match=r"a\.jpg and a\.png would make two sequences of one name"):
        photographs.check("a", listed["a"], "a")


def test_a_small_photograph_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), texture(300, 120))
    (first, _) = photographs.check("a", (str(tmp_path / "a.png"),), "a")
    with pytest.raises(UserError, match=r"is 300x120 pixels, expected at least 130"):
        photographs.load(first, DataSettings())


def test_references_are_shrunk_twice_and_further_when_large():
    rules = PhotographSettings(max_side=800)
    assert photographs.shrinkage((400, 600), rules) == 2
    assert photographs.shrinkage((3000, 4000), rules) == 5


def test_an_unmoved_target_is_the_shrunk_photograph():
    photograph = cv2.GaussianBlur(texture(600, 450), (0, 0), 2)
    for size in ((200, 150), (240, 180)):
        shrunk = cv2.resize(photograph, size, interpolation=cv2.INTER_AREA)
        same = photographs.render(photograph, np.eye(3), size, size)
        assert np.abs(same.astype(int) - shrunk)[3:-3, 3:-3].mean() < 0.5
        half_turn = np.array([[-1.0, 0, size[0] - 1], [0, -1, size[1] - 1], [0, 0, 1]])
        turned = photographs.render(photograph, half_turn, size, size)[::-1, ::-1]
        assert np.abs(turned.astype(int) - shrunk)[3:-3, 3:-3].mean() < 0.5


@pytest.mark.parametrize("kind", ["i", "v"])
def test_the_homographies_are_those_of_the_images(kind, clear_light):
    photograph = cv2.GaussianBlur(texture(600, 480), (0, 0), 4)
    pictures, matrices = photographs.make_sequence(
        sequence(f"{kind}_x"), photograph, DataSettings()
    )
    reference = pictures[0]
    assert reference.shape == (240, 300)
    for picture, matrix in zip(pictures[1:], matrices, strict=True):
        back = cv2.warpPerspective(picture, np.linalg.inv(matrix), (300, 240))
        difference = np.abs(back.astype(int) - reference)[10:-10, 10:-10]
        wrong = np.abs(np.roll(back, 3, 1).astype(int) - reference)[10:-10, 10:-10]
        assert difference.mean() < 4
        assert difference.mean() < wrong.mean() / 2


def test_a_target_that_is_closer_shows_detail_the_reference_has_lost():
    checkers = (np.indices((400, 400)).sum(0) // 2 % 2 * 255).astype(np.uint8)
    reference = cv2.resize(checkers, (100, 100), interpolation=cv2.INTER_AREA)
    matrix, size = homography.fit(np.diag([3.0, 3, 1]), 100, 100)
    target = photographs.render(checkers, matrix, (100, 100), size)
    assert reference.std() < 5
    assert target.std() > 50


def test_every_image_gets_its_own_noise():
    flat = np.full((200, 260), 128, np.uint8)
    settings = DataSettings()
    pictures, _ = photographs.make_sequence(sequence("i_x"), flat, settings)
    for picture in pictures:
        assert picture.std() > 0.5
    residue = [p[20:80, 20:100] - cv2.GaussianBlur(p, (0, 0), 3)[20:80, 20:100] for p in
               (each.astype(np.float32) for each in pictures)]  # fmt: skip
    likeness = np.corrcoef([r.ravel() for r in residue])
    assert np.abs(likeness - np.eye(6)).max() < 0.3


def test_light_changes_more_in_i_than_in_v():
    photograph = texture(400, 300)
    spread = {}
    for kind in "iv":
        means = []
        for number in range(8):
            pictures, _ = photographs.make_sequence(
                sequence(f"{kind}_{number}"), photograph, DataSettings()
            )
            means += [np.median(picture) for picture in pictures[1:]]
        spread[kind] = np.std(means)
    assert spread["i"] > 1.5 * spread["v"]


def test_homographies_are_as_strong_as_real_ones():
    """The real ones reach axis ratios of 2.35 and 3.65, scales of 0.25 to 1."""
    rng = np.random.default_rng(0)
    rules = PhotographSettings()
    ratio, scale = {}, {}
    centre = np.array([[149.5, 119.5]])
    for target in range(1, 6):
        drawn = [photographs.draw_viewpoint(300, 240, target / 5, rules, rng) for _ in range(200)]
        values = np.array(
            [np.linalg.svd(homography.jacobian(m, centre)[0], compute_uv=False) for m in drawn]
        )
        ratio[target] = values[:, 0] / values[:, 1]
        scale[target] = np.sqrt(values.prod(1))
    assert np.median(ratio[1]) < 1.1
    assert 1.2 < np.median(ratio[5]) < 2.4
    assert 2.3 < ratio[5].max() < 1 / math.cos(math.radians(70)) + 0.01
    assert 0.2 < scale[5].min() < 0.4
    assert 0.9 < scale[5].max() < 1.3


def test_what_is_trained_on_is_made_at_several_sizes(tmp_path, clear_light):
    rules = {"photographs": {"training_sizes": [1, 1.5, 2]}}
    item = sequence("v_house")
    made = photographs.for_training(item, DataSettings.model_validate(rules))
    assert [(one.name, one.size) for one in made] == [
        ("v_house", 1.0),
        ("v_house_1.5x", 1.5),
        ("v_house_2x", 2.0),
    ]
    assert {(one.scene, one.kind, one.files) for one in made} == {("x", "v", ("x.png",))}
    assert [one.as_matched for one in made] == [False, True, True]
    photograph = cv2.GaussianBlur(texture(600, 480), (0, 0), 4)
    shapes = [
        photographs.make_sequence(one, photograph, DataSettings())[0][0].shape for one in made
    ]
    assert shapes == [(240, 300), (360, 450), (480, 600)]
    pictures, matrices = photographs.make_sequence(made[2], photograph, DataSettings())
    back = cv2.warpPerspective(pictures[3], np.linalg.inv(matrices[2]), (600, 480))
    assert np.abs(back.astype(int) - pictures[0])[20:-20, 20:-20].mean() < 4


def test_further_sizes_are_cut_as_photographs_that_are_matched(tmp_path, clear_light, monkeypatch):
    monkeypatch.setattr(photographs, "_OCCLUDED", 0.0)
    path = str(tmp_path / "a.png")
    cv2.imwrite(path, texture(600, 480))
    item = dataclasses.replace(sequence("v_a"), files=(path,), size=2.0, as_matched=True)
    rules = DataSettings.model_validate(
        {"max_points": 40, "cut": {"jitter": 0}, "extraction": {"region": 8, "smoothing": 1}}
    )
    made = photographs.load(item, rules)
    pictures, _ = photographs.make_sequence(item, images.read_grey(path), rules)
    angles = detection.orientations(pictures[0], made.positions)
    one = points.Keypoints(made.positions, angles, np.ones(len(made.positions)))
    expected = points.cut(pictures[0], one, region=8, smoothing=1)
    off = np.abs(made.patches[:, 0].astype(int) - expected)
    assert off.mean() < 1
    sharp = np.abs(made.patches[:, 0].astype(int) - points.cut(pictures[0], one, region=8))
    assert sharp.mean() > 5 * off.mean()


@pytest.mark.parametrize(("as_matched", "jitter", "region"), [(False, 0.5, 5), (True, 0.7, 8)])
def test_further_sizes_are_displaced_more(tmp_path, monkeypatch, as_matched, jitter, region):
    path = str(tmp_path / "a.png")
    cv2.imwrite(path, texture(400, 320))
    given, cut = [], photographs.sequences.cut

    def noted(*all_, **others):
        given.append(all_[3])
        return cut(*all_, **others)

    monkeypatch.setattr(photographs.sequences, "cut", noted)
    rules = DataSettings.model_validate(
        {"max_points": 5, "cut": {"jitter": 0.5}, "extraction": {"region": 8}}
    )
    item = dataclasses.replace(sequence("v_a"), files=(path,), as_matched=as_matched)
    photographs.load(item, rules)
    assert given[0].cut.jitter == pytest.approx(jitter)
    assert given[0].extraction.half_width == region


@pytest.mark.parametrize(("as_matched", "covered"), [(False, 0), (True, 0.65)])
def test_something_else_reaches_into_patches_of_further_sizes(
    tmp_path, monkeypatch, as_matched, covered
):
    path = str(tmp_path / "a.png")
    cv2.imwrite(path, texture(600, 480))
    item = dataclasses.replace(sequence("v_a"), files=(path,), as_matched=as_matched)
    rules = DataSettings(max_points=100)
    made = photographs.load(item, rules).patches
    monkeypatch.setattr(photographs, "_OCCLUDED", 0.0)
    changed = (made != photographs.load(item, rules).patches).any((2, 3))
    assert changed.mean() == pytest.approx(0.97 * covered, abs=0.05)
    assert changed[:, 0].any() == bool(covered)


def test_a_small_photograph_may_do_at_a_larger_size(tmp_path):
    path = str(tmp_path / "a.png")
    cv2.imwrite(path, texture(125, 120))
    item = dataclasses.replace(sequence("v_a"), files=(path,))
    with pytest.raises(UserError, match="is 125x120 pixels, expected at least 130"):
        photographs.load(item, DataSettings())
    assert len(photographs.load(dataclasses.replace(item, size=2.0), DataSettings(max_points=9)))


def test_equal_seed_gives_equal_bytes(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), texture(400, 320))
    (item, _) = photographs.check("a", (str(tmp_path / "a.png"),), "a")
    first, again, other = (
        photographs.load(item, DataSettings(seed=seed, max_points=20)) for seed in (3, 3, 4)
    )
    assert first.patches.tobytes() == again.patches.tobytes()
    assert first.patches.tobytes() != other.patches.tobytes()


def test_patches_never_reach_beyond_the_photograph(tmp_path, monkeypatch, clear_light):
    """What lies beyond is painted white, which would show in patches."""
    photograph = np.clip(texture(500, 400), 0, 180)
    cv2.imwrite(str(tmp_path / "x.png"), photograph)
    settings = DataSettings(cut={"offset": 0})
    pictures, matrices = photographs.make_sequence(sequence("v_x"), photograph, settings)
    for k, matrix in enumerate(matrices, start=1):
        inside = cv2.warpPerspective(
            np.ones((200, 250), np.uint8), matrix, pictures[k].shape[::-1], flags=cv2.INTER_NEAREST
        )
        pictures[k][cv2.erode(inside, np.ones((3, 3))) == 0] = 255
    monkeypatch.setattr(photographs, "make_sequence", lambda *_: (pictures, matrices))
    cut = photographs.load(photographs.check("x", (str(tmp_path / "x.png"),), "x")[1], settings)
    reaching = (cut.patches[:, 1:] > 230).mean(axis=(2, 3))
    assert len(cut) > 50
    assert reaching.max() < 0.05


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return demo_photographs.materialise(tmp_path_factory.mktemp("demo"))


def test_a_photograph_of_512_pixels_gives_many_points(demo):
    for item in photographs.check("astronaut", (str(demo / "astronaut.png"),), "astronaut"):
        assert len(photographs.load(item, DataSettings(max_points=None))) > 300
    for item in photographs.check("camera", (str(demo / "camera.png"),), "camera"):
        assert len(photographs.load(item, DataSettings(max_points=None))) > 100


@pytest.mark.slow
def test_generated_patches_are_as_hard_for_rootsift_as_real_ones(demo):
    """RootSIFT's matching mAP on easy patches: 35 to 65 per cent."""
    scores = []
    for stem in ("coffee.png", "retina.jpg", "chelsea.png", "cell.png"):
        for item in photographs.check(stem[:-4], (str(demo / stem),), stem):
            patches = photographs.load(item, DataSettings(max_points=80)).patches
            scores.append(matching_ap(patches[:, [0, 1, 3, 5, 11, 13, 15]]))
    easy, tough = np.mean(scores, axis=0).reshape(2, 3).mean(1)
    assert 0.35 < easy < 0.65
    assert 0.05 < tough < 0.25


def matching_ap(patches):
    """AP of nearest neighbours to the first variant, ranked by distance, by the trapezoid."""
    count, variants = patches.shape[:2]
    describe = cv2.SIFT.create().compute
    keypoint = [cv2.KeyPoint(32, 32, 65 / 6, 0)]
    described = np.array([describe(p, keypoint)[1][0] for p in patches.reshape(-1, 65, 65)])
    total = np.maximum(described.sum(1, keepdims=True), 1e-9)  # flat patches describe as zero
    described = np.sqrt(described / total).reshape(count, variants, -1)
    scores = []
    for variant in range(1, variants):
        distance = np.linalg.norm(described[:, None, 0] - described[None, :, variant], axis=2)
        order = np.argsort(distance.min(1), kind="stable")
        right = np.cumsum((distance.argmin(1) == np.arange(count))[order])
        precision = np.r_[1, right / np.arange(1, count + 1)]
        scores.append(trapezoid(precision, np.r_[0, right / count]))
    return scores


def test_the_demo_photographs_can_all_be_read(demo):
    for stem, paths in photographs.find(str(demo)).items():
        assert min(images.read_grey(paths[0]).shape) >= 300, stem
