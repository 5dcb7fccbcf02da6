"""The component's executor on a few made-up patches and tiny SavedModels."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from tfx.components.util import model_utils
from tfx.types import artifact_utils, standard_artifacts

from components.descriptor_evaluator import (
    baselines,
    descriptor_files,
    executor,
    exhibits,
    gate,
    retrieval,
    slicing,
    verdict,
)
from components.descriptor_evaluator.descriptor_store import DescribeSequence
from components.descriptor_evaluator.measuring import RunError
from components.descriptor_evaluator.settings import EvaluationSettings
from components.descriptor_evaluator.validation import Validation
from components.production_model import served_model
from components.pusher import push_log
from trainer import manifest, records
from trainer.errors import UserError
from trainer.variants import NOISES, PATCH_SIZE, TARGETS

pytestmark = pytest.mark.slow

POINTS = 24
SEQUENCES = [("i_a", "a"), ("v_a", "a"), ("i_b", "b"), ("v_b", "b")]
FLOORS = {
    "baseline": None,
    "floors": [
        {"task": "matching", "at_least": 0.9},
        {"task": "retrieval", "noise": "e", "at_least": 0.5},
    ],
    "production": {"mode": "point"},
    "resamples": 200,
}


def make_patches(seed: int) -> np.ndarray:
    """Smooth random patches, uint8 [POINTS, 16, 65, 65]; noise grows from e to t."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(40, 215, (POINTS, 7, 7)).astype(np.float32)
    base = np.stack(
        [cv2.resize(c, (PATCH_SIZE, PATCH_SIZE), interpolation=cv2.INTER_CUBIC) for c in coarse]
    )
    strength = [0.0] + [level for level in (4.0, 10.0, 20.0) for _ in range(TARGETS)]
    variants = [base + rng.normal(0, s + 1e-3, base.shape) for s in strength]
    return np.clip(np.stack(variants, axis=1), 0, 255).astype(np.uint8)


def write_examples(root: Path) -> str:
    """Writes shards and a manifest with an eval and a val split."""
    splits: dict = {"train": [], "val": [], "eval": []}
    for number, (name, source) in enumerate([*SEQUENCES, ("v_c", "c")]):
        split = "val" if source == "c" else "eval"
        shard = f"Split-{split}/{name}-00000-of-00001"
        (root / f"Split-{split}").mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(str(root / shard)) as writer:
            for index, patches in enumerate(make_patches(number)):
                record = records.PatchSequence(name, source, name[0], index, patches)
                writer.write(records.encode(record))
        splits[split].append(
            manifest.SequenceEntry(
                name=name,
                source=source,
                kind=name[0],
                count=POINTS,
                shards=(shard,),
                checksum=f"{number}",
            )
        )
    manifest.write(manifest.Manifest(splits=splits), str(root))
    return str(root)


