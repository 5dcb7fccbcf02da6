"""The JSON of an evaluation, from rows with known values."""

import math

import pytest

from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.scoring.summary import summarise


def matching_row(noise, kind, target, precision, rate=0.5):
    metrics = {"ap": precision, "success_rate": rate}
    metrics |= {"ap_tie_safe": precision / 2, "success_rate_tie_safe": rate / 2}
    return UnitScore("matching", noise, kind, f"{kind}_x", "x", str(target), metrics)


def test_matching_is_a_flat_mean_over_pairs_and_by_kind():
    # Two i pairs and one v pair: the flat mean is not the mean of the kinds.
    rows = [
        row
        for noise, offset in (("e", 0.0), ("h", 0.1), ("t", 0.2))
        for row in (
            matching_row(noise, "i", 1, 0.9 - offset),
            matching_row(noise, "i", 2, 0.7 - offset),
            matching_row(noise, "v", 1, 0.2),
        )
    ]
    summary = summarise(rows)["matching"]
    assert summary["e"] == pytest.approx(0.6)
    assert summary["t"] == pytest.approx((0.7 + 0.5 + 0.2) / 3)
    assert summary["mean"] == pytest.approx((0.6 + 1.6 / 3 + 1.4 / 3) / 3)
    assert summary["by_kind"]["i"]["e"] == pytest.approx(0.8)
    assert summary["by_kind"]["v"]["mean"] == pytest.approx(0.2)
    assert set(summary["by_kind"]) == {"i", "v"}
    assert summary["success_rate"] == pytest.approx({"e": 0.5, "h": 0.5, "t": 0.5, "mean": 0.5})
    safe = summary["tie_safe"]
    assert safe["mean"] == pytest.approx(summary["mean"] / 2)
    assert safe["by_kind"]["i"]["e"] == pytest.approx(0.4)
    assert safe["success_rate"] == pytest.approx(dict.fromkeys(("e", "h", "t", "mean"), 0.25))
    assert set(summary) == {"e", "h", "t", "mean", "success_rate", "by_kind", "tie_safe"}


def verification_rows(units, precision):
    return [
        UnitScore(
            "verification", noise, "u", "", "", unit,
            {"auc": 0.9, "ap": precision[unit], "auc_tie_safe": 0.7, "ap_tie_safe": 0.5},
        )
        for unit in units
        for noise in "eht"
    ]  # fmt: skip


def test_verification_means_the_six_imbalanced_precisions():
    summary = summarise(verification_rows(("inter", "intra"), {"inter": 0.8, "intra": 0.4}))
    areas = dict.fromkeys("eht", 0.9)
    precisions = {"inter": dict.fromkeys("eht", 0.8), "intra": dict.fromkeys("eht", 0.4)}
    assert summary["verification"] == {
        "balanced": {"inter": areas, "intra": areas},
        "imbalanced": precisions,
        "mean": pytest.approx(0.6),
        "tie_safe": {
            "balanced": dict.fromkeys(("inter", "intra"), dict.fromkeys("eht", 0.7)),
            "imbalanced": dict.fromkeys(("inter", "intra"), dict.fromkeys("eht", 0.5)),
            "mean": pytest.approx(0.5),
        },
    }


def test_an_absent_pair_set_is_none():
    summary = summarise(verification_rows(("intra",), {"intra": 0.4}))["verification"]
    assert summary["imbalanced"]["inter"] is None and summary["balanced"]["inter"] is None
    assert summary["mean"] == pytest.approx(0.4)


def test_retrieval_reports_every_pool_size_and_the_mean_of_all():
    rows = [
        UnitScore(
            "retrieval", noise, "v", "v_x", "x", unit,
            {
                "ap": 0.75 * value, "ap@100": value, "ap@500": value / 2,
                "ap_tie_safe": 0.1, "ap@100_tie_safe": value / 4, "ap@500_tie_safe": 0.0,
            },
        )
        for noise, base in (("e", 0.8), ("h", 0.6), ("t", 0.4))
        for unit, value in (("1", base), ("2", base - 0.2))
    ]  # fmt: skip
    summary = summarise(rows)["retrieval"]
    assert summary["e"] == pytest.approx({"100": 0.7, "500": 0.35})
    assert summary["mean"] == pytest.approx((0.7 + 0.5 + 0.3) * 1.5 / 6)
    by_noise = {"e": 0.525, "h": 0.375, "t": 0.225, "mean": summary["mean"]}
    assert summary["by_noise"] == pytest.approx(by_noise)
    assert summary["by_kind"] == {"v": pytest.approx(by_noise)}
    safe = summary["tie_safe"]
    assert safe["h"] == pytest.approx(0.1) and safe["mean"] == pytest.approx(0.1)
    assert safe["by_pool"]["e"] == pytest.approx({"100": 0.175, "500": 0.0})
    assert safe["by_kind"] == {"v": pytest.approx(dict.fromkeys(by_noise, 0.1))}
    assert set(summary) == {"e", "h", "t", "mean", "by_noise", "by_kind", "tie_safe"}


def test_only_scored_tasks_appear():
    summary = summarise([matching_row(noise, "i", 1, 0.5) for noise in "eht"])
    assert list(summary) == ["matching"]
    assert summary["matching"]["mean"] == 0.5
    assert summarise([]) == {}


def test_nan_becomes_none_and_does_not_hide():
    rows = [matching_row(noise, "i", 1, math.nan if noise == "h" else 0.5) for noise in "eht"]
    summary = summarise(rows)["matching"]
    assert summary["e"] == 0.5 and summary["h"] is None and summary["mean"] is None
