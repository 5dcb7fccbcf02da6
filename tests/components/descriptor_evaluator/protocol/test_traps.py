"""The traps that HPATCHES' evaluator is known for, and what must not fall into them."""

import numpy as np
import pytest

from components.descriptor_evaluator.protocol.tasks import SequenceInfo, TaskSettings, draw
from components.descriptor_evaluator.scoring import summary
from components.descriptor_evaluator.scoring.score import score
from components.descriptor_evaluator.statistics import degeneracy

NAMES = ("i_a", "i_b", "v_c", "v_d")
COUNT = 60


def healthy(seed=0):
    rng = np.random.default_rng(seed)
    result = {}
    for name in NAMES:
        values = rng.normal(size=(1, COUNT, 32)) + 0.35 * rng.normal(size=(16, COUNT, 32))
        result[name] = of_unit_length(values)
    return result


@pytest.fixture(scope="module")
def tasks():
    infos = [SequenceInfo(name, name, name[0], COUNT) for name in NAMES]
    return draw(infos, TaskSettings(pairs_per_point=50))


def scored(values, tasks):
    return summary.summarise(score(values, tasks))


def of_unit_length(values):
    return (values / np.linalg.norm(values, axis=2, keepdims=True)).astype(np.float32)


def mean_of(values, tasks, task, metric):
    rows = [row for row in score(values, tasks, (task,)) if row.task == task]
    return float(np.mean([row.metrics[metric] for row in rows]))


def test_identical_descriptors(tasks):
    values = {name: np.full((16, COUNT, 32), 0.3, np.float32) for name in NAMES}
    summed = scored(values, tasks)
    assert summed["retrieval"]["mean"] == pytest.approx(1.0, abs=1e-12)
    # The first patch is everybody's neighbour: one right match, ranked first.
    assert summed["matching"]["mean"] == pytest.approx(1 / COUNT, abs=1e-12)
    assert summed["verification"]["balanced"]["inter"]["e"] == 0.0
    assert mean_of(values, tasks, "retrieval", "ap_tie_safe") < 0.06
    size = tasks.pool_sizes[-1]
    assert mean_of(values, tasks, "retrieval", f"ap@{size}") == pytest.approx(1.0, abs=1e-12)
    assert mean_of(values, tasks, "retrieval", f"ap@{size}_tie_safe") < 0.06
    assert mean_of(values, tasks, "matching", "ap_tie_safe") == 0.0
    assert mean_of(values, tasks, "matching", "success_rate") == pytest.approx(1 / COUNT)
    assert mean_of(values, tasks, "matching", "success_rate_tie_safe") == 0.0
    for task in ("matching", "retrieval"):
        assert summed[task]["tie_safe"]["by_kind"]["v"]["mean"] < 0.06
    assert degeneracy.problems(degeneracy.measure(values))


def test_nearly_identical_descriptors_score_at_chance(tasks):
    rng = np.random.default_rng(3)
    values = {
        name: (0.2 + 1e-7 * rng.normal(size=(16, COUNT, 32))).astype(np.float32) for name in NAMES
    }
    summed = scored(values, tasks)
    assert summed["retrieval"]["mean"] < 0.2
    assert summed["matching"]["mean"] < 0.03
    assert abs(summed["verification"]["balanced"]["intra"]["h"] - 0.5) < 0.03
    assert degeneracy.problems(degeneracy.measure(values))


@pytest.mark.parametrize("scale", [2.0**-23, 2.0**20])
def test_a_good_code_keeps_its_scores_at_any_scale(tasks, scale):
    values = healthy()
    scaled = {name: part * np.float32(scale) for name, part in values.items()}
    assert scored(scaled, tasks) == scored(values, tasks)
    report = degeneracy.measure(scaled)
    assert degeneracy.problems(report) == []
    assert report["matching_ap"] > 0.9


def test_a_good_code_scaled_to_a_ten_millionth_keeps_its_scores(tasks):
    values = healthy()
    scaled = {name: part * np.float32(1e-7) for name, part in values.items()}
    for task in ("matching", "retrieval", "verification"):
        for metric in ("ap", "ap_tie_safe"):
            expected = mean_of(values, tasks, task, metric)
            # Rounding after a factor that is no power of two may swap near orders.
            assert mean_of(scaled, tasks, task, metric) == pytest.approx(expected, abs=1e-4)
    assert degeneracy.problems(degeneracy.measure(scaled)) == []


def test_a_code_that_is_good_but_for_its_precision_is_degenerate(tasks):
    values = {name: (1.0 + 1e-5 * part).astype(np.float32) for name, part in healthy().items()}
    assert scored(values, tasks)["matching"]["mean"] > 0.6
    report = degeneracy.measure(values)
    assert report["matching_ap_float16"] < 0.1
    assert "noise only" in degeneracy.problems(report)[-1]


def test_what_bytes_cost_is_measured_for_descriptors_of_unit_length():
    values = {}
    rng = np.random.default_rng(3)
    for name in NAMES:
        code = rng.normal(size=(1, COUNT, 64)) + 1.2 * rng.normal(size=(16, COUNT, 64))
        values[name] = of_unit_length(code)
    report = degeneracy.measure(values)
    assert 0.2 < report["matching_ap"] < 0.99
    assert report["matching_ap_uint8"] == pytest.approx(report["matching_ap"], abs=0.01)
    assert report["matching_ap_uint8"] != report["matching_ap"]
    longer = {name: 2 * part for name, part in values.items()}
    assert degeneracy.measure(longer)["matching_ap_uint8"] is None


def test_nan_for_some_patches_lowers_scores_and_is_reported(tasks):
    values = healthy()
    values["v_c"][6:11, 7] = np.nan  # one patch, in every hard image
    report = degeneracy.measure(values)
    assert report["non_finite_share"] == pytest.approx(5 / (4 * 16 * COUNT))
    assert "NaN" in degeneracy.problems(report)[0]
    summed = scored(values, tasks)
    # argmin finds the NaN for every patch: no distance is finite, the reference would fail.
    assert summed["matching"]["h"] is None
    assert summed["matching"]["e"] > 0.9
    assert summed["matching"]["mean"] is None


def test_all_nan_gives_no_score_at_all(tasks):
    values = {name: np.full((16, COUNT, 4), np.nan, np.float32) for name in NAMES}
    summed = scored(values, tasks)
    assert all(summed[task]["mean"] is None for task in summed)
    report = degeneracy.measure(values)
    assert report["non_finite_share"] == 1.0


def test_scoring_twice_gives_the_same_rows(tasks):
    values = healthy()
    assert score(values, tasks) == score(values, tasks)


def test_unknown_tasks_and_wrong_shapes_are_refused(tasks):
    values = healthy()
    with pytest.raises(ValueError, match="no task tracking"):
        score(values, tasks, ("tracking",))
    values["v_d"] = values["v_d"][:, 1:]
    with pytest.raises(ValueError, match=r"v_d have shape \(16, 59, 32\), expected \(16, 60, D\)"):
        score(values, tasks)
