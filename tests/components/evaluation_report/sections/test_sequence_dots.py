import math

import pytest

from components.descriptor_evaluator.protocol.scores import UnitScore
from components.evaluation_report.material import Material, NotShownError
from components.evaluation_report.sections import sequence_dots


def row(sequence, noise, ap, unit="1", task="matching"):
    return UnitScore(task, noise, "v", sequence, "a", unit, {"ap": ap})


def test_every_noise_level_counts_the_same():
    rows = [row("v_a", "e", 0.9), row("v_a", "e", 0.7, "2"), row("v_a", "t", 0.2)]
    rows += [row("v_b", "e", 0.5), row("v_a", "e", 0.0, task="retrieval")]
    means = sequence_dots.means_by_sequence(rows, "matching")
    assert means == pytest.approx({"v_a": 0.5, "v_b": 0.5})


def test_the_greatest_loss_against_production_comes_first():
    means = {
        "candidate": {"v_a": 0.5, "v_b": 0.6, "v_c": 0.7},
        "production": {"v_a": 0.4, "v_b": 0.8, "v_c": 0.7},
        "rootsift": {"v_a": 0.1, "v_b": 0.2, "v_c": math.nan},
    }
    assert sequence_dots.opponent(means) == "production"
    lines = sequence_dots.lines(means, "production")
    assert [line["sequence"] for line in lines] == ["v_b", "v_c", "v_a"]
    assert [line["change"] for line in lines] == pytest.approx([-0.2, 0.0, 0.1])
    dots = {"candidate": 60, "production": 80, "rootsift": 20}
    assert dict(lines[0]["dots"]) == pytest.approx(dots)
    assert [name for name, _ in lines[1]["dots"]] == ["candidate", "production"]


@pytest.mark.parametrize(
    ("others", "opponent"),
    [
        ({"rootsift": (0.1, 0.2), "rootsift-smoothed": (0.2, 0.2)}, "rootsift-smoothed"),  # best
        ({}, ""),  # alone, it is sorted by its own value
    ],
)
def test_without_production_changes_are_against_the_best_baseline(others, opponent):
    values = {"candidate": (0.5, 0.1), **others}
    means = {name: dict(zip(("v_a", "v_b"), pair, strict=True)) for name, pair in values.items()}
    assert sequence_dots.opponent(means) == opponent
    lines = sequence_dots.lines(means, opponent)
    assert [line["sequence"] for line in lines] == ["v_b", "v_a"]
    assert all(math.isnan(line["change"]) for line in lines) == (not others)


def test_both_tasks_are_plotted(run):
    plots = sequence_dots.section(run)["plots"]
    assert [plot["task"] for plot in plots] == ["matching", "retrieval"]
    assert {plot["against"] for plot in plots} == {"production"}
    assert {line["sequence"] for line in plots[0]["lines"]} == {"i_one", "v_one", "v_two"}


def test_verification_alone_has_no_image_sequences():
    material = Material("evaluation")
    material.__dict__["rows"] = {"candidate": (row("", "e", 0.5, task="verification"),)}
    with pytest.raises(NotShownError, match="by image sequence"):
        sequence_dots.section(material)


def test_published_means_stand_beside_on_the_sequences_of_hpatches():
    means = {
        "this model": {"v_graffiti": 0.5, "v_wall": 0.7, "v_mine": 0.1},
        "rootsift": {"v_graffiti": 0.4},
    }
    table = sequence_dots.beside_published(means)
    published = ["SOSNet, published", "hardnet+, published", "cvRSIFT, published"]
    assert table["headings"] == ["this model", "rootsift", *published]
    rows = dict(table["rows"])
    assert list(rows) == ["v_graffiti", "v_wall", "mean"]
    assert rows["v_graffiti"] == pytest.approx((0.5, 0.4, 0.5628, 0.5455, 0.3220), abs=1e-4)
    assert math.isnan(rows["v_wall"][1])
    assert rows["mean"][0] == pytest.approx(0.6)
    assert rows["mean"][2] == pytest.approx((rows["v_graffiti"][2] + rows["v_wall"][2]) / 2)


def test_without_sequences_of_hpatches_nothing_published_is_shown(run):
    assert sequence_dots.section(run)["published"] is None