class TinyModel(tf.Module):
    """Pixels shrunk to 8 x 8 as a descriptor, or something broken."""

    def __init__(self, behaviour: str):
        super().__init__()
        self._behaviour = behaviour

    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.uint8, name="patches")])
    def serve(self, patches):
        """Describes uint8 [N, h, w]."""
        small = tf.image.resize(tf.cast(patches, tf.float32)[..., None], [8, 8], method="area")
        flat = tf.reshape(small, [-1, 64])
        flat -= tf.reduce_mean(flat, axis=1, keepdims=True)
        found = tf.math.l2_normalize(flat, axis=1)
        if self._behaviour == "constant":
            found = tf.ones_like(found) / 8.0
        if self._behaviour == "noise":
            found = tf.ones_like(found) / 8.0 + 1e-7 * found
        if self._behaviour == "poor":
            found = tf.concat([found[:, :1], tf.zeros_like(found[:, 1:])], axis=1)
        if self._behaviour == "nan":
            found = found * float("nan")
        if self._behaviour == "crash":
            with tf.control_dependencies([tf.debugging.assert_less(found, -2.0, "deliberate")]):
                found = tf.identity(found)
        return {"descriptors": found}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Saves a tiny model once per behaviour; returns the artifact's folder."""
    made: dict[str, str] = {}

    def make(behaviour: str) -> str:
        if behaviour not in made:
            folder = tmp_path_factory.mktemp(f"model_{behaviour}")
            model = TinyModel(behaviour)
            name = "other" if behaviour == "unsigned" else "serving_default"
            tf.saved_model.save(
                model, str(folder / "Format-Serving"), signatures={name: model.serve}
            )
            made[behaviour] = str(folder)
        return made[behaviour]

    return make


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return write_examples(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Shared by the module, so that the baselines are scored once."""
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def without_tfma(monkeypatch):
    """TFMA takes seconds and has tests of its own."""
    monkeypatch.setattr(executor.Executor, "_validate", lambda *args: Validation(ok=True))


@pytest.fixture
def run(examples, models, cache, tmp_path):
    """Runs the executor; returns the verdict, the blessing and the evaluation's folder."""
    runs = iter(range(10))

    def run_executor(behaviour, gate_settings=FLOORS, production=None, cache_dir=cache, **inputs):
        root = tmp_path / f"run{next(runs)}"

        def artifact(kind, uri):
            made = kind()
            made.uri = str(uri)
            return made

        given = artifact(standard_artifacts.Examples, inputs.get("examples", examples))
        given.split_names = artifact_utils.encode_split_names(["train", "val", "eval"])
        input_dict = {
            "examples": [given],
            "model": [artifact(standard_artifacts.Model, inputs.get("model", models(behaviour)))],
        }
        if production is not None:
            path = inputs.get("production_model") or (models(production) if production else "")
            served = artifact(standard_artifacts.Model, path)
            served.set_string_custom_property("model_path", inputs.get("served_from", ""))
            served.set_int_custom_property("exists", int(bool(production)))
            served.set_string_custom_property("checksum", "" if production else "none")
            input_dict["baseline_model"] = [served]
        evaluation = artifact(standard_artifacts.ModelEvaluation, root / "evaluation")
        blessing = artifact(standard_artifacts.ModelBlessing, root / "blessing")
        settings = EvaluationSettings.model_validate(
            {"gate": gate_settings, "references": inputs.get("references", {})}
        )
        context = executor.Executor.Context(tmp_dir=str(root / "tmp"), unique_id="1")
        executor.Executor(context).Do(
            input_dict,
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "settings": settings.model_dump_json(),
                "code_fingerprint": "code",
                "cache_dir": cache_dir,
            },
        )
        return verdict.read(evaluation.uri), blessing, Path(evaluation.uri)

    return run_executor


def assert_blessing(blessing, blessed: bool):
    names = {path.name for path in Path(blessing.uri).iterdir()}
    assert names == {"BLESSED" if blessed else "NOT_BLESSED"}
    assert model_utils.is_model_blessed(blessing) is blessed


def test_a_good_first_model_is_blessed_with_everything_written(run):
    found, blessing, folder = run("good", production="")
    assert found.blessed, found.reasons
    assert_blessing(blessing, True)
    assert blessing.get_string_custom_property("current_model")
    assert found.production.status == "none"
    assert {check.name for check in found.checks} == {
        "evaluation",
        "floor",
        "production",
        "degeneracy",
        "tfma",
    }
    (row,) = [row for row in found.table if (row.task, row.noise) == ("matching", "mean")]
    assert row.sources == 2
    assert set(row.baselines) == {"rootsift", "rootsift-smoothed"}
    assert all(0.0 < value <= 1.0 for value in row.baselines.values())
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["matching"]["mean"] == pytest.approx(row.candidate)
    rows = (folder / "unit_rows" / "candidate.jsonl").read_text().splitlines()
    assert sum('"task": "matching"' in line for line in rows) == 4 * len(NOISES) * TARGETS
    assert (folder / "tasks.npz").exists()
    shown = exhibits.read(str(folder))
    assert set(shown) == {"candidate", "rootsift", "rootsift-smoothed"}
    assert "map" in shown["candidate"] and "map" not in shown["rootsift"]
    assert any(path.name.startswith("validations") for path in folder.iterdir())
    assert not (folder.parent / "tmp" / "1" / "descriptor_evaluator").exists()


