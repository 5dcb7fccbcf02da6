import shutil
from pathlib import Path

import pytest
from tfx import types
from tfx.types import standard_artifacts
from tfx.types.experimental import simple_artifacts

from components.evaluation_report import executor, page
from components.evaluation_report.component import EvaluationReport, templates_fingerprint
from components.evaluation_report.material import NotShownError
from tests.support.artifacts import artifact


@pytest.fixture
def draw(run, tmp_path):
    """Runs the executor on the made-up run; returns the report's text."""

    def run_executor(evaluation=None, report=tmp_path / "report", context=None, **parameters):
        model = tmp_path / "artifact"
        if not model.exists():
            shutil.copytree(run.model, model / "Format-Serving")
        executor.Executor(context).Do(
            {
                "evaluation": [
                    artifact(standard_artifacts.ModelEvaluation, evaluation or run.evaluation)
                ],
                "examples": [artifact(standard_artifacts.Examples, run.examples)],
                "model": [artifact(standard_artifacts.Model, model)],
                "model_run": [artifact(standard_artifacts.ModelRun, run.model_run)],
            },
            {"report": [artifact(simple_artifacts.File, report)]},
            {"images": "", "code_fingerprint": "code", **parameters},
        )
        path = Path(report) / executor.REPORT_FILE
        return path.read_text(encoding="utf-8") if path.is_file() else None

    return run_executor


def test_the_report_lies_in_the_artifact(draw, monkeypatch):
    monkeypatch.setitem(page._SECTIONS, "curves", ("curves", _no_curves))
    text = draw()
    assert "Blessed: all 2 checks passed." in text
    assert 'id="filters"' in text  # the model was found


@pytest.mark.parametrize("fails", [False, True])
def test_the_report_names_its_pipeline_and_run_and_shows_their_settings(
    draw, monkeypatch, tmp_path, fails
):
    monkeypatch.setitem(page._SECTIONS, "curves", ("curves", _no_curves))
    (tmp_path / "empty").mkdir()
    text = draw(
        evaluation=tmp_path / "empty" if fails else None,
        context=executor.Executor.Context(pipeline_run_id="2025-06-01T12:30:00"),
        configuration='{"name": "hpatches-demo", "warm_start": true}',
        push_destination="gs://bucket/serving",
    )
    assert "hpatches-demo, run 2025-06-01T12:30:00" in text
    if not fails:
        assert "&#34;warm_start&#34;: true" in text and "gs://bucket/serving" in text


def _no_curves(material):
    raise NotShownError("they take long and are looked at elsewhere")


def test_a_missing_verdict_is_told_in_the_page_and_stops_nothing(draw, tmp_path):
    (tmp_path / "empty").mkdir()
    text = draw(evaluation=tmp_path / "empty")
    assert "This report could not be drawn" in text and "there is no verdict" in text


def test_a_crash_is_told_in_the_page_and_stops_nothing(draw, monkeypatch):
    def crash(material):
        raise ZeroDivisionError("no <way>")

    monkeypatch.setattr(page, "draw", crash)
    assert "ZeroDivisionError: no &lt;way&gt;" in draw()


def test_a_place_that_cannot_be_written_stops_nothing(draw, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(page, "draw", lambda material: "text")
    (tmp_path / "file").touch()
    assert draw(report=tmp_path / "file" / "report") is None
    assert "the report cannot be written" in caplog.text


def test_the_component_has_a_standard_output_and_wants_everything():
    def channel(kind):
        return types.Channel(type=kind)

    made = EvaluationReport(
        evaluation=channel(standard_artifacts.ModelEvaluation),
        examples=channel(standard_artifacts.Examples),
        model=channel(standard_artifacts.Model),
        model_run=channel(standard_artifacts.ModelRun),
        code_fingerprint="code",
        images="images",
        configuration='{"name": "hpatches-demo"}',
        push_destination="serving",
    )
    assert made.outputs["report"].type is simple_artifacts.File
    assert set(made.inputs) == {"evaluation", "examples", "model", "model_run"}
    assert made.exec_properties["images"] == "images"
    assert made.exec_properties["configuration"] == '{"name": "hpatches-demo"}'
    assert made.exec_properties["push_destination"] == "serving"


def test_the_fingerprint_covers_the_templates(tmp_path, monkeypatch):
    from components.evaluation_report import component

    folder = tmp_path / "package"
    shutil.copytree(Path(page.__file__).parent / "templates", folder / "templates")
    monkeypatch.setattr(component.resources, "files", lambda name: folder)
    before = templates_fingerprint()
    assert templates_fingerprint() == before
    (folder / "templates" / "report.css").write_text("body {}")
    assert templates_fingerprint() != before
