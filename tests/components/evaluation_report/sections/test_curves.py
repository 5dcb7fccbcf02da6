import xml.etree.ElementTree as ElementTree

import pytest

from components.evaluation_report import figures
from components.evaluation_report.material import Material, NotShownError
from components.evaluation_report.sections import curves

FLAT = [0.5] * 100
RATES = [0.5] * 82
HISTOGRAM = {"edges": [0.0, 1.0, 2.0], "positive": [1.0, 0.0], "negative": [0.25, 0.75]}
NOISES = ("e", "h", "t")


def strips(**shown):
    material = Material("evaluation")
    material.__dict__["exhibits"] = shown
    return {strip["title"]: strip["figures"] for strip in curves.section(material)["strips"]}


def test_every_noise_level_has_a_figure_with_a_line_per_descriptor():
    precision = dict.fromkeys(NOISES, FLAT)
    by_title = strips(candidate={"matching": precision}, rootsift={"matching": precision})
    (drawn,) = by_title.values()
    assert len(drawn) == 3
    for text, noise in zip(drawn, ("easy", "hard", "tough"), strict=True):
        assert f'aria-label="Matching: precision and recall, {noise}"' in text
        assert text.count(figures.BLUE) == text.count(figures.PURPLE) == 1


def test_verification_has_roc_precision_and_histograms():
    noise = {"true_rate": RATES, "precision": FLAT} | HISTOGRAM
    by_title = strips(candidate={"verification": {"inter": dict.fromkeys(NOISES, noise)}})
    distances = "Distances of positive and negative pairs (this model)"
    assert list(by_title) == [
        "Verification ROC, pairs across sequences",
        "Verification: precision and recall, pairs across sequences",
        distances,
    ]
    assert "negative, across" in by_title[distances][0]


def test_only_what_was_chosen_is_drawn():
    assert strips(candidate={"problems": {}}) == {}
    empty = {"true_rate": RATES, "precision": FLAT, "edges": [], "positive": [], "negative": []}
    by_title = strips(candidate={"verification": {"intra": dict.fromkeys(NOISES, empty)}})
    assert "Distances of positive and negative pairs (this model)" not in by_title


def test_the_pools_size_is_in_the_title():
    by_title = strips(candidate={"retrieval": {"pool": 15000, **dict.fromkeys(NOISES, FLAT)}})
    assert list(by_title) == ["Retrieval: precision and recall, 15,000 patches in the pool"]


def test_an_evaluation_without_exhibits_says_so(tmp_path):
    with pytest.raises(NotShownError, match="chose nothing to show"):
        curves.section(Material(str(tmp_path)))


def test_a_figure_takes_the_pages_colour_and_width():
    figure, (axes,) = figures.panel()
    axes.plot([0, 1], [0, 1])
    text = str(figures.to_svg(figure, 'a "line"'))
    root = ElementTree.fromstring(text)
    assert "width" not in root.attrib and "viewBox" in root.attrib
    assert root.attrib["aria-label"] == 'a "line"' and root.attrib["class"] == "figure"
    assert "currentColor" in text and "#123456" not in text
    assert "<metadata>" not in text


def test_descriptors_look_alike_everywhere():
    looks = figures.looks(["candidate", "production", "rootsift", "rootsift-smoothed"])
    assert len({(look.colour, look.dash) for look in looks.values()}) == 4
    assert looks["candidate"].label == "this model" and looks["rootsift"].dash_array == "6 3"
    many = figures.looks([f"reference {number}" for number in range(9)])
    assert len(many) == 9
