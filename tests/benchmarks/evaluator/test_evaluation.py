"""The benchmark of the evaluation requires equal values."""

import pytest

from benchmarks.evaluator import evaluation
from trainer.core.errors import UserError


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(evaluation, "SEQUENCES", 2)
    monkeypatch.setattr(evaluation, "POINTS", 12)


def test_equal_values_are_a_table():
    assert evaluation.run("").row_count == 3


@pytest.mark.parametrize("off", [1e-5, float("nan")])
def test_values_that_differ_are_refused(monkeypatch, off):
    literal = evaluation.literal_matching
    monkeypatch.setattr(evaluation, "literal_matching", lambda *given: literal(*given) + off)
    with pytest.raises(UserError, match=r"matching: ours is .*, expected equal values"):
        evaluation.run("")
