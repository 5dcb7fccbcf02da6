"""A training run from the examples to the SavedModel."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import posixpath
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from trainer import export, manifest, packing, stages, strategy
from trainer.batches import Sampler, SamplerState, check_stages, largest_batch
from trainer.checkpoints import CheckpointStore
from trainer.config import StageConfig, TrainerConfig
from trainer.files import make_writable_folder, write_text, writing
from trainer.image import Normalisation
from trainer.infeed import Infeed
from trainer.learner import Learner, Snapshot
from trainer.packing import PackedPatches
from trainer.plan import rate_at
from trainer.progress import report
from trainer.timeline import Timeline
from trainer.validation import ValidationSet
from trainer.variants import NOISES

SERVING_DIR = "Format-Serving"
RESULT_FILE = "training_result.json"
_PROBE_EPOCH = 2**30  # an epoch no training reaches: the probe draws batches of its own

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """How a run went; `training_result.json` holds the same.

    Attributes:
        model_path: The SavedModel.
        ended: Why the run ended.
        gave_up: Whether it gave up, so that the model is the best of an unfinished run.
        steps: Steps taken, those before rollbacks included.
        patches: Patches seen.
        best_step: Step the exported weights are from.
        validation: Matching mAP of the exported weights on `val` (`e`, `h`, `t`, `mean`);
            empty when there is no `val` data.
        rollbacks: How often the controller went back.
        traces: Compiled training functions (one per batch shape).
        wall_seconds: From start to end of `train`.
        cpu_seconds: Processor time of the process over the same.
        patches_per_second: While taking steps.
        input_wait: Share of the stepping time spent waiting for batches.
    """

    model_path: str
    ended: str
    gave_up: bool
    steps: int
    patches: int
    best_step: int
    validation: dict[str, float]
    rollbacks: int
    traces: int
    wall_seconds: float
    cpu_seconds: float
    patches_per_second: float
    input_wait: float


def train(
    config: TrainerConfig,
    examples_root: str,
    transform_graph: str | None,
    output_dir: str,
    log_dir: str,
    warm_start: str | None = None,
    pack_dir: str | None = None,
) -> TrainingResult:
    """Trains a descriptor and exports it.

    Args:
        config: What to do.
        examples_root: Folder with `manifest.json` and the shards of `train` and `val`.
        transform_graph: Output of Transform; None resizes the patches directly.
        output_dir: Gets `Format-Serving/` (the SavedModel), `training_result.json` and
            `timeline.json`.
        log_dir: Gets TensorBoard's files and the checkpoints.
        warm_start: SavedModel to start from, or None.
        pack_dir: Local folder that keeps the packed patches for the next run; None packs into
            a temporary one.

    Raises:
        UserError: When the data cannot fill the batches, a shard is broken, the devices asked
            for are not there, or a folder cannot be written.
    """
    clock = _Clock()
    _use_threads(config.threads)
    placement = strategy.create(config)
    strategy.check_divisible(config, placement.num_replicas_in_sync)
    examples = manifest.read(examples_root)
    check_stages(config.stages, examples)
    for written in (output_dir, log_dir):
        make_writable_folder(written)
    with _folder(pack_dir) as folder:
        train_set = packing.pack(examples_root, "train", transform_graph, folder)
        val_set = packing.pack(examples_root, "val", transform_graph, folder)
        normalisation = _normalisation(config, train_set)
        learner = Learner(config, placement, normalisation)
        if warm_start:
            export.load_weights(learner.model, warm_start)
        run = _Run(config, learner, train_set, val_set, output_dir, log_dir, clock)
        state = run.to_the_end(calibrate=not warm_start)
    identity = export.describe_itself(learner.model, config, normalisation, examples)
    model_path = posixpath.join(output_dir, SERVING_DIR)
    export.save(learner.model, normalisation, identity, model_path)
    result = run.result(state, model_path)
    write_text(
        posixpath.join(output_dir, RESULT_FILE), json.dumps(dataclasses.asdict(result), indent=1)
    )
    return result


class _Run:
    """The loop and what it keeps between two observations."""

    def __init__(
        self,
        config: TrainerConfig,
        learner: Learner,
        train_set: PackedPatches,
        val_set: PackedPatches,
        output_dir: str,
        log_dir: str,
        clock: _Clock,
    ) -> None:
        self._config = config
        self._learner = learner
        self._data = train_set
        self._clock = clock
        self._log_dir = log_dir
        self._writer = tf.summary.create_file_writer(log_dir)
        self._timeline = Timeline(output_dir, self._writer)
        self._store = CheckpointStore(posixpath.join(log_dir, "checkpoints"))
        self._validation_set = ValidationSet.of(val_set, config.validation)
        most = largest_batch(train_set.sequence, train_set.source)
        self._probe_batch = self._probe_of(
            min(config.probe.sequences, most), config.probe.variants, NOISES
        )
        self._next_batch: tuple[StageConfig, np.ndarray] | None = None
        self._epoch = 0
        self._best: tuple[float, int, Snapshot] | None = None
        self._scores: dict[str, float] = {}
        self._validated_at = 0
        self._checkpointed_at = 0
        self._stepping_seconds = 0.0
        self._waited = 0.0

    def to_the_end(self, calibrate: bool) -> stages.ControllerState:
        """Trains until the controller ends the run; the learner then holds the best weights.

        Args:
            calibrate: Whether the network has no batch norm statistics yet.
        """
        learner, settings = self._learner, self._config.controller
        if self._config.checkpoint_every:
            self._store.clear()
        if calibrate:
            learner.calibrate(self._probe_batch)
        start = learner.probe(self._probe_batch, self._config.probe.variants)
        self._timeline.add("start", 0, 0, "before the first step", **start.as_dict())
        state = stages.ControllerState(
            self._config.stages,
            start,
            healthy_distance=stages.healthy_distance(start, learner.loss.length),
            multiple=learner.replicas,
        )
        good = learner.snapshot()  # before step 1: one step at a high rate can spoil everything
        while not state.ended:
            entered = state.entered
            with self._enter(state) as infeed:
                while state.entered == entered and not state.ended:
                    seen = self._advance(state, infeed)
                    self._tell(state, seen)
                    state, decisions = stages.observe(state, seen, settings)
                    for decision in decisions:
                        if decision.kind == "good":
                            good = learner.snapshot()
                        elif decision.kind in ("rollback", "give_up"):
                            learner.restore(good)
                        self._record(decision, state)
                    self._validate_when_due(state, decisions)
                    self._checkpoint_when_due(state, infeed)
            self._epoch = infeed.state.epoch + 1
            self._waited += infeed.waited
        self._export_best(state)
        return state

    def result(self, state: stages.ControllerState, model_path: str) -> TrainingResult:
        """Returns how the run went."""
        stepping = max(self._stepping_seconds, 1e-9)
        return TrainingResult(
            model_path=model_path,
            ended=state.ended,
            gave_up=state.ended.startswith("gave up"),
            steps=state.step,
            patches=state.patches,
            best_step=self._best[1] if self._best else state.step,
            validation=self._scores,
            rollbacks=state.rollbacks,
            traces=self._learner.traces,
            wall_seconds=self._clock.wall(),
            cpu_seconds=self._clock.cpu(),
            patches_per_second=state.patches / stepping,
            input_wait=self._waited / stepping,
        )

    def _enter(self, state: stages.ControllerState) -> Infeed:
        """Begins a stage with a fresh epoch."""
        stage = state.current
        shape = {"S": stage.sequences_per_batch, "K": stage.variants_per_sequence}
        self._timeline.add(
            "stage", state.step, state.stage, "begins", **shape, rate=stage.learning_rate
        )
        position = SamplerState(self._config.seed, self._epoch)
        return Infeed(_sampler(self._data, stage, position), self._config.steps_per_loop)

    def _advance(self, state: stages.ControllerState, infeed: Infeed) -> stages.Observation:
        """Takes some steps and observes the outcome."""
        stage, learner = state.current, self._learner
        started = time.perf_counter()
        steps = stages.steps_until_decision(state, self._config.steps_per_loop)
        after = dataclasses.replace(state, stage_step=state.stage_step + steps)
        ended = after.stage_step >= stage.max_steps
        ahead = 0 if ended else stages.steps_until_decision(after, self._config.steps_per_loop)
        places = range(state.stage_step, after.stage_step)
        rates = np.array([rate_at(stage, place) for place in places], np.float32)
        waited = infeed.waited
        batches = infeed.take(steps, ahead)
        waited = infeed.waited - waited
        metrics = learner.train(batches, stage.variants_per_sequence, rates, state.step)
        seconds = time.perf_counter() - started
        self._stepping_seconds += seconds
        probe = learner.probe(self._probe_batch, self._config.probe.variants)
        next_share = None
        if self._config.controller.enabled and stages.wants_next_probe(state, steps):
            next_share = self._share_on(state.following)
        speed = {"patches_per_second": steps * stage.batch / seconds}
        speed |= {"input_wait": waited / seconds, "learning_rate": float(rates[-1])}
        step = state.step + steps
        self._scalars(step, "train", {**metrics, **speed, "stage": float(state.stage)})
        self._scalars(step, "probe", probe.as_dict())
        return stages.Observation(
            steps=steps,
            loss=metrics["loss"],
            share=learner.loss.share(metrics["loss"]),
            probe=probe,
            next_share=next_share,
            cpu_seconds=self._clock.cpu(),
        )

    def _share_on(self, stage: StageConfig | None) -> float | None:
        """Returns the loss of the present weights on a batch of another stage's shape."""
        if stage is None:
            return None
        if self._next_batch is None or self._next_batch[0] != stage:
            batch = self._probe_of(
                stage.sequences_per_batch, stage.variants_per_sequence, stage.noises
            )
            self._next_batch = (stage, batch)
        batch = self._next_batch[1]
        return self._learner.share_on(batch, stage.variants_per_sequence)

    def _probe_of(self, sequences: int, variants: int, noises: tuple[str, ...]) -> np.ndarray:
        state = SamplerState(self._config.seed, _PROBE_EPOCH)
        return next(Sampler(self._data, sequences, variants, noises, state))

    def _validate_when_due(
        self, state: stages.ControllerState, decisions: tuple[stages.Decision, ...]
    ) -> None:
        """Scores the weights on `val` and keeps the best."""
        left_stage = any(decision.kind in ("promote", "insert") for decision in decisions)
        due = state.step - self._validated_at >= self._config.validation.every_steps
        if not self._validation_set or not (due or left_stage or state.ended):
            return
        if state.step == self._validated_at:
            return
        self._validated_at = state.step
        scores = self._validation_set.score(lambda patches: self._learner.forward(patches)[1])
        self._scalars(state.step, "val", scores)
        self._timeline.add("validate", state.step, state.stage, "matching mAP on val", **scores)
        if self._best is None or scores["mean"] > self._best[0]:
            self._best = (scores["mean"], state.step, self._learner.snapshot())
            self._scores = scores

    def _export_best(self, state: stages.ControllerState) -> None:
        """Puts the weights to export into the learner: the best on `val`, or else the last."""
        if self._best is not None:
            self._learner.restore(self._best[2])
        reason = "best on val" if self._best else "the last good one, as there is no val split"
        step = self._best[1] if self._best else state.step
        self._timeline.add("export", step, state.stage, reason, **self._scores)
        with writing(self._log_dir):
            self._writer.flush()

    def _checkpoint_when_due(self, state: stages.ControllerState, infeed: Infeed) -> None:
        every = self._config.checkpoint_every
        if not every or state.step - self._checkpointed_at < every:
            return
        self._checkpointed_at = state.step
        position = dataclasses.asdict(infeed.state)
        controller = dataclasses.asdict(state)
        controller["plan"] = [stage.model_dump() for stage in state.plan]
        self._store.save(self._learner, state.step, {"controller": controller, "sampler": position})

    def _record(self, decision: stages.Decision, state: stages.ControllerState) -> None:
        if decision.kind == "good":
            return
        values: dict[str, Any] = dict(decision.values)
        if decision.kind in ("rollback", "insert", "shorten"):
            values["plan"] = [
                f"S{stage.sequences_per_batch} K{stage.variants_per_sequence} "
                f"rate {stage.learning_rate:g} steps {stage.max_steps}"
                for stage in state.plan[state.stage :]
            ]
        self._timeline.add(decision.kind, decision.step, decision.stage, decision.reason, **values)

    def _tell(self, state: stages.ControllerState, seen: stages.Observation) -> None:
        """One sign of life for whoever watches."""
        stage = state.current
        speed = (state.patches + seen.steps * stage.batch) / max(self._stepping_seconds, 1e-9)
        report(
            f"training stage {state.stage + 1} of {len(state.plan)} "
            f"(S {stage.sequences_per_batch}, K {stage.variants_per_sequence})",
            state.stage_step + seen.steps,
            max(stage.max_steps, state.stage_step + seen.steps),
            f"loss {seen.loss:.3f}, {speed:,.0f} patches/s",
        )

    def _scalars(self, step: int, group: str, values: dict[str, float]) -> None:
        with writing(self._log_dir), self._writer.as_default():
            for name, value in values.items():
                tf.summary.scalar(f"{group}/{name}", value, step=step)


class _Clock:
    """Wall and processor time since it was made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def wall(self) -> float:
        return time.perf_counter() - self._wall

    def cpu(self) -> float:
        return time.process_time() - self._cpu


def _sampler(data: PackedPatches, stage: StageConfig, state: SamplerState) -> Sampler:
    return Sampler(
        data, stage.sequences_per_batch, stage.variants_per_sequence, stage.noises, state
    )


def _normalisation(config: TrainerConfig, data: PackedPatches) -> Normalisation:
    if config.model.normalise == "patch":
        return Normalisation(kind="patch", floor=config.model.deviation_floor)
    mean, deviation = data.pixel_statistics()
    return Normalisation(kind="dataset", mean=mean, deviation=deviation)


def _use_threads(threads: int) -> None:
    if not threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError:
        _log.warning("threads: %d is ignored, TensorFlow is already running", threads)


@contextlib.contextmanager
def _folder(kept: str | None) -> Iterator[str]:
    """Yields the folder to keep packed patches in, or a temporary one."""
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="packed-") as temporary:
        yield temporary
