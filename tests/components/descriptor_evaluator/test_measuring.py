import types

import pytest

from components.descriptor_evaluator import baselines, evaluate, measuring
from components.descriptor_evaluator.descriptor_store import ModelError
from components.descriptor_evaluator.measuring import RunError
from components.descriptor_evaluator.rows_cache import RowsCache, Scored
from components.descriptor_evaluator.settings import EvaluationSettings
from trainer import manifest
from trainer.errors import UserError
from trainer.manifest import Manifest, SequenceEntry


def entry(name, checksum="c"):
    return SequenceEntry(name=name, source="a", kind="v", count=3, shards=(), checksum=checksum)


def bench(tmp_path, val=(), code="code", **settings):
    splits = {"eval": (entry("v_e"),), "val": val}
    return measuring.Bench(
        "examples",
        Manifest(splits=splits),
        EvaluationSettings.model_validate(settings),
        RowsCache(str(tmp_path)),
        code,
        "folder",
        lambda: pytest.fail("no pipeline is needed"),
    )


ONE = {"smoothing_sigmas": [2.25], "sift_sizes": [0.2], "sift_paddings": [0.0]}


def recipe(bench):
    return measuring.sift_recipe(bench, "rootsift-smoothed")


def test_without_validation_data_the_usual_recipe_is_taken(tmp_path):
    assert recipe(bench(tmp_path)) == baselines.SMOOTHED
    for val in ((entry("v_v"),), ()):
        one = bench(tmp_path, val=val, **ONE)
        assert recipe(one) == baselines.SiftRecipe(2.25, 0.2, 0.0)


def test_keys_tell_roles_and_versions_of_libraries_apart(tmp_path, monkeypatch):
    tasks, given = types.SimpleNamespace(checksum="t"), bench(tmp_path)
    judged = measuring._key(given, tasks, "model", measuring._JUDGED)
    assert measuring._key(given, tasks, "model", measuring._BESIDE) != judged
    assert measuring._key(given, tasks, "model", measuring._JUDGED) == judged
    monkeypatch.setattr(evaluate, "versions", lambda: {"numpy": "0"})
    assert measuring._key(given, tasks, "model", measuring._JUDGED) != judged


def test_the_recipe_is_chosen_on_validation_data_once_per_content(tmp_path, monkeypatch):
    asked = []

    def choose(name, patch_sets, choices, points):
        asked.append((name, [item.name for item in patch_sets]))
        return baselines.SiftRecipe(choices.sigmas[1], choices.sizes[0], choices.paddings[0])

    monkeypatch.setattr(baselines, "choose_recipe", choose)
    monkeypatch.setattr(measuring, "read_patches", lambda *args: [0, 0])
    val = (entry("v_v"), entry("v_w"))
    for _ in range(2):
        assert recipe(bench(tmp_path, val)) == baselines.SiftRecipe(3.0)
    assert asked == [("rootsift-smoothed", ["v_v", "v_w"])]
    recipe(bench(tmp_path, (entry("v_v", "changed"),)))
    recipe(bench(tmp_path, val, code="changed"))
    recipe(bench(tmp_path, val, smoothing_sigmas=[1.0, 2.0]))
    recipe(bench(tmp_path, val, sift_sizes=[0.2, 0.3]))
    measuring.sift_recipe(bench(tmp_path, val), "sift-smoothed")
    assert len(asked) == 6


def test_the_data_checksum_does_not_depend_on_order_but_on_content():
    first, second = entry("v_a"), entry("v_b")
    checksum = measuring.data_checksum([first, second])
    assert measuring.data_checksum([second, first]) == checksum
    assert measuring.data_checksum([first]) != checksum
    moved = first.model_copy(update={"source": "b"})
    assert measuring.data_checksum([moved, second]) != checksum


def test_examples_that_hold_nothing_out_are_refused(tmp_path):
    manifest.write(Manifest(splits={"train": (entry("v_a"),)}), str(tmp_path))
    with pytest.raises(UserError, match="no image sequence in the split eval"):
        measuring.open_bench(
            str(tmp_path), EvaluationSettings(), RowsCache(None), "", "folder", lambda: None
        )


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
        (RuntimeError("trainer.errors.UserError: t.npz: lost"), UserError, "t.npz: lost"),
    ],
)
def test_what_fails_while_scoring_is_the_models_the_machines_or_the_users(error, raised, message):
    with pytest.raises(raised, match=message), measuring._failing_as_model("candidate"):
        raise error


def test_a_reference_that_cannot_be_scored_is_the_users():
    with (
        pytest.raises(UserError, match=r"^evaluation\.references\.paper: .*KeyError: 'b'"),
        measuring._failing_as_model("paper", reference=True),
    ):
        raise KeyError("b")


def test_kept_scores_without_exhibits_are_made_again_when_a_report_wants_them(tmp_path):
    bare, shown = Scored((), {}), Scored((), {"exhibits": {"problems": {}}})
    with_report, without = bench(tmp_path), bench(tmp_path, exhibits=False)
    with_report.cache.put("bare", bare)
    with_report.cache.put("shown", shown)
    assert measuring._kept(with_report, "bare") is None
    assert measuring._kept(with_report, "shown") == shown
    assert measuring._kept(without, "bare") == bare
    assert measuring._kept(without, "absent") is None
