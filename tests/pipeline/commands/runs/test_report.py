"""`hpatches report` on made-up work folders."""

import webbrowser
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner

from components.descriptor_evaluator.gate import verdict
from components.evaluation_report import page, paper
from pipeline.cli import cli
from pipeline.runs import records

_START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def hpatches(*arguments):
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


def record(work: Path, number: int, report: str | None = None, evaluated=True, **outcome) -> Path:
    """Records a run and returns the folder of its evaluation."""
    folder = work / "artifacts" / str(number)
    outputs = {}
    if evaluated:
        check = verdict.Check("floor", True, f"The sentence of run {number}.")
        verdict.write(verdict.Verdict((check,)), str(folder))
        outputs["DescriptorEvaluator"] = {"evaluation": (str(folder),)}
    if report is not None:
        (folder / "report.html").write_text(report)
        outputs["EvaluationReport"] = {"report": (str(folder),)}
    summary = records.RunSummary(
        run_id=f"run-{number}",
        started=_START + timedelta(hours=number),
        seconds=1.0,
        config_name="demo",
        config_checksum="",
        components=[
            records.ComponentRecord(name=name, state="executed", outputs=folders)
            for name, folders in outputs.items()
        ],
        **outcome,
    )
    records.record_run(str(work), summary)
    return folder


@pytest.fixture
def work(tmp_path) -> Path:
    folder = tmp_path / "work"
    record(folder, 1, report="the first report")
    record(folder, 2, report="the second report")
    record(folder, 3, evaluated=False, error="a.png is empty")
    return folder


def test_the_newest_runs_report_stays_where_the_run_put_it(work):
    result = hpatches("--work", work)
    assert result.exit_code == 0, result.output
    assert result.output == f"Report: {work}/artifacts/2/report.html\n"


def test_a_named_runs_report_is_copied_where_it_is_wanted(work, tmp_path):
    target = tmp_path / "mine.html"
    result = hpatches("--work", work, "--run", "run-1", "--output", target)
    assert result.exit_code == 0, result.output
    assert target.read_text() == "the first report"
    assert result.output == f"Report: {target}\n"


def test_a_run_without_a_report_gets_one(work):
    record(work, 4)
    result = hpatches("--work", work)
    assert result.exit_code == 0, result.output
    path = work / "reports" / "run-4.html"
    assert result.output.endswith(f"Report: {path}\n")
    text = path.read_text(encoding="utf-8")
    assert "The sentence of run 4." in text and "demo, 2026-01-01" in text


def test_images_ask_for_a_new_one(work, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(page, "draw", lambda material: seen.append(material) or "drawn anew")
    target = tmp_path / "new.html"
    result = hpatches("--work", work, "--images", tmp_path, "--output", target)
    assert result.exit_code == 0, result.output
    assert target.read_text() == "drawn anew"
    assert seen[0].images == str(tmp_path)
    assert seen[0].evaluation == str(work / "artifacts" / "2")
    assert (work / "artifacts" / "2" / "report.html").read_text() == "the second report"


def test_curves_for_a_paper_are_written_beside(work, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(paper, "write", lambda *places: seen.append(places) or ["a.pdf", "b.pdf"])
    result = hpatches("--work", work, "--curves", tmp_path / "new")
    assert result.exit_code == 0, result.output
    assert seen == [(str(work / "artifacts" / "2"), str(tmp_path / "new"))]
    assert result.output.startswith("Curves: a.pdf, b.pdf\nReport: ")


@pytest.mark.parametrize("there", [True, False])
def test_it_is_shown_in_the_browser(work, monkeypatch, there):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or there)
    result = hpatches("--work", work, "--open")
    assert result.exit_code == 0, result.output
    assert opened == [(work / "artifacts" / "2" / "report.html").as_uri()]
    assert ("open the file yourself" in result.output) is not there


def test_a_deleted_evaluation_is_passed_over_unless_it_is_named(work):
    record(work, 5, report="gone", cleaned=True)
    assert "artifacts/2/report.html" in hpatches("--work", work).output
    result = hpatches("--work", work, "--run", "run-5")
    assert result.exit_code == 2
    assert "the evaluation of run-5 has been deleted" in _sentence(result)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--run", "run-9"], "--run: run-9 is no run in"),
        (["--run", "run-9"], "(newest: run-2, run-1)"),
        (["--run", "run-3"], "--run: run-3 was not evaluated in"),
        (["--images", "absent"], "--images: found no folder 'absent'"),
        (["--output", "absent/a.html"], "--output: absent/a.html cannot be written"),
        (["--output", "."], "--output: . cannot be written"),
        (["--curves", "work"], "work: found a folder that is not empty"),
        (["--curves", "new"], "artifacts/2: has no curves: the evaluation chose nothing to show"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(work, arguments, sentence):
    result = hpatches("--work", work, *arguments)
    assert result.exit_code == 2
    assert sentence in _sentence(result)


def test_a_work_folder_without_runs_is_refused(tmp_path):
    absent = hpatches("--work", tmp_path / "absent")
    assert absent.exit_code == 2 and "there is no such work folder" in _sentence(absent)
    (tmp_path / "empty").mkdir()
    empty = hpatches("--work", tmp_path / "empty")
    assert empty.exit_code == 2 and "no run with an evaluation" in _sentence(empty)


def test_a_damaged_verdict_is_refused(work):
    (record(work, 6) / "verdict.json").write_text("{")
    result = hpatches("--work", work)
    assert result.exit_code == 2 and "verdict.json" in _sentence(result)
    assert not (work / "reports").exists()


def _sentence(result) -> str:
    """What was said, on one line: terminals break lines."""
    return " ".join(result.output.split())
