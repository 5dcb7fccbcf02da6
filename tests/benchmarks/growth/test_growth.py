"""What counts as growing with the data."""

import json
import subprocess
import sys

import pytest

from benchmarks.growth import growth
from benchmarks.harness import targets


def result(size: int, points: int, factor: float = 1.0, peak: float = 100.0) -> dict:
    """Costs of a size: a second for each 10 points, `factor` times that in `describe`."""
    seconds = dict.fromkeys((*growth.HELD, "score retrieval", "survey"), points / 10)
    seconds["pack"] /= 2
    seconds["describe"] *= factor
    seconds["score retrieval"] *= size
    return {
        "stages": {
            stage: {"cpu": cpu, "wall": 2 * cpu, "peak": peak} for stage, cpu in seconds.items()
        },
        "points": points,
        "trained_on": points // 2,
        "sequences": 2 * size,
        "bytes": {"examples": 5 * points, "packed": 3 * points, "manifest": 600 * size},
    }


def grown(factor: float = 1.0, peak: float = 100.0) -> dict[int, dict]:
    """Sizes that gave 100, 300 and 1,100 points."""
    return {1: result(1, 100), 3: result(3, 300), 10: result(10, 1100, factor, peak)}


def test_what_costs_as_much_a_point_as_before_takes_ten_times_the_time():
    assert growth.times(grown(), "cut") == pytest.approx(10)
    assert growth.times(grown(), "pack") == pytest.approx(10)
    assert growth.times(grown(), "score retrieval") == pytest.approx(100)
    assert all(figure.reached for figure in growth.figures_of(grown(1.05, 125)))


def test_the_worst_stage_is_held_to_the_target_and_retrieval_to_none():
    time, memory = growth.figures_of(grown(1.06, 126))
    assert time.name == "time of 10 times the data (describe)"
    assert time.value == pytest.approx(10.6) and not time.reached
    assert memory.value == pytest.approx(1.26) and not memory.reached


def test_the_table_shows_every_stage_and_what_a_point_weighs():
    table = growth.table_of(grown())
    assert table.row_count == 7
    made = "examples 5 bytes a point, packed 6 bytes a point; manifest 300 bytes"
    assert f"100, 300, 1,100 points; {made}" in str(table.title)
    with pytest.raises(targets.MissedError):
        targets.held_to(table, growth.figures_of(grown(2.0)))


@pytest.mark.slow
def test_a_small_size_runs_through_all_stages(tmp_path):
    command = [sys.executable, "-m", "benchmarks.growth.stages", str(tmp_path), "3", "12"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    measured = json.loads(done.stdout.splitlines()[-1])
    # Two image sequences of each photograph, and of the one that is trained on two larger ones.
    assert measured["sequences"] == 8 and 72 < measured["points"] <= 96
    assert set(measured["stages"]) == {*growth.HELD, "survey", "score retrieval"}
    assert all(cost["peak"] > 0 for cost in measured["stages"].values())
    assert measured["bytes"]["packed"] >= 16 * 32 * 32 * measured["trained_on"]
