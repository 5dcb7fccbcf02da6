"""How a run went, on disk."""

import dataclasses

import pytest

from trainer.core.errors import UserError
from trainer.reporting import result
from trainer.reporting.result import TrainingResult

_RESULT = TrainingResult(
    run="0123456789abcdef",
    model_path="out/Format-Serving",
    ended="the last stage has had its steps",
    gave_up=False,
    steps=10,
    patches=640,
    best_step=8,
    validation={"e": 0.9, "mean": 0.8},
    rollbacks=1,
    traces=2,
    wall_seconds=3.5,
    cpu_seconds=2.5,
    patches_per_second=256.0,
    input_wait=0.01,
    stages=["S 8 K 2"],
)


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
