"""A result in a folder."""

from pathlib import Path

import numpy as np
import pytest

from components.descriptor_evaluator.protocol.tasks import SequenceInfo, TaskSettings, draw
from components.descriptor_evaluator.scoring import stored_result
from components.descriptor_evaluator.statistics import degeneracy
from tests.components.descriptor_evaluator.gate import score_samples as samples
from trainer.core.errors import UserError


@pytest.fixture
def tasks():
    infos = [SequenceInfo(name, name, name[0], 6) for name in ("i_one", "v_two")]
    return draw(infos, TaskSettings())


@pytest.fixture
def rows():
    return list(samples.table(samples.level(0.5), 3).rows)


def test_a_result_comes_back_as_it_was_written(tmp_path, rows, tasks):
    folder = str(tmp_path / "result")
    stored_result.write(folder, rows, tasks, {"data_checksum": "abc", "scored": "pixels"})
    assert stored_result.is_stored(folder)
    found = stored_result.read(folder)
    assert list(found.rows) == rows
    assert found.tasks.checksum == tasks.checksum
    assert found.data_checksum == "abc"
    assert found.about["scored"] == "pixels"


def test_a_result_tells_its_distance(tmp_path, rows, tasks):
    folder = str(tmp_path / "result")
    stored_result.write(folder, rows, tasks, {"distance": "l1"})
    assert stored_result.read(folder).distance == "l1"


def test_a_result_without_a_word_about_it_is_read_too(tmp_path, rows, tasks):
    folder = tmp_path / "result"
    stored_result.write(str(folder), rows, tasks, {})
    (folder / stored_result.ABOUT_FILE).unlink()
    assert stored_result.read(str(folder)).data_checksum == ""
    assert stored_result.read(str(folder)).distance == "l2"


def test_an_existing_folder_is_left_alone(tmp_path, rows, tasks):
    folder = tmp_path / "result"
    folder.mkdir()
    (folder / "mine").write_text("x")
    with pytest.raises(UserError, match="result"):
        stored_result.write(str(folder), rows, tasks, {})
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_nothing_is_stored_in_an_empty_folder(tmp_path):
    assert not stored_result.is_stored(str(tmp_path))


@pytest.mark.parametrize("damage", ["{", "[1]\n", '{"task": "matching"}\n'])
def test_damaged_rows_are_told_by_their_file(tmp_path, rows, tasks, damage):
    folder = tmp_path / "result"
    stored_result.write(str(folder), rows, tasks, {})
    path = Path(folder, stored_result.ROWS_FOLDER, f"{stored_result.CANDIDATE}.jsonl")
    path.write_text(damage)
    with pytest.raises(UserError, match=r"candidate\.jsonl: cannot be read as the rows"):
        stored_result.read(str(folder))


@pytest.mark.parametrize(
    "about", ["[]", "{", '{"degeneracy": {"spread": 1.0}}', '{"degeneracy": 1}']
)
def test_a_damaged_word_about_it_is_told_by_its_file(tmp_path, rows, tasks, about):
    folder = tmp_path / "result"
    stored_result.write(str(folder), rows, tasks, {})
    (folder / stored_result.ABOUT_FILE).write_text(about)
    with pytest.raises(UserError, match=r"about\.json: does not say what the result is about"):
        stored_result.read(str(folder))


def test_problems_of_the_descriptors_are_known_from_the_stored_measures(tmp_path, rows, tasks):
    for name, values in (("collapsed", np.ones((16, 9, 4))), ("sound", np.random.rand(16, 9, 4))):
        report = degeneracy.measure({"i_one": values.astype(np.float32)})
        about = {"degeneracy": report, "notes": ["remark"]}
        stored_result.write(str(tmp_path / name), rows, tasks, about)
        found = stored_result.read(str(tmp_path / name))
        assert any("collapsed" in problem for problem in found.problems) == (name == "collapsed")
        assert found.notes[-1] == "remark"
