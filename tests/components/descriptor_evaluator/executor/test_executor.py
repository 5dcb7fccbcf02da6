"""The component's executor on a few made-up patches and tiny SavedModels."""

import json

import pytest

from components.descriptor_evaluator.descriptors.sift import SiftRecipe, in_words
from components.descriptor_evaluator.descriptors.store import DescribeSequence
from components.descriptor_evaluator.gate import decision, slicing
from components.descriptor_evaluator.protocol import retrieval
from components.descriptor_evaluator.report_data import exhibits
from components.descriptor_evaluator.scoring.model_scores import RunError
from tests.support.evaluator_runs import FLOORS, assert_blessing, write_examples
from trainer.core.errors import UserError
from trainer.core.variants import NOISES, TARGETS

pytestmark = pytest.mark.slow


def test_a_good_first_model_is_blessed_with_everything_written(run):
    verdict, blessing, folder = run("good", production="")
    assert verdict.blessed, verdict.reasons
    assert_blessing(blessing, True)
    assert blessing.get_string_custom_property("current_model")
    assert verdict.production.status == "none"
    assert {check.name for check in verdict.checks} == {
        "evaluation",
        "floor",
        "production",
        "degeneracy",
    }
    (row,) = [row for row in verdict.table if (row.task, row.noise) == ("matching", "mean")]
    assert row.scenes == 2
    assert set(row.baselines) == {"rootsift", "rootsift-smoothed"}
    assert all(0.0 < value <= 1.0 for value in row.baselines.values())
    card = (folder.parent / "blessing" / "MODEL_CARD_SCORES.md").read_text()
    assert card.startswith(f"## Scores\n\n{verdict.summary} ")
    assert f"| matching mAP | mean | {100 * row.candidate:.1f} | {100 * row.low:.1f} to " in card
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["matching"]["mean"] == pytest.approx(row.candidate)
    rows = (folder / "scores" / "candidate.jsonl").read_text().splitlines()
    assert sum('"task": "matching"' in line for line in rows) == 4 * len(NOISES) * TARGETS
    assert (folder / "tasks.npz").exists()
    about = json.loads((folder / "about.json").read_text())
    assert set(about["recipes"]) == {"rootsift-smoothed"}  # the one that has a choice
    recipe = SiftRecipe(**about["recipes"]["rootsift-smoothed"])
    assert f"rootsift-smoothed: {in_words(recipe)}." in verdict.notes
    shown = exhibits.read(str(folder))
    assert set(shown) == {"candidate", "rootsift", "rootsift-smoothed"}
    assert "map" in shown["candidate"] and "map" not in shown["rootsift"]
    assert any(path.name.startswith("metrics") for path in folder.iterdir())
    assert not (folder.parent / "tmp" / "1" / "descriptor_evaluator").exists()


@pytest.mark.usefixtures("without_tfma")
def test_an_exhibit_that_fails_changes_no_verdict(run, monkeypatch):
    def fail(*args):
        raise RuntimeError("no picture")

    for name in ("matching_curves", "verification_curves", "retrieval_curves"):
        monkeypatch.setattr(exhibits.curves, name, fail)
    monkeypatch.setattr(exhibits.descriptor_map, "lay_out", fail)
    verdict, blessing, folder = run("good", cache_dir="")
    assert_blessing(blessing, True)
    assert verdict.blessed
    assert set(exhibits.read(str(folder))["candidate"]["problems"]) == {
        "matching", "verification", "retrieval", "map",
    }  # fmt: skip


@pytest.mark.usefixtures("without_tfma")
@pytest.mark.parametrize("behaviour", ["constant", "noise"])
def test_a_collapsed_model_is_refused_as_degenerate_whatever_the_floors_say(run, behaviour):
    # A gate on the reference's own average precision, which collapse can deceive.
    floors = [{"task": "retrieval", "at_least": 0.0}]
    gate_settings = FLOORS | {"metric": "ap", "floors": floors}
    verdict, blessing, folder = run(behaviour, gate_settings)
    assert_blessing(blessing, False)
    assert len(verdict.reasons) == 1
    assert "degenerate" in verdict.reasons[0] and "collapsed" in verdict.reasons[0]
    # As the reference scores it, it has found everything.
    scores = json.loads((folder / "summary.json").read_text())["retrieval"]
    assert scores["mean"] > 0.99
    if behaviour == "constant":
        assert scores["tie_safe"]["mean"] < 0.2


