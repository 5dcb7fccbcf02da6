import numpy as np
import pytest

from components.example_gen.geometry import frames


def affine(matrix, shift=(0.0, 0.0)):
    result = np.eye(3)
    result[:2, :2] = matrix
    result[:2, 2] = shift
    return result[None]


def test_discs_overlap_as_computed_by_hand():
    lens = 2 * np.pi / 3 - np.sqrt(3) / 2  # of unit discs one radius apart
    overlap = frames.disc_overlap(
        np.array([0.0, 1, 2, 5, 0.5]), np.array([1.0, 1, 1, 1, 1]), np.array([1.0, 1, 1, 2, 2])
    )
    np.testing.assert_allclose(overlap, [1, lens / (2 * np.pi - lens), 0, 0, 0.25], atol=1e-6)


@pytest.mark.parametrize("distance", [1.2, 1.8, 2.6])
def test_discs_of_two_sizes_overlap_as_counted_on_a_grid(distance):
    small, large = 1.0, 2.0
    x, y = np.meshgrid(np.linspace(-3, 4, 1401), np.linspace(-3, 3, 1201))
    one, other = np.hypot(x, y) <= large, np.hypot(x - distance, y) <= small
    counted = (one & other).sum() / (one | other).sum()
    for radii in ((small, large), (large, small)):
        first, second = (np.array([radius]) for radius in radii)
        overlap = frames.disc_overlap(np.array([distance]), first, second)
        assert overlap[0] == pytest.approx(counted, abs=2e-3)


def test_the_overlap_of_a_moved_frame_is_that_of_discs():
    for distance in (0.1, 0.5, 1.0):
        expected = frames.disc_overlap(np.array([distance]), np.ones(1), np.ones(1))
        moved = affine(np.eye(2), (distance * 0.6, distance * 0.8))
        np.testing.assert_allclose(frames.overlaps(moved), expected, atol=3e-3)


def test_the_overlap_of_a_scaled_frame_is_the_ratio_of_areas():
    assert frames.overlaps(affine(np.eye(2) * 1.5))[0] == pytest.approx(1 / 2.25, abs=3e-3)
    assert frames.overlaps(affine(np.eye(2) / 1.5))[0] == pytest.approx(1 / 2.25, abs=3e-3)


def test_a_turned_frame_overlaps_wholly():
    c, s = np.cos(0.3), np.sin(0.3)
    assert frames.overlaps(affine([[c, -s], [s, c]]))[0] == pytest.approx(1)


def test_a_frame_maps_its_axis_along_the_orientation():
    frame = frames.from_detections(np.array([[50.0, 40, 2]]), np.array([np.pi / 2]), 5.0)[0]
    np.testing.assert_allclose(frame @ [0, 0, 1], [50, 40, 1])
    np.testing.assert_allclose(frame @ [1, 0, 1], [50, 50, 1])  # 5 sigma downwards


def test_positions_are_those_that_frames_were_made_of():
    detections = np.array([[50.0, 40, 2], [7, 9, 3.5]], np.float32)
    squares = frames.from_detections(detections, np.array([0.3, -2]), 6.0)
    np.testing.assert_allclose(frames.positions(squares, 6.0), detections, rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "angle", "inside"),
    [
        (10, 10, 0, True), (9.9, 10, 0, False), (10, 9.9, 0, False), (10, 10, np.pi / 4, False),
        (89, 69, 0, True), (89.1, 69, 0, False), (89, 69.1, 0, False),
    ],
)  # fmt: skip
def test_a_square_is_inside_only_with_all_its_corners(x, y, angle, inside):
    """Regions of 20 x 20 pixels in an image of 100 x 80, whose pixel centres end at 99 and 79."""
    square = frames.from_detections(np.array([[x, y, 2.0]]), np.array([angle]), 5.0)
    assert frames.inside(square, 100, 80).tolist() == [inside]
    if not angle:
        assert frames.discs_inside(np.array([[x, y, 2.0]]), 5.0, 100, 80).tolist() == [inside]


def test_what_lies_behind_the_camera_is_not_inside():
    square = frames.from_detections(np.array([[50.0, 40, 2]]), np.zeros(1), 5.0)
    horizon = np.array([[1.0, 0, 0], [0, 1, 0], [-1 / 45, 0, 1]])  # passes through x = 45
    assert frames.inside(square, 100, 80)[0]
    assert not frames.inside(horizon @ square, 100000, 100000)[0]
    assert not frames.inside(-square, 100, 80)[0]


@pytest.mark.parametrize("seed", range(5))
def test_distinct_points_do_not_overlap_and_cover_the_rest(seed):
    rng = np.random.default_rng(seed)
    points = np.column_stack([rng.uniform(0, 30, (400, 2)), np.exp(rng.uniform(0, 3, 400))])
    stays = frames.take_turns(points, 0.5, rng.permutation(400))
    distance = np.linalg.norm(points[:, None, :2] - points[None, :, :2], axis=2)
    radii = np.broadcast_to(points[:, 2], distance.shape)
    overlap = frames.disc_overlap(distance.ravel(), radii.ravel(), radii.T.ravel()).reshape(
        400, 400
    )
    among = overlap[np.ix_(stays, stays)] - np.eye(len(stays))
    assert among.max() <= 0.5
    goes = np.setdiff1d(np.arange(400), stays)
    assert len(goes) > 50
    assert (overlap[np.ix_(goes, stays)].max(1) > 0.5).all()


def test_who_comes_first_stays_and_only_those_who_stay_push_others_out():
    # Discs half a radius apart share 0.52 of their union, a whole radius apart 0.24.
    points = np.array([[0.0, 0, 2], [1, 0, 2], [2, 0, 2], [30, 30, 2]])
    assert frames.take_turns(points, 0.5, np.array([0, 1, 2, 3])).tolist() == [0, 2, 3]
    assert frames.take_turns(points, 0.5, np.array([3, 0, 2, 1])).tolist() == [1, 3]


def test_no_points_stay_no_points():
    assert len(frames.take_turns(np.empty((0, 3)), 0.5, np.empty(0, int))) == 0


def test_a_disturbed_centre_is_nearer_to_another_point_or_not():
    positions = np.array([[0.0, 0, 1], [10, 0, 1]])
    centres = np.array([[[4.0, 0], [6, 0]], [[10, 3], [4, 0]]])
    assert frames.nearer_to_another(centres, positions).tolist() == [[False, True], [False, True]]