def test_a_poor_model_is_refused_with_the_slice_and_the_distance(run):
    found, blessing, _ = run("poor")
    assert_blessing(blessing, False)
    assert any("below the floor of 90.00" in reason for reason in found.reasons)
    assert not next(check for check in found.checks if check.name == "tfma").passed


@pytest.mark.usefixtures("without_tfma")
def test_an_exhibit_that_fails_changes_no_verdict(run, monkeypatch):
    def fail(*args):
        raise RuntimeError("no picture")

    for name in ("matching_curves", "verification_curves", "retrieval_curves"):
        monkeypatch.setattr(exhibits.exhibit_curves, name, fail)
    monkeypatch.setattr(exhibits.descriptor_map, "lay_out", fail)
    found, blessing, folder = run("good", cache_dir="")
    assert_blessing(blessing, True)
    assert found.blessed
    assert set(exhibits.read(str(folder))["candidate"]["problems"]) == {
        "matching", "verification", "retrieval", "map",
    }  # fmt: skip


@pytest.mark.usefixtures("without_tfma")
@pytest.mark.parametrize("behaviour", ["constant", "noise"])
def test_a_collapsed_model_is_refused_as_degenerate_whatever_the_floors_say(run, behaviour):
    gate_settings = FLOORS | {"floors": [{"task": "matching", "at_least": 0.0}]}
    found, blessing, folder = run(behaviour, gate_settings)
    assert_blessing(blessing, False)
    assert len(found.reasons) == 1
    assert "degenerate" in found.reasons[0] and "collapsed" in found.reasons[0]
    # As the reference scores it, it has found everything.
    scores = json.loads((folder / "summary.json").read_text())["retrieval"]
    assert scores["mean"] > 0.99
    if behaviour == "constant":
        assert scores["tie_safe"]["mean"] < 0.2


@pytest.mark.usefixtures("without_tfma")
@pytest.mark.parametrize(
    ("behaviour", "words"),
    [("nan", "NaN"), ("crash", "cannot describe"), ("unsigned", "cannot be used")],
)
def test_a_broken_model_is_refused_with_the_reason(run, behaviour, words):
    found, blessing, _ = run(behaviour)
    assert_blessing(blessing, False)
    assert any(words in reason for reason in found.reasons), found.reasons
    assert found.production.status == "none"


@pytest.mark.usefixtures("without_tfma")
def test_a_candidate_is_compared_with_production(run):
    found, blessing, _ = run("good", production="poor")
    assert_blessing(blessing, True)
    assert found.production.status == "compared"
    assert found.table[0].change.mean > 0
    assert blessing.get_string_custom_property("baseline_model")
    worse, blessing, _ = run(
        "poor", FLOORS | {"floors": [{"task": "matching", "at_least": 0.0}]}, production="good"
    )
    assert_blessing(blessing, False)
    assert any("below production" in reason for reason in worse.reasons)


@pytest.mark.usefixtures("without_tfma")
def test_the_identical_model_passes_as_such(run):
    found, blessing, folder = run("good", production="good")
    assert_blessing(blessing, True)
    assert found.production.status == "identical"
    assert not (folder / "unit_rows" / "production.jsonl").exists()


@pytest.mark.usefixtures("without_tfma")
def test_a_production_model_that_breaks_refuses(run):
    found, blessing, _ = run("good", production="crash")
    assert_blessing(blessing, False)
    assert "production" in found.reasons[0]
    assert found.production.status == "unknown"


@pytest.mark.usefixtures("without_tfma")
def test_a_production_artifact_without_a_model_refuses(run, tmp_path):
    found, blessing, _ = run("good", production="poor", production_model=tmp_path / "nothing")
    assert_blessing(blessing, False)
    assert found.reasons[0].startswith("The production model has no SavedModel at ")


