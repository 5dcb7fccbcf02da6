"""Curves for a paper: a PDF per task, with every descriptor, black on nothing."""

import pytest

from components.descriptor_evaluator.report_data import exhibits
from components.evaluation_report import figures, paper
from components.evaluation_report.sections import curves
from trainer.core.errors import UserError

NOISES = ("e", "h", "t")
FLAT = dict.fromkeys(NOISES, [0.5] * 100)
STEEP = dict.fromkeys(NOISES, [0.25] * 100)
PAIRS = {"inter": {noise: {"precision": FLAT[noise], "true_rate": []} for noise in NOISES}}


@pytest.fixture
def kept(monkeypatch):
    """What the evaluation kept: to be filled by a test."""
    content = {}
    monkeypatch.setattr(exhibits, "read", lambda folder: content)
    return content


def drawn_figures(monkeypatch):
    """Notes the figures that become PDF."""
    seen, to_pdf = [], figures.to_pdf
    monkeypatch.setattr(figures, "to_pdf", lambda figure: seen.append(figure) or to_pdf(figure))
    return seen


def test_every_task_that_was_measured_is_a_file(kept, tmp_path, monkeypatch):
    kept |= {
        "candidate": {"matching": FLAT, "verification": PAIRS},
        "rootsift": {"matching": STEEP, "verification": PAIRS},
    }
    seen = drawn_figures(monkeypatch)
    folder = str(tmp_path / "curves")
    written = paper.write("evaluation", folder)
    assert written == [f"{folder}/matching.pdf", f"{folder}/verification-inter.pdf"]
    for path in written:
        with open(path, "rb") as file:
            content = file.read()
        assert content.startswith(b"%PDF-") and b"/FontFile2" in content  # fonts are inside
        assert b"/CreationDate" not in content
    axes = seen[0].axes
    assert [panel.get_title() for panel in axes] == ["easy", "hard", "tough"]
    assert [panel.get_ylabel() for panel in axes] == ["precision (%)", "", ""]
    (first, second) = axes[2].get_lines()
    assert (first.get_label(), first.get_ydata()[0]) == ("rootsift", 0.25)
    assert (second.get_label(), second.get_ydata()[0]) == ("this model", 0.5)
    legend = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert legend == ["this model", "rootsift"]


def test_the_same_curves_give_the_same_bytes_in_black(kept, tmp_path, monkeypatch):
    kept["candidate"] = {"retrieval": {"pool": 100, **FLAT}}
    seen = drawn_figures(monkeypatch)
    contents = []
    for name in ("one", "two"):
        (path,) = paper.write("evaluation", str(tmp_path / name))
        with open(path, "rb") as file:
            contents.append(file.read())
    assert contents[0] == contents[1]
    (axes, *_) = seen[0].axes
    inks = [axes.title.get_color(), axes.xaxis.label.get_color()]
    inks += [label.get_color() for label in axes.get_xticklabels()]
    inks.append(axes.spines["left"].get_edgecolor())
    assert {figures.same_color(ink, "black") for ink in inks} == {True}


def test_precision_of_a_task_that_some_have_not_is_that_of_the_others():
    shown = {"candidate": {"matching": FLAT}, "production": {}}
    assert curves.precisions(shown, "matching")["h"] == {"candidate": FLAT["h"]}
    assert curves.precisions(shown, "verification", "inter") == {noise: {} for noise in NOISES}


@pytest.mark.parametrize("content", [{}, {"candidate": {"problems": {}}}])
def test_an_evaluation_without_curves_is_refused_and_writes_nothing(kept, tmp_path, content):
    kept |= content
    with pytest.raises(UserError, match="evaluation: has no curves"):
        paper.write("evaluation", str(tmp_path / "curves"))
    assert list(tmp_path.iterdir()) == []
