import types

import pytest

from components.descriptor_evaluator.descriptors.describer import ModelError
from components.descriptor_evaluator.scoring import model_scores, provenance
from components.descriptor_evaluator.scoring.model_scores import RunError
from components.descriptor_evaluator.scoring.scores_cache import Scored
from tests.components.descriptor_evaluator.scoring.evaluation_contexts import context
from trainer.core.errors import UserError


def test_keys_tell_roles_distances_and_versions_of_libraries_apart(tmp_path, monkeypatch):
    tasks, given = types.SimpleNamespace(checksum="t"), context(tmp_path)
    judged = model_scores._key(given, tasks, "model", model_scores._JUDGED)
    assert model_scores._key(given, tasks, "model", model_scores._BESIDE) != judged
    assert model_scores._key(given, tasks, "model", model_scores._JUDGED) == judged
    by_l1 = context(tmp_path, distance="l1")
    assert model_scores._key(by_l1, tasks, "model", model_scores._JUDGED) != judged
    monkeypatch.setattr(provenance, "versions", lambda: {"numpy": "0"})
    assert model_scores._key(given, tasks, "model", model_scores._JUDGED) != judged


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (ZeroDivisionError("told [while running 'X']"), ModelError, r"\(ZeroDivisionError: told\)"),
        (
            RuntimeError("Traceback\n  in x\nKeyError: 'b' [while running 'X']\nmore"),
            ModelError,
            r"failed \(RuntimeError: KeyError: 'b'\)\.",
        ),
        (RuntimeError("OSError: [Errno 28] No space left"), RunError, "scoring candidate failed"),
        (OSError("No space left"), OSError, "No space left"),
        (RuntimeError("trainer.core.errors.UserError: t.npz: lost"), UserError, "t.npz: lost"),
    ],
)
def test_what_fails_while_scoring_is_the_models_the_machines_or_the_users(error, raised, message):
    with pytest.raises(raised, match=message), model_scores._failing_as_model("candidate"):
        raise error


def test_a_reference_that_cannot_be_scored_is_the_users():
    with (
        pytest.raises(UserError, match=r"^evaluation\.references\.paper: .*KeyError: 'b'"),
        model_scores._failing_as_model("paper", reference=True),
    ):
        raise KeyError("b")


def test_kept_scores_without_exhibits_are_made_again_when_a_report_wants_them(tmp_path):
    bare, shown = Scored((), {}), Scored((), {"exhibits": {"problems": {}}})
    with_report, without = context(tmp_path), context(tmp_path, exhibits=False)
    with_report.cache.put("bare", bare)
    with_report.cache.put("shown", shown)
    assert model_scores._kept(with_report, "bare") is None
    assert model_scores._kept(with_report, "shown") == shown
    assert model_scores._kept(without, "bare") == bare
    assert model_scores._kept(without, "absent") is None


def test_exhibits_that_a_failing_machine_thinned_are_not_kept_and_the_scores_are(tmp_path):
    facts = {"degeneracy": {"spread": 1.0}}
    lasting = facts | {"exhibits": {"problems": {"map": "ValueError: x"}}}
    thinned = facts | {"exhibits": {"problems": {"map": "MemoryError: "}, "transient": ["map"]}}
    assert model_scores._worth_keeping(Scored((), lasting)) == Scored((), lasting)
    assert model_scores._worth_keeping(Scored((), facts)) == Scored((), facts)
    given = context(tmp_path)
    given.cache.put("thinned", model_scores._worth_keeping(Scored((), thinned)))
    assert given.cache.get("thinned") == Scored((), facts)
    assert model_scores._kept(given, "thinned") is None  # so a report has them made again
