"""How a run went, on disk."""

import dataclasses

import pytest

from tests.support.training import training_result
from trainer.core.errors import UserError
from trainer.reporting import result

_RESULT = training_result()


def test_it_comes_back_from_its_file(tmp_path):
    result.write(_RESULT, str(tmp_path))
    assert result.read(str(tmp_path)) == _RESULT
    assert [path.name for path in tmp_path.iterdir()] == ["training_result.json"]


@pytest.mark.parametrize("text", ["{", "[]", '{"steps": 3}', '{"unknown": 1}'])
def test_a_file_that_is_no_result_is_named(tmp_path, text):
    (tmp_path / "training_result.json").write_text(text)
    with pytest.raises(UserError, match=r"training_result\.json: not the result of a training run"):
        result.read(str(tmp_path))


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        _RESULT.steps = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("score", "pixels", "loss", "sentence"),
    [
        (0.3, 0.3, 2.0, ""),  # a final batch norm keeps some that match well above the point
        (0.29, 0.3, 0.5, "matching mAP on val is 29.0, below the 30.0 of normalised pixels"),
        (None, None, 0.99, ""),
        (None, None, 1.0, "its loss is 1.00 times that of a network whose descriptors are all"),
    ],
)
def test_a_model_of_no_use_is_told(score, pixels, loss, sentence):
    said = result.shortfall(score, pixels, loss)
    assert said.startswith(sentence)
    assert bool(said) is bool(sentence)


def test_what_did_not_go_as_planned_is_told():
    missed, *others = result.not_as_planned(_RESULT)
    assert missed == (
        "not trained: S 64 K 8; patches trained of those planned: S 8 K 2 640 of 640, "
        "S 64 K 8 0 of 5,120"
    )
    assert others == []
    bad = dataclasses.replace(
        _RESULT, planned=[], gave_up=True, ended="gave up: why", best_step=0, shortfall="poor"
    )
    assert [sentence.partition(" ")[0] for sentence in result.not_as_planned(bad)] == [
        "gave",
        "no",
        "the",
    ]


@pytest.mark.parametrize(
    ("trained", "rollbacks", "said"),
    [
        (2559, 1, "trained by less than half: S 64 K 8; patches trained of those planned: S 64"),
        (2560, 1, ""),
        (2559, 0, ""),  # promoted early
    ],
)
def test_stages_that_rollbacks_cut_short_are_told(trained, rollbacks, said):
    planned = [{"stage": "S 64 K 8", "patches": 5120, "trained": trained}]
    told = result.untrained(planned, rollbacks)
    assert told.startswith(said)
    assert bool(told) is bool(said)
