"""The table of real sequences beside published figures."""

import pytest

from benchmarks.demo.real_sequences import _table


def _levels(easy, hard, tough):
    return {"e": easy, "h": hard, "t": tough, "mean": (easy + hard + tough) / 3}


@pytest.fixture
def rows():
    scores = {
        "v_bark (10)": {"smoothed": _levels(0.2, 0.2, 0.2), "model": _levels(0.5, 0.4, 0.3)},
        "v_graffiti (7)": {"smoothed": _levels(0.4, 0.3, 0.2), "model": _levels(0.7, 0.6, 0.5)},
        "v_own (9)": {"smoothed": _levels(0.9, 0.9, 0.9), "model": _levels(0.9, 0.9, 0.9)},
    }
    for one in scores.values():
        one["rootsift"] = _levels(0.1, 0.1, 0.1)
    ordered = {
        name: {key: one[key] for key in ("rootsift", "smoothed", "model")}
        for name, one in scores.items()
    }
    table = _table(ordered)
    cells = zip(*(column.cells for column in table.columns), strict=True)
    return {row[0]: row[1:] for row in cells}


def test_each_sequence_has_its_published_means(rows):
    assert rows["v_bark (10)"][2:] == ("50.0 / 40.0 / 30.0 / 40.0", "+20.0", "18.0", "29.3", "29.9")
    assert rows["v_graffiti (7)"][-1] == "56.3"
    assert rows["v_own (9)"][3:] == ("+0.0", "", "", "")


def test_the_mean_is_over_all_and_over_those_that_hpatches_has(rows):
    assert rows["mean"][2] == "70.0 / 63.3 / 56.7 / 63.3"
    assert rows["mean"][4:] == ("", "", "")
    ours, gain, *published = rows["mean of these 2"][2:]
    assert (ours, gain) == ("60.0 / 50.0 / 40.0 / 50.0", "+25.0")
    assert published[-1] == "43.1"  # (29.9 + 56.3) / 2
