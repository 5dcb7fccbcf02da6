"""Whole runs, on data small enough for seconds."""

import dataclasses
import json
import math
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support.synthetic import write_examples
from tests.support.training import folders_in, small_config, small_stage
from trainer.core.config import TrainerConfig
from trainer.core.errors import UserError
from trainer.core.progress import Progress, listen
from trainer.data import packing, stale_dirs
from trainer.data.resident_patches import ResidentPatches
from trainer.engine import loop, resources
from trainer.engine.learner import Learner
from trainer.engine.loop import Folders
from trainer.model import export

pytestmark = pytest.mark.slow

_STAGES = (small_stage(steps=8, min_steps=4), small_stage(12, 3, 9, schedule="linear"))
_CONFIG = small_config(*_STAGES, steps_per_loop=4, checkpoint_every=8)
_CONTROLLER = _CONFIG.controller
SPLITS = {
    "train": {"i_a": ("a", 10), "v_a": ("a", 10), "v_b": ("b", 10)},
    "val": {"v_c": ("c", 8)},
}


def _train(
    examples: str,
    folder: Path,
    config: TrainerConfig = _CONFIG,
    folders: Folders | None = None,
    **options,
):
    return loop.train(config, examples, None, folders or folders_in(folder), **options)


def _events(folder: Path) -> list[dict]:
    return json.loads((folder / "out" / "timeline.json").read_text())


def _identity(path: str) -> dict:
    identity = export.read_identity(path)
    assert identity is not None
    return identity


@pytest.fixture(scope="module")
def run(examples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    heard: list[Progress] = []
    with listen(heard.append):
        result = _train(examples, folder)
    return folder, result, heard


def test_a_run_takes_its_stages_and_says_so(run):
    folder, result, _ = run
    assert result.steps == 17
    assert result.patches == 8 * 16 + 9 * 36
    assert result.traces == 2  # one per stage
    assert not result.gave_up
    assert json.loads((folder / "out" / "training_result.json").read_text())["steps"] == 17
    events = [event["event"] for event in _events(folder)]
    assert events[:2] == ["start", "stage"]
    assert events.count("stage") == 2
    assert events.count("promote") == 1
    assert events[-1] == "export"
    assert [event["step"] for event in _events(folder) if event["event"] == "validate"] == [
        8,
        16,
        17,
    ]


def test_the_first_healthy_observation_of_each_stage_is_told(run):
    folder, _, _ = run
    told = [(e["event"], e["step"]) for e in _events(folder) if e["event"] in ("stage", "good")]
    assert told == [("stage", 0), ("good", 4), ("stage", 8), ("good", 12)]


def test_the_best_weights_on_val_are_exported(run):
    folder, result, _ = run
    scores = {e["step"]: e["mean"] for e in _events(folder) if e["event"] == "validate"}
    assert scores[result.best_step] == max(scores.values()) == result.validation["mean"]


def test_a_run_that_ended_leaves_no_checkpoints(run):
    folder, _, _ = run
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "Format-Serving",
        "run.json",
        "timeline.json",
        "training_result.json",
    ]


def test_the_model_serves_and_knows_its_data(run):
    folder, result, _ = run
    assert result.model_path == str(folder / "out" / "Format-Serving")
    serving = tf.saved_model.load(result.model_path).signatures["serving_default"]
    assert serving(patches=tf.zeros([3, 65, 65], tf.uint8))["descriptors"].shape == (3, 64)
    identity = _identity(result.model_path)
    assert identity["scenes"] == {"train": ["a", "b"], "val": ["c"]}


def test_progress_and_tensorboard_are_written(run):
    folder, _, heard = run
    labels = {event.label for event in heard}
    assert "training stage 1 of 2 (S 8, K 2)" in labels
    assert heard[-1].done == heard[-1].total == 9
    left_standing = [event for event in heard if event.finished]
    assert [event.count for event in left_standing] == ["8/8", "9/9"]
    assert all("val mAP" in event.detail for event in left_standing)
    assert any(event.remaining for event in heard)
    (file,) = (folder / "logs").glob("events*")
    tags = {
        value.tag
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    }
    wanted = {
        "train/loss", "train/hardest_positive", "train/hardest_negative", "train/active_share",
        "train/spread", "train/stage", "train/learning_rate", "train/patches_per_second",
        "train/input_wait", "probe/pair_distance", "probe/effective_rank", "val/mean",
        "events/promote", "train/norm", "distances/positive", "distances/negative",
        "distances/hardest_positive", "distances/hardest_negative", "triplets/worst",
    }  # fmt: skip
    assert wanted <= tags
    assert (folder / "logs" / "projector_config.pbtxt").exists()


