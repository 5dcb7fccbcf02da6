"""The fast tasks equal the literal protocol on random, tied, clustered and broken input."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.descriptor_evaluator.protocol import matching, retrieval, verification
from components.descriptor_evaluator.protocol.tasks import SequenceInfo, TaskSettings, draw
from components.descriptor_evaluator.scoring import summary
from components.descriptor_evaluator.scoring.score import score
from tests.components.descriptor_evaluator.protocol import literal_protocol as literal

pytestmark = pytest.mark.slow

NAMES = ("i_one", "v_one", "v_three", "v_two")
GROUPS = {"i_one": "one", "v_one": "one", "v_three": "three", "v_two": "two"}
MATCHING = ("ap", "success_rate", "ap_tie_safe", "success_rate_tie_safe")
FLAVOURS = (
    "random", "good", "integers", "binary", "clustered", "near_collapse", "collapse", "tiny",
    "offset", "nan", "infinite", "all_nan", "duplicates", "huge", "denormal", "zeros",
    "nan_reference", "tiny_clusters",
)  # fmt: skip


def collection(flavour: str, seed: int, dimension: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    result = {}
    for name in NAMES:
        count = int(rng.integers(2, 9))
        points = rng.normal(size=(1, count, dimension))
        noise = rng.normal(size=(16, count, dimension))
        values = points + 0.5 * noise
        if flavour == "random":
            values = noise
        elif flavour == "integers":
            values = np.round(values)
        elif flavour == "binary":
            values = (values > 0).astype(float)
        elif flavour == "clustered":
            values = np.round(points) + 1e-7 * np.round(noise)
        elif flavour == "near_collapse":
            values = 1.0 + 1e-7 * noise
        elif flavour == "collapse":
            values = np.full_like(values, 0.3)
        elif flavour == "tiny":
            values = values * 1e-7
        elif flavour == "offset":
            values = values * 1e-3 + 100.0
        elif flavour == "nan":
            values[rng.random(values.shape[:2]) < 0.1] = np.nan
        elif flavour == "infinite":
            values[rng.random(values.shape) < 0.05] = np.inf
        elif flavour == "all_nan":
            values[:] = np.nan
        elif flavour == "huge":  # squares and some distances overflow float32
            values = np.clip(values, -1.4, 1.4) * 1e38
        elif flavour == "denormal":
            values = np.round(values * 3) * 1e-44
        elif flavour == "zeros":  # of both signs, and little else
            values = np.where(np.abs(values) < 1.2, np.copysign(0.0, noise), np.round(values))
        elif flavour == "nan_reference":
            values[0, rng.random(count) < 0.3] = np.nan
        elif flavour == "tiny_clusters":  # ties between points and clear cases, scaled down
            values = 1e-7 * (np.round(points) + 0.2 * np.round(noise))
        elif flavour == "duplicates":
            values = values[:, rng.integers(count, size=count)]
        result[name] = values.astype(np.float32)
    return result


def tasks_of(values, seed):
    infos = [SequenceInfo(name, GROUPS[name], name[0], values[name].shape[1]) for name in NAMES]
    settings_ = TaskSettings(seed=seed, queries_per_point=0.5, distractors_per_point=0.8)
    return draw(infos, settings_)


_INPUTS = {
    "flavour": st.sampled_from(FLAVOURS),
    "seed": st.integers(0, 10**6),
    "dimension": st.sampled_from((1, 2, 3, 17, 128)),
}
inputs = given(**_INPUTS)
inputs_of_both_groupings = given(**_INPUTS, official=st.booleans())
effort = settings(max_examples=100, deadline=None)


@inputs
@effort
def test_matching_equals_the_literal_protocol(flavour, seed, dimension):
    check_matching(collection(flavour, seed, dimension))


def check_matching(values, distance="l2"):
    for descriptors in values.values():
        expected = literal.matching(descriptors, distance)
        for noise, target, metrics in matching.match_sequence(descriptors, distance):
            actual = [metrics[name] for name in MATCHING]
            np.testing.assert_allclose(actual, expected[noise, target], atol=1e-9, rtol=0)


def with_pools(tasks, official):
    """Adds small pools; as in the official task, only the query's sequence may be left out."""
    sizes = tuple(sorted({5, 6, 7, 9, *tasks.pool_sizes}))
    groups = tasks.names if official else tasks.groups
    return dataclasses.replace(tasks, pool_sizes=sizes, groups=groups)


def literal_retrieval(values, tasks, distance="l2"):
    queries, distractors = (
        [(NAMES[s], int(i)) for s, i in zip(table.sequence, table.index, strict=True)]
        for table in (tasks.queries, tasks.distractors)
    )
    groups = dict(zip(tasks.names, tasks.groups, strict=True))
    sizes = tasks.pool_sizes
    return queries, literal.retrieval(values, queries, distractors, sizes, groups, distance)


