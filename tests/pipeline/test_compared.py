"""What an argument of `hpatches compare` stands for."""

from pathlib import Path

import pytest

from components.descriptor_evaluator import stored_result
from components.descriptor_evaluator.evaluate import Subject
from pipeline import compared
from pipeline.house_keeping import runs
from tests.pipeline.house_keeping.summaries import summary
from trainer.errors import UserError


def saved_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
    return folder


def result(folder: Path) -> Path:
    (folder / stored_result.ROWS_FOLDER).mkdir(parents=True)
    (folder / stored_result.ROWS_FOLDER / "candidate.jsonl").write_text("")
    return folder


def record(work: Path, number: int, *, evaluated: bool = True, model: bool = True, **changes):
    evaluation, trained = work / f"evaluation{number}", work / f"model{number}"
    if evaluated:
        result(evaluation)
    if model:
        saved_model(trained / "Format-Serving")
    components = [
        runs.ComponentRecord(
            name="DescriptorTrainer", state="executed", outputs={"model": (str(trained),)}
        ),
        runs.ComponentRecord(
            name="DescriptorEvaluator",
            state="executed" if evaluated else "not_reached",
            outputs={"evaluation": (str(evaluation),)} if evaluated else {},
        ),
    ]
    runs.record_run(str(work), summary(number, **{"components": tuple(components), **changes}))


def test_a_handmade_descriptor_goes_by_its_name():
    assert compared.resolve("rootsift") == compared.Compared(
        "rootsift", Subject(baseline="rootsift")
    )


@pytest.mark.parametrize("inside", ["", "Format-Serving"])
def test_a_saved_model_is_found_also_in_a_model_artifact(tmp_path, inside):
    path = saved_model(tmp_path / "model" / inside)
    found = compared.resolve(f"{tmp_path}/model/")
    assert found.subject is not None
    assert Path(found.subject.model) == path


def test_a_csv_tree_is_known_by_its_files(tmp_path):
    (tmp_path / "i_one").mkdir()
    (tmp_path / "i_one" / "ref.csv").write_text("1,2\n")
    assert compared.resolve(str(tmp_path)).subject == Subject(descriptors=str(tmp_path))


def test_a_stored_result_has_no_model(tmp_path):
    folder = str(result(tmp_path / "result"))
    assert compared.resolve(folder) == compared.Compared(folder, None, folder)


def test_a_work_folder_is_its_newest_evaluated_run(tmp_path):
    record(tmp_path, 1)
    record(tmp_path, 2)
    record(tmp_path, 3, evaluated=False)
    found = compared.resolve(str(tmp_path))
    assert found.result == str(tmp_path / "evaluation2")
    assert found.subject == Subject(model=str(tmp_path / "model2/Format-Serving"))


def test_a_run_can_be_named(tmp_path):
    record(tmp_path, 1, model=False)
    record(tmp_path, 2)
    found = compared.resolve(f"{tmp_path}@run-1")
    assert found.result == str(tmp_path / "evaluation1")
    assert found.subject is None  # its model is gone


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("@run-9", "no run run-9 in"),
        ("@run-3", "run run-3 was not evaluated"),
        ("@run-1", "evaluation of run run-1 has been deleted"),
    ],
)
def test_a_run_without_a_result_is_refused(tmp_path, run, message):
    record(tmp_path, 1, cleaned=True)
    record(tmp_path, 2)
    record(tmp_path, 3, evaluated=False)
    with pytest.raises(UserError, match=message):
        compared.resolve(f"{tmp_path}{run}")


def test_a_work_folder_without_an_evaluated_run_is_refused(tmp_path):
    record(tmp_path, 3, evaluated=False)
    with pytest.raises(UserError, match="no run that was evaluated in"):
        compared.resolve(str(tmp_path))


def test_anything_else_is_refused_with_what_was_expected(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for name, found in (
        ("file", "found a file"),
        ("nowhere", "found nothing"),
        ("empty", "holds nothing to compare"),
    ):
        with pytest.raises(UserError, match=f"{found}, expected a SavedModel"):
            compared.resolve(str(tmp_path / name))


def test_a_path_may_hold_an_at_sign(tmp_path):
    folder = str(result(tmp_path / "at@home" / "good"))
    assert compared.resolve(folder) == compared.Compared(folder, None, folder)
    folder = str(result(tmp_path / "last@part"))
    assert compared.resolve(f"{folder}/").result == folder
    with pytest.raises(UserError, match="at@home/bad: found nothing"):
        compared.resolve(str(tmp_path / "at@home" / "bad"))


def test_a_run_of_a_work_folder_with_an_at_sign_can_be_named(tmp_path):
    work = tmp_path / "me@home"
    work.mkdir()
    record(work, 1)
    record(work, 2)
    assert compared.resolve(f"{work}@run-1").result == str(work / "evaluation1")
    assert compared.resolve(str(work)).result == str(work / "evaluation2")
