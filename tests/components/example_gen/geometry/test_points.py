"""Points at sampled scales, of which one of each cluster stays."""

import numpy as np

from components.example_gen.geometry import frames, points


def blob(sigma, sign=1.0, size=128):
    y, x = np.mgrid[:size, :size] - 63.0
    return np.uint8(128 + sign * 100 * np.exp(-(x**2 + y**2) / (2 * sigma**2)))


def test_a_blob_is_found_at_its_place_at_sampled_scales_around_its_own():
    found = points.detect(blob(4.0), 1.6, 20.0)
    sampled = found[np.isclose(found[:, 2, None], points.levels(1.6, 20.0)).any(1)]
    near = sampled[np.hypot(*(sampled[:, :2] - 63).T) < 0.1]
    assert 4.03 in near[:, 2].round(2)


def test_no_level_is_a_whole_octave_of_the_first_scale():
    steps = 3 * np.log2(points.levels(1.0, 100.0) / 1.6)
    assert np.allclose(steps, steps.round())
    assert (steps.round() % 3 != 0).all()
    assert steps.round()[:4].tolist() == [-2, -1, 1, 2]


def test_scales_lie_within_their_bounds():
    image = np.random.default_rng(0).integers(0, 256, (96, 128), dtype=np.uint8)
    small, all_ = (points.detect(image, least, most) for least, most in ((1.0, 2.5), (1.0, 9.6)))
    assert small[:, 2].min() < 1.1 and small[:, 2].max() <= 2.5
    assert len(all_) > len(small)


def test_one_stays_of_a_chain_even_where_its_ends_do_not_overlap():
    chain = np.array([[10.0 + 4 * i, 20.0, 10.0] for i in range(6)])
    alone = np.array([[90.0, 20.0, 10.0]])
    discs = np.concatenate([chain, alone])
    chosen = {
        tuple(sorted(points.one_of_each(discs, 0.5, np.random.default_rng(seed))))
        for seed in range(50)
    }
    assert chosen == {(i, 6) for i in range(6)}


def test_those_that_stay_come_in_random_order():
    apart = np.array([[100.0 * i, 0.0, 10.0] for i in range(20)])
    order = points.one_of_each(apart, 0.5, np.random.default_rng(0))
    assert sorted(order) == list(range(20))
    assert list(order) != list(range(20))


def test_ridges_are_no_maxima():
    y, x = np.mgrid[-10:11, -10:11].astype(np.float32)
    assert points.maxima(2 - (x**2 + y**2) / 100, 0.5).tolist() == [[10, 10]]
    assert points.maxima(2 - (x**2 + 0.01 * y**2) / 100, 0.5).tolist() == []


def test_regions_lie_inside_the_image():
    image = np.random.default_rng(0).integers(0, 256, (96, 128), dtype=np.uint8)
    found = points.find(image, 5.0, 1.6, np.random.default_rng(0))
    assert len(found)
    assert frames.discs_inside(found, 5.0, 128, 96).all()
    larger = points.find(image, 7.5, 1.6, np.random.default_rng(0))
    assert frames.discs_inside(larger, 7.5, 128, 96).all()
    assert len(larger)