@pytest.mark.usefixtures("without_tfma")
def test_a_candidate_is_held_to_the_best_model_ever_pushed(run, models, tmp_path):
    serving = tmp_path / "serving"
    best, production = run("good")[0].candidate_checksum, run("poor")[0].candidate_checksum
    for version, checksum in enumerate((best, "forgotten", production), start=1):
        entry = push_log.PushEntry(action="push", version=version, checksum=checksum)
        push_log.append(str(serving), entry)
    candidate = Path(shutil.copytree(models("poor"), tmp_path / "as_poor"))
    (candidate / "Format-Serving" / "assets.extra").mkdir()
    (candidate / "Format-Serving" / "assets.extra" / "note").write_text("another checksum")
    settings = FLOORS | {"floors": [{"task": "matching", "at_least": 0.0}]}
    given = {"production": "poor", "served_from": str(serving / "3"), "model": candidate}
    found, blessing, _ = run("poor", settings, **given)
    assert_blessing(blessing, False)
    assert {check.name for check in found.checks if not check.passed} == {"best_pushed"}
    assert "below version 1, the best model ever pushed" in found.reasons[0]
    assert any("not compared with 1 of the models pushed earlier" in note for note in found.notes)
    left_out = settings | {"production": {"mode": "point", "best_pushed": False}}
    found, blessing, _ = run("poor", left_out, **given)
    assert_blessing(blessing, True)


@pytest.mark.usefixtures("without_tfma")
def test_models_pushed_earlier_are_scored_when_nothing_is_kept_of_them(run, models, tmp_path):
    serving = tmp_path / "serving"
    pushed = ["good", "crash", "poor"]
    for version, name in enumerate(pushed, start=1):
        made = shutil.copytree(Path(models(name), "Format-Serving"), serving / str(version))
        checksum = served_model.checksum(str(made))
        entry = push_log.PushEntry(action="push", version=version, checksum=checksum)
        push_log.append(str(serving), entry)
    candidate = Path(shutil.copytree(models("poor"), tmp_path / "as_poor"))
    (candidate / "Format-Serving" / "assets.extra").mkdir()
    (candidate / "Format-Serving" / "assets.extra" / "note").write_text("another checksum")
    settings = FLOORS | {"floors": [{"task": "matching", "at_least": 0.0}]}
    given = {"production": "poor", "served_from": str(serving / "3"), "model": candidate}
    found, blessing, _ = run("poor", settings, cache_dir=str(tmp_path / "new"), **given)
    assert_blessing(blessing, False)
    assert "below version 1, the best model ever pushed" in found.reasons[0]
    assert any("not compared with 1 of the models pushed earlier" in note for note in found.notes)
    shutil.rmtree(serving / "1")  # by now its scores are kept
    again, _, _ = run("poor", settings, cache_dir=str(tmp_path / "new"), **given)
    assert again.reasons == found.reasons


@pytest.mark.usefixtures("without_tfma")
def test_a_model_that_was_trained_on_held_out_sources_is_refused(run, models, tmp_path):
    copied = Path(shutil.copytree(models("good"), tmp_path / "leaky"))
    extra = copied / "Format-Serving" / "assets.extra"
    extra.mkdir()
    (extra / "descriptor.json").write_text('{"sources": {"train": ["b"]}}')
    found, blessing, _ = run("good", model=copied)
    assert_blessing(blessing, False)
    assert "trained on b" in found.reasons[0]
    noted, blessing, _ = run("good", production="good", production_model=copied)
    assert_blessing(blessing, True)
    assert any("production model: the model was trained on b" in note for note in noted.notes)


@pytest.mark.usefixtures("without_tfma")
def test_scores_are_taken_from_the_cache(run, monkeypatch):
    first, _, _ = run("good", production="poor")
    monkeypatch.setattr(DescribeSequence, "process", lambda self, entry: pytest.fail("described"))
    again, _, _ = run("good", production="poor")
    assert again.to_json() == first.to_json()
    # The candidate of one run is production of the next.
    swapped, _, _ = run("poor", production="good")
    assert swapped.production.checksum == first.candidate_checksum


