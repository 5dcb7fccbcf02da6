"""A result in a folder."""

from pathlib import Path

import numpy as np
import pytest

from components.descriptor_evaluator.protocol.tasks import SequenceInfo, TaskSettings, draw
from components.descriptor_evaluator.scoring import result_files
from components.descriptor_evaluator.scoring.scores_cache import Scored
from components.descriptor_evaluator.statistics import degeneracy
from tests.components.descriptor_evaluator.gate import score_samples as samples
from trainer.core.errors import UserError


@pytest.fixture
def tasks():
    infos = [SequenceInfo(name, name, name[0], 6) for name in ("i_one", "v_two")]
    return draw(infos, TaskSettings())


@pytest.fixture
def scored():
    return Scored(tuple(samples.table(samples.level(0.5), 3).rows))


def test_a_result_comes_back_as_it_was_written(tmp_path, scored, tasks):
    folder = str(tmp_path / "result")
    result_files.write_new(folder, scored, tasks, {"data_checksum": "abc", "scored": "pixels"})
    assert result_files.is_stored(folder)
    found = result_files.read(folder)
    assert found.scores == scored.rows
    assert found.tasks.checksum == tasks.checksum
    assert found.data_checksum == "abc"
    assert found.about["scored"] == "pixels"


def test_a_result_tells_its_distance(tmp_path, scored, tasks):
    folder = str(tmp_path / "result")
    result_files.write_new(folder, scored, tasks, {"distance": "l1"})
    assert result_files.read(folder).distance == "l1"


def test_a_result_without_a_word_about_it_is_read_too(tmp_path, scored, tasks):
    folder = tmp_path / "result"
    result_files.write_new(str(folder), scored, tasks, {})
    (folder / result_files.ABOUT_FILE).unlink()
    assert result_files.read(str(folder)).data_checksum == ""
    assert result_files.read(str(folder)).distance == "l2"


def test_an_existing_folder_is_left_alone(tmp_path, scored, tasks):
    folder = tmp_path / "result"
    folder.mkdir()
    (folder / "mine").write_text("x")
    with pytest.raises(UserError, match="result"):
        result_files.write_new(str(folder), scored, tasks, {})
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_nothing_is_stored_in_an_empty_folder(tmp_path):
    assert not result_files.is_stored(str(tmp_path))


@pytest.mark.parametrize("damage", ["{", "[1]\n", '{"task": "matching"}\n'])
def test_damaged_rows_are_told_by_their_file(tmp_path, scored, tasks, damage):
    folder = tmp_path / "result"
    result_files.write_new(str(folder), scored, tasks, {})
    path = Path(folder, result_files.SCORES_FOLDER, f"{result_files.CANDIDATE}.jsonl")
    path.write_text(damage)
    with pytest.raises(UserError, match=r"candidate\.jsonl: cannot be read as the scores"):
        result_files.read(str(folder))


@pytest.mark.parametrize(
    "about", ["[]", "{", '{"degeneracy": {"spread": 1.0}}', '{"degeneracy": 1}']
)
def test_a_damaged_word_about_it_is_told_by_its_file(tmp_path, scored, tasks, about):
    folder = tmp_path / "result"
    result_files.write_new(str(folder), scored, tasks, {})
    (folder / result_files.ABOUT_FILE).write_text(about)
    with pytest.raises(UserError, match=r"about\.json: does not say what the result is about"):
        result_files.read(str(folder))


def test_problems_of_the_descriptors_are_known_from_the_stored_measures(tmp_path, scored, tasks):
    for name, values in (("collapsed", np.ones((16, 9, 4))), ("sound", np.random.rand(16, 9, 4))):
        report = degeneracy.measure({"i_one": values.astype(np.float32)})
        about = {"degeneracy": report, "notes": ["remark"]}
        result_files.write_new(str(tmp_path / name), scored, tasks, about)
        found = result_files.read(str(tmp_path / name))
        assert any("collapsed" in problem for problem in found.problems) == (name == "collapsed")
        assert found.notes[-1] == "remark"