def test_the_same_seed_trains_the_same_network(run, examples, tmp_path):
    folder, result, _ = run
    again = _train(examples, tmp_path)
    first, second = (_identity(path) for path in (result.model_path, again.model_path))
    patches = np.random.default_rng(0).integers(0, 256, (20, 65, 65), dtype=np.uint8)
    described = [
        tf.saved_model.load(path).signatures["serving_default"](patches=tf.constant(patches))
        for path in (result.model_path, again.model_path)
    ]
    np.testing.assert_array_equal(described[0]["descriptors"], described[1]["descriptors"])
    assert first["descriptor_id"] == second["descriptor_id"]  # the same weights, bit for bit
    assert first["data_checksum"] == second["data_checksum"]
    assert [e["event"] for e in _events(folder)] == [e["event"] for e in _events(tmp_path)]


def test_patches_that_lie_on_a_tpu_train_the_same_network(run, examples, tmp_path, monkeypatch):
    _, result, _ = run
    monkeypatch.setattr(resources, "device_kind", lambda _: "tpu")
    gathered = []
    gather = ResidentPatches.gather
    monkeypatch.setattr(
        ResidentPatches, "gather", lambda *given: gathered.append(given) or gather(*given)
    )
    again = _train(examples, tmp_path)
    assert gathered
    assert (
        _identity(again.model_path)["descriptor_id"]
        == (_identity(result.model_path)["descriptor_id"])
    )


@pytest.mark.parametrize(
    ("splits", "stages", "sentence"),
    [
        (SPLITS, (*_STAGES, small_stage(21)), r"points_per_batch is 21.*at most 20"),
        ({"train": {"i_a": ("a", 4), "i_b": ("b", 3)}}, "auto", r"stages is auto.*at most 7"),
        ({"val": {"v_c": ("c", 3)}}, _STAGES, "train split holds no point"),
    ],
)
def test_data_that_cannot_fill_a_plan_are_refused_before_training(
    tmp_path, splits, stages, sentence
):
    write_examples(tmp_path / "examples", splits)
    config = _CONFIG.model_copy(update={"stages": stages})
    with pytest.raises(UserError, match=sentence):
        _train(str(tmp_path / "examples"), tmp_path, config)
    assert not (tmp_path / "out").exists()


def test_a_short_plan_packs_and_names_only_the_scenes_it_comes_to(tmp_path):
    train = {f"v_{scene}": (scene, 10) for scene in "abcdefgh"}
    write_examples(tmp_path / "examples", {"train": train, "val": {"v_z": ("z", 8)}})
    folders = dataclasses.replace(folders_in(tmp_path), packed=str(tmp_path / "packed"))
    config = small_config(small_stage(steps=4), controller=_CONTROLLER)  # of 8 points each
    result = _train(str(tmp_path / "examples"), tmp_path, config, folders)
    (patches,) = (tmp_path / "packed").glob("train-*/patches.npy")
    assert len(np.load(patches, mmap_mode="r")) == 40  # 32 are drawn
    assert len(_identity(result.model_path)["scenes"]["train"]) == 4


def test_a_plan_is_made_for_the_data(examples, tmp_path):
    config = _CONFIG.model_copy(update={"stages": "auto"})
    result = _train(examples, tmp_path, config)
    plan = ["S8 K2 rate 0.02 steps 950"]  # half of the 20 there are
    assert result.stages == plan
    assert result.patches == 950 * 16
    (event,) = (event for event in _events(tmp_path) if event["event"] == "plan")
    assert event["plan"] == plan
    assert (event["points"], event["largest_batch"], event["device"]) == (30, 20, "cpu")
    told = _identity(result.model_path)["training"]["stages"]
    assert [stage["max_steps"] for stage in told] == [950]