@inputs_of_both_groupings
@effort
def test_retrieval_equals_the_literal_protocol(flavour, seed, dimension, official):
    values = collection(flavour, seed, dimension)
    tasks = tasks_of(values, seed)
    if tasks.queries is None:
        return
    check_retrieval(values, with_pools(tasks, official))


def check_retrieval(values, tasks, distance="l2"):
    sizes = tasks.pool_sizes
    queries, expected = literal_retrieval(values, tasks, distance)
    scored = score(values, tasks, ["retrieval"], distance)
    rows = {(row.sequence, row.unit, row.noise): row for row in scored}
    assert len(rows) == 3 * len(queries)
    for number, (name, index) in enumerate(queries):
        for noise in "eht":
            metrics = rows[name, str(index), noise].metrics
            wanted = [expected[number, noise, size] for size in sizes]
            scored = [(metrics[f"ap@{size}"], metrics[f"ap@{size}_tie_safe"]) for size in sizes]
            np.testing.assert_allclose(scored, wanted, atol=1e-9, rtol=0)
            means = np.mean(np.array(wanted), axis=0)
            scored = [metrics["ap"], metrics["ap_tie_safe"]]
            np.testing.assert_allclose(scored, means, atol=1e-9, rtol=0)


@inputs
@effort
def test_verification_equals_the_literal_protocol(flavour, seed, dimension):
    values = collection(flavour, seed, dimension)
    check_verification(values, tasks_of(values, seed))


def check_verification(values, tasks, distance="l2"):
    tables = {}
    for key in ("positives", "intra", "inter"):
        pairs = getattr(tasks, key)
        columns = zip(
            pairs.sequence1, pairs.image1, pairs.index1,
            pairs.sequence2, pairs.image2, pairs.index2, strict=True,
        )  # fmt: skip
        tables[key] = [(NAMES[a], b, c, NAMES[d], e, f) for a, b, c, d, e, f in columns]
    scored = score(values, tasks, ["verification"], distance)
    rows = {(row.unit, row.noise): row.metrics for row in scored}
    assert len(rows) == 6
    for unit in ("inter", "intra"):
        expected = literal.verification(values, tables["positives"], tables[unit], distance)
        for noise in "eht":
            metrics = rows[unit, noise]
            scored = [metrics["auc"], metrics["ap"]]
            np.testing.assert_allclose(scored, expected[noise], atol=1e-9, rtol=0)
            safe = [metrics["auc_tie_safe"], metrics["ap_tie_safe"]]
            np.testing.assert_array_equal(scored, safe)


@given(seed=_INPUTS["seed"], dimension=_INPUTS["dimension"], official=st.booleans())
@settings(max_examples=5, deadline=None)
def test_hamming_equals_the_literal_protocol_in_every_task(seed, dimension, official):
    values = {
        name: (values > 0).astype(np.float32)
        for name, values in collection("good", seed, dimension).items()
    }
    tasks = tasks_of(values, seed)
    check_matching(values, "hamming")
    check_verification(values, tasks, "hamming")
    if tasks.queries is not None:
        check_retrieval(values, with_pools(tasks, official), "hamming")


@pytest.mark.parametrize("flavour", FLAVOURS)
@given(seed=_INPUTS["seed"], dimension=_INPUTS["dimension"], official=st.booleans())
@settings(max_examples=5, deadline=None)
def test_l1_equals_the_literal_protocol_in_every_task(flavour, seed, dimension, official):
    values = collection(flavour, seed, dimension)
    tasks = tasks_of(values, seed)
    check_matching(values, "l1")
    check_verification(values, tasks, "l1")
    if tasks.queries is not None:
        check_retrieval(values, with_pools(tasks, official), "l1")


@inputs_of_both_groupings
@effort
def test_all_averages_equal_the_literal_protocol(flavour, seed, dimension, official):
    values = collection(flavour, seed, dimension)
    tasks = with_pools(tasks_of(values, seed), official)
    summarised = summary.summarise(score(values, tasks))
    pairs = [
        (name, noise, scores)
        for name in NAMES
        for (noise, _), scores in literal.matching(values[name]).items()
    ]
    for part, place in ((summarised["matching"], 0), (summarised["matching"]["tie_safe"], 2)):
        flat, apart = literal.both_averages([(name, noise, s[place]) for name, noise, s in pairs])
        assert_same(part, flat)
        assert_same(part["by_kind"], apart)
        rate, _ = literal.both_averages([(name, noise, s[place + 1]) for name, noise, s in pairs])
        assert_same(part["success_rate"], rate)
    if tasks.queries is None:
        return
    queries, scores = literal_retrieval(values, tasks)
    result = summarised["retrieval"]
    safe = result["tie_safe"]
    assert_same(result, {"mean": literal.mean(pair[0] for pair in scores.values())})
    for place, means, by_pool, by_kind in (
        (0, result["by_noise"], result, result["by_kind"]),
        (1, safe, safe["by_pool"], safe["by_kind"]),
    ):
        named = [
            (queries[number][0], noise, pair[place]) for (number, noise, _), pair in scores.items()
        ]
        flat, apart = literal.both_averages(named)
        assert_same(means, flat)
        assert_same(by_kind, apart)
        for size in tasks.pool_sizes:
            part = [(noise, pair[place]) for (_, noise, k), pair in scores.items() if k == size]
            by_size = {noise: by_pool[noise][str(size)] for noise in "eht"}
            assert_same(by_size, {noise: literal.by_noise(part)[noise] for noise in "eht"})


