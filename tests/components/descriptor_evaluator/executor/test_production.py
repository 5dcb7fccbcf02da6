"""What the executor makes of models that were pushed before."""

import shutil
from pathlib import Path

import pytest

from components.serving.production_model import served_model
from components.serving.pusher import push_log
from tests.support.evaluator_runs import FLOORS, assert_blessing

pytestmark = pytest.mark.slow


pytestmark = pytest.mark.usefixtures("without_tfma")
NO_FLOOR = FLOORS | {"floors": [{"task": "matching", "at_least": 0.0}]}


def with_extra(model: str, copy: Path, name: str, content: str) -> Path:
    """Copies a model artifact and adds a file to the model."""
    extra = Path(shutil.copytree(model, copy)) / "Format-Serving" / "assets.extra"
    extra.mkdir()
    (extra / name).write_text(content)
    return copy


@pytest.mark.slow
def test_a_candidate_is_compared_with_production(run):
    verdict, blessing, _ = run("good", production="poor")
    assert_blessing(blessing, True)
    assert verdict.production.status == "compared"
    assert verdict.table[0].change.mean > 0
    assert blessing.get_string_custom_property("baseline_model")
    worse, blessing, _ = run("poor", NO_FLOOR, production="good")
    assert_blessing(blessing, False)
    assert any("below production" in reason for reason in worse.reasons)


def test_the_identical_model_passes_as_such(run):
    verdict, blessing, folder = run("good", production="good")
    assert_blessing(blessing, True)
    assert verdict.production.status == "identical"
    assert not (folder / "scores" / "production.jsonl").exists()


def test_a_production_model_that_breaks_refuses(run):
    verdict, blessing, _ = run("good", production="crash")
    assert_blessing(blessing, False)
    assert "production" in verdict.reasons[0]
    assert verdict.production.status == "unknown"


def test_a_production_artifact_without_a_model_refuses(run, tmp_path):
    verdict, blessing, _ = run("good", production="poor", production_model=tmp_path / "nothing")
    assert_blessing(blessing, False)
    assert verdict.reasons[0].startswith("The production model has no SavedModel at ")


def test_a_candidate_is_held_to_the_best_model_ever_pushed(run, models, tmp_path):
    serving = tmp_path / "serving"
    best, production = run("good")[0].candidate_checksum, run("poor")[0].candidate_checksum
    for version, checksum in enumerate((best, "forgotten", production), start=1):
        entry = push_log.PushEntry(action="push", version=version, checksum=checksum)
        push_log.append(str(serving), entry)
    candidate = with_extra(models("poor"), tmp_path / "as_poor", "note", "another checksum")
    given = {"production": "poor", "served_from": str(serving / "3"), "model": candidate}
    verdict, blessing, _ = run("poor", NO_FLOOR, **given)
    assert_blessing(blessing, False)
    assert {check.name for check in verdict.checks if not check.passed} == {"best_pushed"}
    assert "below version 1, the best model ever pushed" in verdict.reasons[0]
    assert any("not compared with 1 of the models pushed earlier" in note for note in verdict.notes)
    left_out = NO_FLOOR | {"production": {"mode": "point", "best_pushed": False}}
    verdict, blessing, _ = run("poor", left_out, **given)
    assert_blessing(blessing, True)


@pytest.mark.slow
def test_models_pushed_earlier_are_scored_when_nothing_is_kept_of_them(run, models, tmp_path):
    serving = tmp_path / "serving"
    pushed = ["good", "crash", "poor"]
    for version, name in enumerate(pushed, start=1):
        made = shutil.copytree(Path(models(name), "Format-Serving"), serving / str(version))
        checksum = served_model.checksum(str(made))
        entry = push_log.PushEntry(action="push", version=version, checksum=checksum)
        push_log.append(str(serving), entry)
    candidate = with_extra(models("poor"), tmp_path / "as_poor", "note", "another checksum")
    given = {"production": "poor", "served_from": str(serving / "3"), "model": candidate}
    verdict, blessing, _ = run("poor", NO_FLOOR, cache_dir=str(tmp_path / "new"), **given)
    assert_blessing(blessing, False)
    assert "below version 1, the best model ever pushed" in verdict.reasons[0]
    assert any("not compared with 1 of the models pushed earlier" in note for note in verdict.notes)
    shutil.rmtree(serving / "1")  # by now its scores are kept
    again, _, _ = run("poor", NO_FLOOR, cache_dir=str(tmp_path / "new"), **given)
    assert again.reasons == verdict.reasons


def test_a_model_that_was_trained_on_held_out_scenes_is_refused(run, models, tmp_path):
    identity = '{"scenes": {"train": ["b"]}}'
    copied = with_extra(models("good"), tmp_path / "leaky", "descriptor.json", identity)
    verdict, blessing, _ = run("good", model=copied)
    assert_blessing(blessing, False)
    assert "trained on b" in verdict.reasons[0]
    noted, blessing, _ = run("good", production="good", production_model=copied)
    assert_blessing(blessing, True)
    assert any("production model: the model was trained on b" in note for note in noted.notes)