@pytest.mark.usefixtures("without_tfma")
@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("poor", "below the floor of 90.00"),
        ("nan", "NaN"),
        ("crash", "cannot describe"),
        ("unsigned", "cannot be used"),
    ],
)
def test_a_poor_or_broken_model_is_refused_with_the_reason(run, behaviour, words):
    verdict, blessing, _ = run(behaviour)
    assert_blessing(blessing, False)
    assert any(words in reason for reason in verdict.reasons), verdict.reasons
    assert verdict.production.status == "none"


@pytest.mark.usefixtures("without_tfma")
def test_scores_are_taken_from_the_cache(run, monkeypatch):
    first, _, _ = run("good", production="poor")
    monkeypatch.setattr(DescribeSequence, "process", lambda self, entry: pytest.fail("described"))
    again, _, folder = run("good", production="poor")
    assert again.to_json() == first.to_json()
    assert json.loads((folder / "about.json").read_text())["recipes"]
    # The candidate of one run is production of the next.
    swapped, _, _ = run("poor", production="good")
    assert swapped.production.checksum == first.candidate_checksum


@pytest.mark.usefixtures("without_tfma")
def test_without_a_cache_the_result_is_the_same(run):
    kept, _, _ = run("good")
    fresh, _, _ = run("good", cache_dir=None)
    assert fresh.to_json() == kept.to_json()


_CRASHED = "The evaluation crashed ({}), so the model was not judged."


@pytest.mark.usefixtures("without_tfma")
@pytest.mark.parametrize(
    ("module", "name", "error", "reason"),
    [
        (
            retrieval,
            "score_queries",
            ZeroDivisionError("deliberate"),
            "Scoring the candidate model failed (ZeroDivisionError: deliberate).",
        ),
        (
            decision,
            "judge",
            ZeroDivisionError("deliberate"),
            _CRASHED.format("ZeroDivisionError: deliberate"),
        ),
        (slicing, "run_tfma", KeyError("units"), _CRASHED.format("KeyError: 'units'")),
    ],
)
def test_a_crash_of_the_evaluation_refuses(run, monkeypatch, module, name, error, reason):
    def crash(*args, **kwargs):
        raise error

    monkeypatch.setattr(module, name, crash)
    verdict, blessing, _ = run("good", **({"cache_dir": None} if module is retrieval else {}))
    assert_blessing(blessing, False)
    assert verdict.reasons == (reason,)


@pytest.mark.parametrize("error", [RuntimeError("OSError: [Errno 28] No space left"), OSError(28)])
def test_a_full_disk_while_tfma_writes_is_raised_and_blesses_nothing(
    run, monkeypatch, tmp_path, error
):
    def full(*args):
        raise error

    monkeypatch.setattr(slicing, "run_tfma", full)
    with pytest.raises(RunError, match="slicing with TFMA failed"):
        run("good")
    assert not (tmp_path / "run0" / "blessing").exists()


@pytest.mark.usefixtures("without_tfma")
def test_failing_machinery_is_raised_and_blesses_nothing(run, monkeypatch, tmp_path):
    def full(self, entry):
        raise OSError("No space left on device")

    monkeypatch.setattr(DescribeSequence, "process", full)
    with pytest.raises(RunError, match="No space left"):
        run("good", cache_dir=None)
    assert not (tmp_path / "run0" / "blessing").exists()


@pytest.mark.usefixtures("without_tfma")
def test_examples_that_cannot_be_read_are_the_users_to_mend(run, tmp_path):
    root = tmp_path / "broken"
    write_examples(root)
    shard = root / "Split-eval" / "i_a-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:100_000])
    with pytest.raises(UserError, match=r"i_a-00000-of-00001: record 1 cannot be read"):
        run("good", examples=root, cache_dir=None)
    with pytest.raises(UserError, match="no manifest"):
        run("good", examples=tmp_path)
    assert not (tmp_path / "run0" / "blessing").exists()