def test_a_broken_shard_is_named_and_leaves_no_model(tmp_path):
    write_examples(tmp_path / "examples", SPLITS)
    shard = next((tmp_path / "examples" / "Split-val").iterdir())
    shard.write_bytes(shard.read_bytes()[:-7])
    with pytest.raises(UserError, match=rf"{shard.name}: record 7 cannot be read"):
        _train(str(tmp_path / "examples"), tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_warm_start_begins_with_the_given_network(run, examples, tmp_path):
    folder, result, _ = run
    config = _CONFIG.model_copy(update={"stages": _STAGES[:1]})
    _train(examples, tmp_path, config, warm_start=result.model_path)
    cold, warm = (_events(path)[0] for path in (folder, tmp_path))
    assert cold["event"] == warm["event"] == "start"
    assert warm["hardest_positive"] < 0.9 * cold["hardest_positive"]


def test_a_warm_start_that_no_step_makes_better_is_exported_as_it_came(run, examples, tmp_path):
    _, before, _ = run
    spoilt = _STAGES[0].model_copy(update={"learning_rate": 0.5})
    config = _CONFIG.model_copy(update={"stages": (spoilt,)})
    after = _train(examples, tmp_path, config, warm_start=before.model_path)
    assert after.best_step == 0
    assert after.validation == pytest.approx(before.validation)
    (told,) = [event for event in _events(tmp_path) if event["event"] == "export"]
    assert "what it started from" in told["reason"]
    assert [e["step"] for e in _events(tmp_path) if e["event"] == "validate"][:2] == [0, 8]
    patches = tf.constant(np.random.default_rng(0).integers(0, 256, (5, 65, 65), np.uint8))
    described = [
        tf.saved_model.load(result.model_path).signatures["serving_default"](patches)
        for result in (before, after)
    ]
    np.testing.assert_allclose(*(values["descriptors"] for values in described), atol=1e-6)


@pytest.mark.parametrize("wrong", ["missing", "another architecture"])
def test_overwriting_with_a_bad_warm_start_deletes_nothing(run, examples, tmp_path, wrong):
    _, result, _ = run
    old = tmp_path / "out"
    (old / "Format-Serving").mkdir(parents=True)
    for name in ("Format-Serving/saved_model.pb", "training_result.json", "timeline.json"):
        (old / name).write_text("{}")
    before = sorted(path.relative_to(old) for path in old.rglob("*"))
    model = _CONFIG.model.model_copy(update={"width": 0.2})
    config = _CONFIG.model_copy(update={"model": model})
    path = str(tmp_path / "nowhere") if wrong == "missing" else result.model_path
    message = "no variables to start from" if wrong == "missing" else "same architecture"
    with pytest.raises(UserError, match=message):
        _train(examples, tmp_path, config, warm_start=path, existing="overwrite")
    assert sorted(path.relative_to(old) for path in old.rglob("*")) == before


def test_a_folder_for_checkpoints_that_cannot_be_written_is_told_at_once(
    examples, tmp_path, monkeypatch
):
    monkeypatch.setattr(packing, "pack", lambda *_: pytest.fail("hours later"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="file: cannot be written"):
        _train(examples, tmp_path, folders=folders_in(tmp_path, checkpoints=str(tmp_path / "file")))


class _KilledError(BaseException):
    """Stands for SIGKILL: nobody catches it."""


@pytest.mark.parametrize("existing", ["replace", "overwrite"])
def test_a_killed_run_keeps_its_packed_patches_beside_its_checkpoints(
    examples, tmp_path, monkeypatch, existing
):
    def die(*_, **__):
        raise _KilledError

    config = _CONFIG.model_copy(update={"stages": _STAGES[:1]})
    monkeypatch.setattr(Learner, "train", die)
    with pytest.raises(_KilledError):
        _train(examples, tmp_path, config, existing=existing)
    monkeypatch.undo()
    kept = (tmp_path / "out" / "checkpoints").glob("*/packed/*/patches.npy")
    assert {path.parent.name.split("-")[0] for path in kept} == {"train", "val"}
    monkeypatch.setattr(packing, "_write", lambda *_: pytest.fail("was packed again"))
    _train(examples, tmp_path, config, existing=existing, keep_checkpoints=True)
    (folder,) = (tmp_path / "out" / "checkpoints").iterdir()
    assert (folder / "packed").is_dir()
    loop.forget(folder.name, str(folder.parent))
    assert not folder.parent.exists()


def test_a_temporary_folder_of_a_dead_process_is_deleted(examples, tmp_path, monkeypatch):
    """Without checkpoints nobody goes on, and the patches are not kept."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = stale_dirs.process().rpartition("-")[0] + f"-{dead.pid}"
    (tmp_path / "temporary" / f"packed-{left}.x_8").mkdir(parents=True)
    (tmp_path / "temporary" / "packed-lunch").mkdir()
    config = _CONFIG.model_copy(update={"stages": _STAGES[:1], "checkpoint_every": 0})
    _train(examples, tmp_path, config)
    assert not (tmp_path / "out" / "checkpoints").exists()
    left = [path.name for path in (tmp_path / "temporary").glob("packed-*")]
    assert left == ["packed-lunch"]


def test_without_val_the_last_weights_are_exported(tmp_path):
    write_examples(tmp_path / "examples", {"train": SPLITS["train"]})
    config = _CONFIG.model_copy(update={"stages": _STAGES[:1]})
    result = _train(
        str(tmp_path / "examples"),
        tmp_path,
        config,
        folders=folders_in(tmp_path, packed=str(tmp_path / "packed")),
    )
    assert result.validation == {}
    assert result.best_step == result.steps == 8
    exported = _events(tmp_path)[-1]
    assert (exported["event"], exported["step"]) == ("export", 8)
    assert exported["reason"] == "the last one, as there is no val split"
    kept = {path.name.split("-")[0] for path in (tmp_path / "packed").iterdir()}
    assert kept == {"train", "val"}


def test_a_broken_loss_rolls_back_to_the_last_good_state_and_lowers_the_rate(
    examples, tmp_path, monkeypatch
):
    """The third block of steps breaks weights and loss; the run goes on from before it."""
    train, calls, restored = Learner.train, [], []

    def breaking(self, batches, patches_per_point, rates, first_step):
        metrics = train(self, batches, patches_per_point, rates, first_step)
        calls.append(float(rates[0]))
        if len(calls) == 3:
            for variable in self.model.trainable_variables:
                variable.assign(tf.fill(variable.shape, math.nan))
            return {**metrics, "loss": math.nan}
        return metrics

    def restoring(self, snapshot):
        restored.append(all(np.isfinite(values).all() for values in snapshot.model))
        restore(self, snapshot)

    restore = Learner.restore
    monkeypatch.setattr(Learner, "train", breaking)
    monkeypatch.setattr(Learner, "restore", restoring)
    result = _train(examples, tmp_path)
    assert result.rollbacks == 1
    assert restored == [True, True]  # the rollback, and the best weights at the end
    assert not result.gave_up
    assert calls[3] == pytest.approx(0.3 * calls[2])
    rollback = next(event for event in _events(tmp_path) if event["event"] == "rollback")
    assert "not finite" in rollback["reason"]
    serving = tf.saved_model.load(result.model_path).signatures["serving_default"]
    descriptors = serving(patches=tf.zeros([2, 65, 65], tf.uint8))["descriptors"]
    assert np.isfinite(descriptors).all()


def test_a_run_that_breaks_again_and_again_gives_up_with_a_usable_model(
    examples, tmp_path, monkeypatch
):
    train = Learner.train

    def breaking(self, *arguments):
        return {**train(self, *arguments), "loss": math.nan}

    monkeypatch.setattr(Learner, "train", breaking)
    controller = _CONTROLLER.model_copy(update={"max_rollbacks": 1})
    config = _CONFIG.model_copy(update={"controller": controller})
    result = _train(examples, tmp_path, config)
    assert result.gave_up
    assert "loss is not finite" in result.ended
    assert [e["event"] for e in _events(tmp_path)].count("rollback") == 1
    assert tf.io.gfile.exists(result.model_path + "/saved_model.pb")


def test_dataset_normalisation_takes_its_numbers_from_the_training_pixels(examples, tmp_path):
    model = _CONFIG.model.model_copy(update={"normalise": "dataset"})
    config = _CONFIG.model_copy(update={"model": model, "stages": _STAGES[:1]})
    result = _train(examples, tmp_path, config)
    normalisation = _identity(result.model_path)["preprocessing"]["normalisation"]
    assert normalisation["kind"] == "dataset"
    assert normalisation["mean"] == pytest.approx(128, abs=3)
    assert normalisation["deviation"] == pytest.approx(45, abs=10)
