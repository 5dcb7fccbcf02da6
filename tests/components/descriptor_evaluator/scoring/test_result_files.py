"""A result in a folder."""

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
    folder = tmp_path / "result"
    about = {"data_checksum": "abc", "scored": "pixels", "distance": "l1"}
    result_files.write_new(str(folder), scored, tasks, about)
    assert result_files.is_stored(str(folder)) and not result_files.is_stored(str(tmp_path))
    stored = result_files.read(str(folder))
    assert stored.scores == scored.rows
    assert stored.tasks.checksum == tasks.checksum
    assert (stored.data_checksum, stored.distance) == ("abc", "l1")
    assert stored.about["scored"] == "pixels"
    with pytest.raises(UserError, match="result"):
        result_files.write_new(str(folder), scored, tasks, {})
    assert result_files.read(str(folder)).about == stored.about
    (folder / result_files.ABOUT_FILE).unlink()  # it is read without a word about it, too
    assert result_files.read(str(folder)).data_checksum == ""
    assert result_files.read(str(folder)).distance == "l2"


_ROWS = f"{result_files.SCORES_FOLDER}/{result_files.CANDIDATE}.jsonl"


@pytest.mark.parametrize(
    ("file", "damage", "sentence"),
    [
        *(
            (_ROWS, text, r"candidate\.jsonl: cannot be read as the scores")
            for text in ("{", "[1]\n", '{"task": "matching"}\n')
        ),
        *(
            (result_files.ABOUT_FILE, text, r"about\.json: does not say what the result is about")
            for text in ("[]", "{", '{"degeneracy": {"spread": 1.0}}', '{"degeneracy": 1}')
        ),
    ],
)
def test_what_is_damaged_is_told_by_its_file(tmp_path, scored, tasks, file, damage, sentence):
    folder = tmp_path / "result"
    result_files.write_new(str(folder), scored, tasks, {})
    (folder / file).write_text(damage)
    with pytest.raises(UserError, match=sentence):
        result_files.read(str(folder))


def test_problems_of_the_descriptors_are_known_from_the_stored_measures(tmp_path, scored, tasks):
    for name, values in (
        ("collapsed", np.ones((16, 9, 4))),
        ("sound", np.random.default_rng(0).random((16, 9, 4))),
    ):
        report = degeneracy.measure({"i_one": values.astype(np.float32)})
        about = {"degeneracy": report, "notes": ["remark"]}
        result_files.write_new(str(tmp_path / name), scored, tasks, about)
        stored = result_files.read(str(tmp_path / name))
        assert any("collapsed" in problem for problem in stored.problems) == (name == "collapsed")
        assert stored.notes[-1] == "remark"