@pytest.mark.usefixtures("without_tfma")
def test_without_a_cache_the_result_is_the_same(run):
    kept, _, _ = run("good")
    fresh, _, _ = run("good", cache_dir=None)
    assert fresh.to_json() == kept.to_json()


@pytest.mark.usefixtures("without_tfma")
def test_a_crash_while_scoring_or_judging_refuses(run, monkeypatch):
    def crash(*args, **kwargs):
        raise ZeroDivisionError("deliberate")

    monkeypatch.setattr(retrieval, "score_queries", crash)
    found, blessing, _ = run("good", cache_dir=None)
    assert_blessing(blessing, False)
    assert found.reasons == ("Scoring the candidate model failed (ZeroDivisionError: deliberate).",)
    monkeypatch.undo()
    monkeypatch.setattr(gate, "judge", crash)
    found, blessing, _ = run("good")
    assert found.reasons == (
        "The evaluation crashed (ZeroDivisionError: deliberate), so the model was not judged.",
    )


def test_what_tfma_alone_refuses_is_refused(run, monkeypatch):
    answer = Validation(False, problems=("the slice matching is missing",))
    monkeypatch.setattr(executor.Executor, "_validate", lambda *args: answer)
    found, blessing, _ = run("good")
    assert_blessing(blessing, False)
    assert found.reasons == ("TFMA's validation failed: the slice matching is missing.",)


def test_a_crash_of_tfma_refuses_and_keeps_the_table(run, monkeypatch):
    def crash(*args):
        raise KeyError("units")

    monkeypatch.setattr(slicing, "run_tfma", crash)
    found, blessing, _ = run("good")
    assert_blessing(blessing, False)
    assert found.reasons == ("TFMA's validation failed: it crashed (KeyError: 'units').",)
    assert found.table


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


def test_the_users_own_descriptors_are_baselines_of_the_gate(run, models, tmp_path):
    strong = {"model": str(Path(models("good"), "Format-Serving"))}
    weak = descriptor_files_of("pixels", tmp_path / "csv")
    references = {"strong": strong, "weak": {"descriptors": str(weak)}}
    rule = {"names": ["strong", "weak"], "tasks": ["matching"]}
    found, blessing, folder = run("poor", FLOORS | {"baseline": rule}, references=references)
    assert_blessing(blessing, False)
    row = next(row for row in found.table if (row.task, row.noise) == ("matching", "mean"))
    assert set(row.baselines) == {"rootsift", "rootsift-smoothed", "strong", "weak"}
    assert row.baselines["strong"] > row.candidate
    below = [check for check in found.checks if check.name == "baseline" and not check.passed]
    assert below and all("strong" in check.sentence for check in below)
    assert (folder / "unit_rows" / "weak.jsonl").exists()


@pytest.mark.usefixtures("without_tfma")
def test_changed_descriptors_of_a_reference_are_scored_anew(run, tmp_path):
    folder = descriptor_files_of("pixels", tmp_path / "csv")
    references = {"paper": {"descriptors": str(folder)}}

    def score() -> float:
        found, _, _ = run("good", references=references, cache_dir=str(tmp_path / "cache"))
        row = next(row for row in found.table if (row.task, row.noise) == ("matching", "mean"))
        return row.baselines["paper"]

    first = score()
    assert score() == first
    path = folder / "v_a" / "ref.csv"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert score() < first


@pytest.mark.usefixtures("without_tfma")
def test_a_reference_whose_files_are_missing_is_the_users_to_mend(run, tmp_path):
    folder = descriptor_files_of("pixels", tmp_path / "csv")
    (folder / "v_b" / "t3.csv").unlink()
    with pytest.raises(UserError, match=r"references\.paper: .*v_b/t3\.csv: is missing"):
        run("good", references={"paper": {"descriptors": str(folder)}})


def descriptor_files_of(name: str, folder: Path) -> Path:
    """Writes a handmade descriptor of the held-out sequences as a CSV tree."""
    for number, (sequence, _) in enumerate(SEQUENCES):
        described = baselines.describe_sequence(name, make_patches(number))
        descriptor_files.write_sequence(str(folder), sequence, described)
    return folder
