import dataclasses
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from components.descriptor_evaluator.gate import verdict
from components.evaluation_report import page
from components.evaluation_report.material import Material, NotShownError
from components.evaluation_report.sections import image_pair
from tests.components.evaluation_report import run_folders
from trainer.core.errors import UserError

SECTIONS = {
    "checks", "scores", "sequences", "curves", "mistakes", "map", "training", "filters", "data",
    "versions", "absent",
}  # fmt: skip


class Reader(HTMLParser):
    """Collects what a page would load, its sections, and tags that are left open."""

    def __init__(self):
        super().__init__()
        self.sections, self.loads, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "section":
            self.sections.append(values["id"])
        for key in ("src", "href", "xlink:href", "srcset", "data", "action"):
            if key in values and not values[key].startswith(("data:", "#")):
                self.loads.append(values[key])
        if tag not in ("meta", "link", "img", "br", "wbr", "input", "path", "circle", "use"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()


@pytest.fixture
def without_curves(monkeypatch):
    """The curves take most of the time and are looked at elsewhere."""
    nothing = {"legend": [], "strips": []}
    monkeypatch.setitem(page._SECTIONS, "curves", ("curves", lambda material: nothing))


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def test_everything_is_there_and_nothing_is_loaded(report):
    reader = read(report)
    assert set(reader.sections) == SECTIONS
    assert reader.loads == []
    assert reader.open == []
    assert "<script" not in report and "@import" not in report
    assert not re.search(r"url\((?!#|\"?data:)", report)
    assert len(report.encode()) < page.MOST_BYTES


def test_run_and_time_are_named(report):
    title = "evaluation of 2025-06-01 12:30 UTC &middot; made up &lt;b&gt;run&lt;/b&gt;"
    assert f"Report of the {title}" in report


def test_published_figures_are_shown_for_sequences_of_hpatches(run, report, without_curves):
    assert "published" not in report
    known = dataclasses.replace(run)
    known.__dict__["rows"] = {
        name: tuple(dataclasses.replace(row, sequence="v_wall") for row in rows)
        for name, rows in run.rows.items()
    }
    text = page.draw(known)
    assert "Published ones (HPatches benchmark, results of split full)" in text
    assert re.search(r"<th>SOSNet, published</th>.*<td>v_wall</td>.*<td>76\.0</td>", text, re.S)


def test_the_verdict_and_its_checks_come_first(report):
    order = [
        report.index(text) for text in ("Blessed: all 2 checks passed", "10.00 above the floor")
    ]
    assert order == sorted(order)
    assert read(report).sections[0] == "checks"
    assert order[1] < report.index('id="scores"')


def test_what_users_wrote_is_text_and_no_markup(report):
    assert "made up &lt;b&gt;run&lt;/b&gt;" in report and "<b>run</b>" not in report
    assert "2.ppm is &lt;empty&gt;" in report
    assert "collapsed &lt;at once&gt;" in report


@pytest.mark.usefixtures("without_curves")
def test_a_refusal_says_why_and_its_check_stands_on_top(run, tmp_path):
    folder = tmp_path / "evaluation"
    shutil.copytree(run.evaluation, folder)
    verdict.write(run_folders.made_up_verdict(blessed=False), str(folder))
    text = page.draw(Material(evaluation=str(folder)))
    assert "Not blessed: 1 of 2 checks failed." in text
    checks = text[text.index('id="checks"') :]
    assert checks.index("1.20 below production") < checks.index("10.00 above the floor")


def test_a_section_that_fails_is_a_problem_in_the_page_and_spoils_no_other(run, monkeypatch):
    def fail(material):
        raise ZeroDivisionError("no way")

    monkeypatch.setitem(page._SECTIONS, "curves", ("curves", fail))
    text = page.draw(run)
    assert "<b>Problem:</b> curves: ZeroDivisionError: no way" in text
    assert set(read(text).sections) == SECTIONS - {"curves"}


def test_a_verdict_alone_makes_a_report_that_says_what_is_missing(tmp_path):
    verdict.write(verdict.refusal("The candidate has no SavedModel."), str(tmp_path))
    text = page.draw(Material(evaluation=str(tmp_path)))
    assert "The candidate has no SavedModel." in text
    assert "could not be judged, so it was not compared with the one in production" in text
    assert set(read(text).sections) == {"checks", "versions", "absent"}
    for sentence in (
        "Without results: the model was not scored.",
        "Without results per image sequence: the model could not be scored.",
        "Without the training timeline: the timeline of the training run is not there.",
        "Without the data: the examples of the run are not known.",
        "Without the first layer&#39;s filters: the model is not known.",
    ):
        assert sentence in text


@pytest.mark.usefixtures("without_curves")
def test_damaged_examples_cost_the_patches_alone(run, tmp_path):
    examples = tmp_path / "examples"
    shutil.copytree(run.examples, examples)
    for shard in (examples / "Split-eval").iterdir():
        shard.write_bytes(shard.read_bytes()[:100])
    text = page.draw(dataclasses.replace(run, examples=str(examples)))
    assert "Problem:</b> the worst mistakes" in text
    assert set(read(text).sections) == SECTIONS - {"mistakes", "map"}


def test_without_a_verdict_there_is_no_report(tmp_path):
    with pytest.raises(UserError, match="there is no verdict"):
        page.draw(Material(evaluation=str(tmp_path)))


def test_what_the_evaluation_could_not_choose_is_told(run):
    shown = {"candidate": {"problems": {"map": "ValueError: too flat"}}}
    text = page.draw(_with_exhibits(run, shown))
    assert "map of candidate: ValueError: too flat" in text


@pytest.mark.usefixtures("without_curves")
def test_a_page_that_is_too_large_leaves_its_heaviest_parts_out(run, monkeypatch):
    monkeypatch.setattr(page, "MOST_BYTES", len(page.draw(run).encode()) - 1000)
    text = page.draw(run)
    assert 'id="map"' not in text and 'id="mistakes"' in text
    assert "Without the map of descriptors: with it the file would be larger than 5 MB." in text


@pytest.mark.usefixtures("without_curves")
def test_a_page_that_stays_too_large_says_so(run, monkeypatch, caplog):
    monkeypatch.setattr(page, "MOST_BYTES", 1000)
    text = page.draw(run)
    assert 'id="mistakes"' not in text
    assert re.search(r"Problem:</b> the size: this file has \d\.\d MB, more than", text)
    assert "more than a report should have" in caplog.text


@pytest.mark.parametrize("about", [{}, {"evaluated": "yesterday"}, {"evaluated": 3}])
def test_a_time_that_nobody_wrote_is_not_told(about):
    material = Material("evaluation")
    material.__dict__["about"] = about
    assert page.evaluated(material) == ""


@pytest.mark.usefixtures("without_curves")
def test_equal_runs_give_equal_pages(run):
    assert page.draw(dataclasses.replace(run)) == page.draw(run)


def test_patches_have_no_image_pair(run):
    with pytest.raises(NotShownError, match="images that the patches were cut from"):
        image_pair.section(run)
    with pytest.raises(NotShownError, match="the data are patches"):
        image_pair.section(dataclasses.replace(run, images=run.examples))


def test_templates_are_packaged():
    folder = Path(page.__file__).parent / "templates"
    kinds = {file.suffix for file in folder.rglob("*") if file.is_file()}
    setup = (Path(page.__file__).parents[2] / "setup.py").read_text()
    assert kinds == {".j2", ".css"} and all(f'"**/*{kind}"' in setup for kind in kinds)


def _with_exhibits(run, shown):
    material = dataclasses.replace(run)
    material.__dict__["exhibits"] = shown  # as the cached property would keep it
    return material