def assert_same(actual, expected):
    """Compares numbers, None and (nested) dictionaries of them; `found` may hold more."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_same(actual[key], value)
    elif expected is None:
        assert actual is None
    else:
        assert actual == pytest.approx(expected, abs=1e-9, rel=0)


@pytest.mark.parametrize("flavour", ["clustered", "near_collapse", "good", "duplicates"])
def test_many_rows_cross_the_block_borders_unharmed(flavour, monkeypatch):
    monkeypatch.setattr(matching, "_ROWS", 7)
    monkeypatch.setattr(retrieval, "_CHUNK", 5)
    monkeypatch.setattr(retrieval, "_QUERIES", 3)
    monkeypatch.setattr(verification, "_BLOCK", 11)
    for run in (
        test_matching_equals_the_literal_protocol,
        test_retrieval_equals_the_literal_protocol,
        test_verification_equals_the_literal_protocol,
    ):
        for seed in range(3):
            more = {"official": seed == 0} if "retrieval" in run.__name__ else {}
            run.hypothesis.inner_test(flavour=flavour, seed=seed, dimension=8, **more)


def twins(seed: int, count: int = 30) -> np.ndarray:
    """Descriptors [16, 2 * count, 16] in which every point has a twin.

    One third of the twins are exactly equal, one third differ in the last bit of one number,
    one third somewhat more: a product proposes two candidates among many clear cases.
    """
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(1, count, 16)) + 0.3 * rng.normal(size=(16, count, 16))
    first = points.astype(np.float32)
    second = first.copy()
    second[:, ::3, 5] = np.nextafter(second[:, ::3, 5], np.float32(9))
    second[:, 1::3, 5] *= np.float32(1 + 1e-5)
    return np.concatenate([first, second], axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_few_near_ties_among_many_clear_matches(seed):
    values = twins(seed)
    expected = literal.matching(values)
    for noise, target, metrics in matching.match_sequence(values):
        actual = [metrics[name] for name in MATCHING]
        np.testing.assert_allclose(actual, expected[noise, target], atol=1e-9, rtol=0)


def test_distractors_that_are_all_but_as_near_as_every_positive():
    """float32 cannot order them: the exact distances must, for each positive."""
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((4, 32)).astype(np.float32)
    step = rng.standard_normal(32).astype(np.float32)
    positives = np.broadcast_to((queries + step)[:, None, None], (4, 3, 5, 32)).copy()
    distractors = (queries[:1] - step * (1 + np.linspace(-4e-7, 4e-7, 60))[:, None]).astype(
        np.float32
    )
    exact = np.linalg.norm(np.float64(distractors)[None] - np.float64(queries)[:, None], axis=2)
    limit = np.linalg.norm(np.float64(positives[:, 0, 0]) - np.float64(queries), axis=1)
    ahead = (exact < limit[:, None]).sum(1)
    assert 0 < ahead[0] < 60
    scores = retrieval.score_queries(queries, positives, distractors, (65,))["ap"][:, 0, 0]
    expected = [np.mean([hit / (count + hit) for hit in range(1, 6)]) for count in ahead]
    np.testing.assert_allclose(scores, expected, atol=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_few_near_ties_among_many_distractors(seed):
    values = twins(seed)
    # The distractors are the queries' own views under another name, and far ones.
    values = {"q": values, "d": values[[1, 6, 11, 0, *range(12)]]}
    queries = [("q", index) for index in range(0, 60, 7)]
    others = [("d", index) for index in range(60)]
    pool = values["d"][:4].reshape(-1, 16)
    sizes = (50, 200, 245)
    groups = {"q": "q", "d": "d"}
    # The literal protocol only takes reference patches: give it each variant as one.
    spread = {f"d{variant}": values["d"][[variant] * 16] for variant in range(4)}
    names = [(f"d{variant}", index) for variant in range(4) for _, index in others]
    groups |= dict.fromkeys(spread, "d")
    expected = literal.retrieval(values | spread, queries, names, sizes, groups)
    asked = values["q"][:, [index for _, index in queries]].swapaxes(0, 1)
    positives = asked[:, 1:].reshape(len(queries), 3, 5, 16)
    scored = retrieval.score_queries(asked[:, 0], positives, pool, sizes)
    for number in range(len(queries)):
        for level, noise in enumerate("eht"):
            for place, size in enumerate(sizes):
                pair = [scored[name][number, level, place] for name in ("ap", "ap_tie_safe")]
                wanted = expected[number, noise, size]
                np.testing.assert_allclose(pair, wanted, atol=1e-9, rtol=0)
