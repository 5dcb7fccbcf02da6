import numpy as np
import pytest

from components.descriptor_evaluator.protocol import verification
from components.descriptor_evaluator.protocol.jackknife import (
    influence_values,
    precision_without_each,
)
from components.descriptor_evaluator.protocol.tasks import SequenceInfo, TaskSettings, draw
from components.descriptor_evaluator.scoring.score import score
from components.descriptor_evaluator.statistics.intervals import mean_interval, scene_totals
from trainer.core.average_precision import average_precision


def draw_distances(rng, scenes: int, pairs: int):
    """Distances of pairs between scenes, each of which is easy or hard in its own way."""
    ease = rng.normal(0.0, 0.25, scenes)
    first = rng.integers(scenes, size=pairs)
    second = (first + rng.integers(1, scenes, size=pairs)) % scenes
    own = rng.integers(scenes, size=pairs // 5)
    negative = 1.5 + 0.25 * (ease[first] + ease[second]) + rng.normal(0.0, 0.3, pairs)
    positive = 1.0 + ease[own] + rng.normal(0.0, 0.3, len(own))
    return negative, positive, np.stack([first, second]), np.stack([own, own])


def weighted_precision(negative, positive, of_negative, of_positive, weights) -> float:
    """Average precision in which the pair (s1, s2) counts w(s1) w(s2) times; own pairs w(s)."""
    scores, labels = [], []
    for distance, (first, second) in zip(negative, of_negative.T, strict=True):
        scores += [-distance] * (weights[first] * weights[second])
    labels += [0] * len(scores)
    for distance, (own, _) in zip(positive, of_positive.T, strict=True):
        scores += [-distance] * weights[own]
    labels += [1] * (len(scores) - len(labels))
    return average_precision(np.array(scores), np.array(labels))


def test_leaving_a_scene_out_is_giving_its_pairs_no_weight():
    rng = np.random.default_rng(0)
    negative, positive, of_negative, of_positive = draw_distances(rng, 5, 200)
    negative, positive = np.round(negative, 1), np.round(positive, 1)  # many ties
    negative[7], positive[3] = np.nan, np.inf
    without = precision_without_each(negative, positive, of_negative, of_positive, 5)
    for scene in range(5):
        weights = np.ones(5, int)
        weights[scene] = 0
        # NaN and infinity are never retrieved, but count as positives.
        expected = weighted_precision(negative, positive, of_negative, of_positive, weights)
        assert without[scene] == pytest.approx(expected, abs=1e-9)


def test_without_negatives_or_positives_there_is_no_precision():
    negative, positive = np.array([1.0, 2.0]), np.array([0.5])
    of_negative, of_positive = np.array([[0, 0], [1, 1]]), np.array([[2], [2]])
    without = precision_without_each(negative, positive, of_negative, of_positive, 4)
    assert np.isnan(without[:3]).all()
    assert without[3] == 1.0
    nothing = precision_without_each(np.array([np.nan]), positive, of_positive, of_positive, 1)
    assert np.isnan(nothing).all()


def test_influences_of_a_mean_are_its_values():
    values = np.array([0.2, 0.5, 0.9, 0.4])
    without = (values.sum() - values) / 3
    np.testing.assert_allclose(influence_values(values.mean(), without), values, atol=1e-12)


def test_the_error_agrees_with_a_bootstrap_that_weights_pairs():
    rng = np.random.default_rng(5)
    scenes = 15
    distances = draw_distances(rng, scenes, 600)
    without = precision_without_each(*distances, scenes)
    error = influence_values(0.0, without).std(ddof=1) / np.sqrt(scenes)
    resamples = [
        weighted_precision(*distances, rng.multinomial(scenes, np.full(scenes, 1 / scenes)))
        for _ in range(150)
    ]
    assert error == pytest.approx(np.std(resamples) * np.sqrt(scenes / (scenes - 1)), rel=0.25)


@pytest.mark.parametrize("scenes", [5, 12])
def test_intervals_hold_the_truth_about_as_often_as_they_say(scenes):
    rng = np.random.default_rng([7, scenes])
    names = [f"{scene:02d}" for scene in range(scenes)]

    def precision(negative, positive):
        scores = np.concatenate([-negative, -positive])
        labels = np.repeat([0, 1], [len(negative), len(positive)])
        return average_precision(scores, labels)

    truth = np.mean([precision(*draw_distances(rng, 400, 20_000)[:2]) for _ in range(15)])
    inside = 0
    for _ in range(150):
        distances = draw_distances(rng, scenes, 100 * scenes)
        without = precision_without_each(*distances, scenes)
        values = influence_values(precision(*distances[:2]), without)
        interval = mean_interval(scene_totals(names, values), resamples=500)
        inside += interval.low <= truth <= interval.high
    assert 132 <= inside <= 150  # nominal 142.5, standard error 2.7


def test_verification_rows_say_what_they_are_without_each_scene():
    rng = np.random.default_rng(1)
    scenes = {"i_a": "a", "v_a": "a", "v_b": "b", "i_c": "c"}
    values = {
        name: (rng.normal(size=(1, 9, 8)) + rng.normal(size=(16, 9, 8))).astype(np.float32)
        for name in scenes
    }
    infos = [SequenceInfo(name, scene, name[0], 9) for name, scene in scenes.items()]
    tasks = draw(infos, TaskSettings(pairs_per_point=30))
    rows = {(row.unit, row.noise): row for row in score(values, tasks, ["verification"])}
    assert set(rows["inter", "e"].without) == {"a", "b", "c"}
    # Leaving out a: the first fifth of the positives and all negatives, less those that touch a.
    owner = np.array([scenes[name] for name in tasks.names])
    fifth = int(0.2 * len(tasks.positives))
    for unit, negatives in (("inter", tasks.inter), ("intra", tasks.intra)):
        kept = (owner[negatives.sequence1] != "a") & (owner[negatives.sequence2] != "a")
        kept_positive = owner[tasks.positives.sequence1[:fifth]] != "a"
        far = verification.pair_distances(values, tasks.names, negatives, "h")[kept]
        near = verification.pair_distances(values, tasks.names, tasks.positives, "h")[:fifth]
        near = near[kept_positive]
        expected = average_precision(
            -np.concatenate([far, near]), np.repeat([0, 1], [len(far), len(near)])
        )
        assert rows[unit, "h"].without["a"] == pytest.approx(expected, abs=1e-9)


def test_two_scenes_leave_no_negatives_between_scenes():
    values = {name: np.zeros((16, 4, 2), np.float32) for name in ("v_a", "v_b")}
    tasks = draw([SequenceInfo(name, name, "v", 4) for name in values], TaskSettings())
    for row in score(values, tasks, ["verification"]):
        assert np.isnan(list(row.without.values())).all() == (row.unit == "inter")
