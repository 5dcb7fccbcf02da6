"""The arithmetic from measured costs to what large data need."""

import pytest

from benchmarks.growth import needs


def result(photographs: int, points: int, cut: float) -> dict:
    """4 ms of statistics, 10 + 2 + 4 of description and scores, 1 of packing a point."""
    seconds = {
        "survey": 0.01 * photographs,
        "cut": cut,
        "statistics": 0.004 * points,
        "pack": 0.0005 * points,
        "describe": 0.01 * points,
        "score pairs and matches": 0.002 * points,
        "score retrieval": 0.004 * points,
    }
    return {
        "stages": {name: {"cpu": value} for name, value in seconds.items()},
        "photographs": photographs,
        "points": points,
        "sequences": 2 * photographs,
        "trained_on": points // 2,
        "bytes": {
            "examples": 68_000 * points,
            "packed": 16_384 * points // 2,
            "descriptors": 8_192 * points,
            "manifest": 1_000 * photographs,
        },
    }


@pytest.fixture
def costs() -> needs.Costs:
    # Two seconds a photograph and 10 ms a point.
    few, many = result(10, 100, 21), result(10, 1_000, 30)
    return needs.costs_of(few, many, result(100, 10_000, 300))


def test_costs_are_those_of_a_photograph_and_of_a_point(costs):
    assert costs == needs.Costs(
        photograph=pytest.approx(2),
        point=pytest.approx(0.01),
        statistics=pytest.approx(0.004),
        held_out=pytest.approx(0.016),
        pack=pytest.approx(0.001),
        survey=pytest.approx(0.01),
        record=pytest.approx(68_000),
        packed=pytest.approx(16_384),
        described=pytest.approx(8_192),
        entry=pytest.approx(500),
    )


def test_what_a_million_points_of_36_000_photographs_need(costs):
    need = needs.lines(needs.Data("", 36_000, 36_000_000), costs)
    assert need == {
        "shards, GB": pytest.approx(2_448),
        "packed array, GB": pytest.approx(471.8592),
        "descriptors, GB": pytest.approx(58.9824),
        "manifest, MB": pytest.approx(36),
        "cutting, core-h": pytest.approx(120),  # 20 for photographs, 100 for points
        "statistics, core-h": pytest.approx(40),
        "describing and scoring, core-h": pytest.approx(32),
        "all that on 100 workers, h": pytest.approx(0.48),
        "looking for copies, in one task, core-h": pytest.approx(0.1),
        "thumbnails in its memory, GB": pytest.approx(0.589824),
        "comparing them, 10^12 operations": pytest.approx(5.308416),
        "packing on one machine, core-h": pytest.approx(8),
        "v5e hosts whose memory holds the array": 4,  # 472 GB by 144 each
        "one look at each patch, fed by their threads, h": pytest.approx(0.0576),
    }


def test_every_case_is_a_column(costs):
    table = needs.table_of(costs)
    assert len(table.columns) == 1 + len(needs.CASES) and table.row_count == 14
