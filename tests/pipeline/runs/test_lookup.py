import pytest

from pipeline.runs import lookup, records
from tests.pipeline.runs.summaries import summary
from trainer.core.errors import UserError


def push(destination, *versions):
    for version in versions:
        (destination / str(version)).mkdir(parents=True)
        (destination / str(version) / "saved_model.pb").touch()
    return destination


def ran_in(folder, **changes):
    records.record_run(str(folder), summary(1, **changes))
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_saved_model_is_itself_and_a_model_artifact_its_model(tmp_path):
    model = push(tmp_path, "m") / "m"
    assert lookup.model(str(model)) == str(model)
    inside = push(tmp_path / "artifact", "Format-Serving") / "Format-Serving"
    assert lookup.model(str(tmp_path / "artifact")) == str(inside)


def test_a_destination_and_a_work_folder_mean_the_newest_whole_version(tmp_path):
    work = ran_in(tmp_path / "work")
    serving = push(work / "serving", 9, 10, 2)
    (serving / "11").mkdir()  # half written
    assert lookup.model(str(serving)) == lookup.model(str(work)) == str(serving / "10")


def test_the_destination_that_the_runs_of_a_work_folder_push_to_counts(tmp_path):
    models = push(tmp_path / "models", 3)
    work = ran_in(tmp_path / "work", push_destination=str(models), work_dir=str(tmp_path / "work"))
    assert lookup.model(str(work)) == str(models / "3")


def test_a_work_folder_without_a_pushed_model_names_the_candidate(tmp_path):
    work = tmp_path / "work"
    ran_in(work, components=(_trained(f"{work}/artifacts/DescriptorTrainer/model/7"),))
    with pytest.raises(UserError, match=r"no model has been .*/model/7/Format-Serving"):
        lookup.model(str(work))


def _trained(folder):
    return records.ComponentRecord(
        name="DescriptorTrainer", state="executed", outputs={"model": (folder,)}
    )


def test_anything_else_stays_for_the_command_to_refuse(tmp_path):
    assert lookup.model(str(tmp_path)) == str(tmp_path)
    assert lookup.model("nowhere") == "nowhere"


def test_the_work_folder_is_found(here):
    assert lookup.work_folder("mine") == "mine"
    assert lookup.work_folder(None) == "work"
    ran_in(here / "work" / "photos")
    assert lookup.work_folder(None) == "work/photos"
    ran_in(here / "demo")
    assert lookup.work_folder(None) == "demo"
    ran_in(here / "work")
    assert lookup.work_folder(None) == "work"


def test_of_several_other_folders_none_is_taken_and_all_are_named(here):
    ran_in(here / "a")
    ran_in(here / "b" / "c")
    (here / "detector" / "runs").mkdir(parents=True)  # no records in it
    assert lookup.work_folder(None) == "work"
    with pytest.raises(UserError, match=r"work: there is no .*\(these look like one: a, b/c\)"):
        records.existing("work")
