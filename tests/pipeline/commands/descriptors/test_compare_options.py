"""What an argument of `hpatches compare` stands for."""

from pathlib import Path

import pytest

from components.descriptor_evaluator.descriptors.describer import Describer
from components.descriptor_evaluator.scoring import result_files
from pipeline.commands.descriptors import compare_options
from pipeline.runs import records
from tests.pipeline.runs.summaries import summary
from trainer.core.errors import UserError


def saved_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
    return folder


def result(folder: Path) -> Path:
    (folder / result_files.SCORES_FOLDER).mkdir(parents=True)
    (folder / result_files.SCORES_FOLDER / "candidate.jsonl").write_text("")
    return folder


def record(work: Path, number: int, *, evaluated: bool = True, model: bool = True, **changes):
    evaluation, trained = work / f"evaluation{number}", work / f"model{number}"
    if evaluated:
        result(evaluation)
    if model:
        saved_model(trained / "Format-Serving")
    components = [
        records.ComponentRecord(
            name="DescriptorTrainer", state="executed", outputs={"model": (str(trained),)}
        ),
        records.ComponentRecord(
            name="DescriptorEvaluator",
            state="executed" if evaluated else "not_reached",
            outputs={"evaluation": (str(evaluation),)} if evaluated else {},
        ),
    ]
    records.record_run(str(work), summary(number, **{"components": tuple(components), **changes}))


def test_a_handcrafted_descriptor_goes_by_its_name():
    assert compare_options.resolve("rootsift") == compare_options.Side(
        "rootsift", Describer("rootsift", baseline="rootsift")
    )


@pytest.mark.parametrize("inside", ["", "Format-Serving"])
def test_a_saved_model_is_found_also_in_a_model_artifact(tmp_path, inside):
    path = saved_model(tmp_path / "model" / inside)
    side = compare_options.resolve(f"{tmp_path}/model/")
    assert side.describer is not None
    assert Path(side.describer.model) == path


def test_a_csv_tree_is_known_by_its_files(tmp_path):
    (tmp_path / "i_one").mkdir()
    (tmp_path / "i_one" / "ref.csv").write_text("1,2\n")
    assert compare_options.resolve(str(tmp_path)).describer == Describer(
        str(tmp_path), descriptors=str(tmp_path)
    )


def test_a_stored_result_has_no_model(tmp_path):
    folder = str(result(tmp_path / "result"))
    assert compare_options.resolve(folder) == compare_options.Side(folder, None, folder)


def test_a_work_folder_is_its_newest_evaluated_run(tmp_path):
    record(tmp_path, 1)
    record(tmp_path, 2)
    record(tmp_path, 3, evaluated=False)
    side = compare_options.resolve(str(tmp_path))
    assert side.result == str(tmp_path / "evaluation2")
    assert side.describer == Describer(str(tmp_path), model=f"{tmp_path}/model2/Format-Serving")


def test_a_run_can_be_named(tmp_path):
    record(tmp_path, 1, model=False)
    record(tmp_path, 2)
    side = compare_options.resolve(f"{tmp_path}@run-1")
    assert side.result == str(tmp_path / "evaluation1")
    assert side.describer is None  # its model is gone


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("@run-9", "no run run-9 in"),
        ("@run-3", "run run-3 was not evaluated"),
        ("@run-1", "evaluation of run run-1 has been deleted"),
        ("/bare", "no run that was evaluated in"),
        ("/file", "found a file, expected a SavedModel"),
        ("/nowhere", "found nothing, expected a SavedModel"),
        ("/empty", "holds nothing to compare, expected a SavedModel"),
    ],
)
def test_what_holds_no_result_is_refused(tmp_path, run, message):
    record(tmp_path, 1, cleaned=True)
    record(tmp_path, 2)
    record(tmp_path, 3, evaluated=False)
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    record(tmp_path / "bare", 3, evaluated=False)
    with pytest.raises(UserError, match=message):
        compare_options.resolve(f"{tmp_path}{run}")


def test_a_path_may_hold_an_at_sign(tmp_path):
    folder = str(result(tmp_path / "at@home" / "good"))
    assert compare_options.resolve(folder) == compare_options.Side(folder, None, folder)
    folder = str(result(tmp_path / "last@part"))
    assert compare_options.resolve(f"{folder}/").result == folder
    with pytest.raises(UserError, match="at@home/bad: found nothing"):
        compare_options.resolve(str(tmp_path / "at@home" / "bad"))


def test_a_run_of_a_work_folder_with_an_at_sign_can_be_named(tmp_path):
    work = tmp_path / "me@home"
    work.mkdir()
    record(work, 1)
    record(work, 2)
    assert compare_options.resolve(f"{work}@run-1").result == str(work / "evaluation1")
    assert compare_options.resolve(str(work)).result == str(work / "evaluation2")


def test_a_push_destination_means_its_newest_model(tmp_path):
    saved_model(tmp_path / "serving" / "9")
    newest = saved_model(tmp_path / "serving" / "10")
    side = compare_options.resolve(f"{tmp_path}/serving")
    assert side.describer is not None
    assert Path(side.describer.model) == newest
