"""The loop of a training run, and what it keeps between two observations."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import Any

import numpy as np

from trainer.core.config import StageConfig
from trainer.core.errors import UserError
from trainer.core.interruption import Interrupted, StopRequest, stop_requests
from trainer.core.progress import report
from trainer.core.variants import NOISES
from trainer.curriculum import collapse, stages
from trainer.curriculum.auto_plan import Resources
from trainer.curriculum.plan import rate_at
from trainer.curriculum.probe import ProbeSignals
from trainer.data.batches import Sampler, SamplerState, largest_batch
from trainer.data.host_infeed import HostInfeed, HostPatches
from trainer.data.infeed import Infeed
from trainer.data.packing import PackedPatches
from trainer.data.pixels import pixels
from trainer.engine.checkpoints import CheckpointStore, newest_of_chief
from trainer.engine.learner import Learner
from trainer.engine.run_state import Best, Clock, RunState
from trainer.model.patch_identity import MatchingRule
from trainer.reporting.result import TrainingResult, shortfall
from trainer.reporting.stage_progress import StageProgress
from trainer.reporting.tensorboard import TensorBoardWriter
from trainer.reporting.timeline import Timeline
from trainer.reporting.validation import ValidationSet

PROBE_POINTS, PROBE_PATCHES = 48, 4  # S and K of the batch that the collapse signals are from
_PROBE_EPOCH = 2**30  # an epoch no training reaches: the probe draws batches of its own

# Of healthy observations in a row, the one after any of these is told (`reporting.timeline`).
_AROUND_GOOD = ("good", "stage", "suspect", "rollback")

_log = logging.getLogger(__name__)


class Run:
    """The loop and what it keeps between two observations.

    Args:
        learner: Network in training.
        data: Packed train and val split.
        tensorboard: Where curves and pictures go.
        timeline: Where decisions go.
        store: Checkpoints of the run.
        clock: Times since the run began.
        made_for: Data and machine that `stages: auto` was resolved for; None for a given plan.
        host_patches: Training patches of several hosts; None with one host.
    """

    def __init__(
        self,
        learner: Learner,
        data: tuple[PackedPatches, PackedPatches],
        tensorboard: TensorBoardWriter,
        timeline: Timeline,
        store: CheckpointStore,
        clock: Clock,
        made_for: Resources | None = None,
        host_patches: HostPatches | None = None,
    ) -> None:
        train_set, val_set = data
        self._config = config = learner.config
        self._learner = learner
        self._hosts = learner.hosts
        self._data = train_set
        self._host_patches = host_patches
        self._clock = clock
        self._tensorboard = tensorboard
        self._timeline = timeline
        self._store = store
        self._validation_set = ValidationSet.of(val_set, config.validation)
        most = largest_batch(train_set.sequence, train_set.scene)
        self._probe_place = SamplerState(config.seed, _PROBE_EPOCH)
        probe = min(PROBE_POINTS, most), PROBE_PATCHES
        self._probe_batch = next(Sampler(train_set, *probe, NOISES, self._probe_place))
        self._next_batch: tuple[StageConfig, np.ndarray] | None = None
        self._progress = StageProgress()
        self._made_for = made_for

    def to_the_end(self, calibrate: bool) -> RunState:
        """Trains until the controller ends the run; the learner then holds the best weights.

        Args:
            calibrate: Whether the network has no batch norm statistics yet. One that has them was
                trained before: it is validated as it comes, and exported if nothing is better.

        Raises:
            Interrupted: After a signal, when the steps at hand are done and saved.
        """
        state = self._resumed() or self._begun(calibrate)
        with stop_requests() as request:
            while not state.controller.ended:
                entered = state.controller.entered
                with self._enter(state) as infeed:
                    while state.controller.entered == entered and not state.controller.ended:
                        seen = self._advance(state, infeed)
                        self._progress.tell(state.controller, seen)
                        decisions = self._observe(state, seen)
                        self._validate_when_due(state, decisions)
                        self._show_when_due(state)
                        self._checkpoint_when_due(state, entered, request)
                    self._progress.leave(decisions)
        self._export_best(state)
        return state

    def _begun(self, calibrate: bool) -> RunState:
        """Returns the state before the first step."""
        learner = self._learner
        if calibrate:
            learner.calibrate(self._probe_batch)
        if self._made_for is not None:
            reason = "stages is auto: made for the data, the memory and the device"
            values = dataclasses.asdict(self._made_for)
            values["plan"] = [stage.in_words for stage in self._config.plan]
            self._timeline.add("plan", 0, 0, reason, **values)
        start = self._signals()
        self._timeline.add("start", 0, 0, "before the first step", **start.as_dict())
        controller = stages.ControllerState(
            self._config.plan,
            start,
            healthy_distance=collapse.healthy_distance(start, learner.loss.distance_scale),
            multiple=learner.replicas,
        )
        # Good before step 1: one step at a high rate can spoil everything.
        state = RunState(controller, SamplerState(self._config.seed), good=learner.snapshot())
        if self._validation_set and not calibrate:
            self._validate(state)
        return state

    def _signals(self) -> ProbeSignals:
        """Returns the chief's signs of a collapse, with which all hosts decide the same."""
        seen = self._learner.probe(self._probe_batch, PROBE_PATCHES)
        return ProbeSignals(**self._hosts.from_chief(seen.as_dict()))

    def _resumed(self) -> RunState | None:
        """Returns the state of the newest whole checkpoint, and puts its weights in place."""
        checkpoint, damaged = newest_of_chief(self._store, self._hosts)
        state = None
        if checkpoint is not None:
            state = RunState.of(checkpoint)
            state.controller = self._on_these_replicas(state.controller)
            self._learner.restore(checkpoint.snapshots["learner"])
            self._clock.add(state.wall_seconds, state.cpu_seconds)
            self._timeline.events = list(checkpoint.state["events"])
            if self._hosts.is_chief:
                self._tensorboard.take_over(state.log_dir)
        step, stage = (state.controller.step, state.controller.stage) if state else (0, 0)
        for problem in damaged:
            _log.warning("%s; the one before it is taken", problem)
            self._timeline.add("damaged_checkpoint", step, stage, problem)
        if state:
            self._timeline.add("resume", step, stage, f"from {self._store.folder}")
            report("going on from a checkpoint", step, step, "steps taken before")
        return state

    def _on_these_replicas(self, controller: stages.ControllerState) -> stages.ControllerState:
        """Returns the controller of a run that may have begun on another number of replicas.

        Raises:
            UserError: When a stage of its plan cannot be shared by those of now.
        """
        replicas = self._learner.replicas
        for stage in controller.plan[controller.stage :]:
            if stage.points_per_batch % replicas:
                raise UserError(
                    f"{self._store.folder}: the run has a stage of {stage.in_words}, which "
                    f"{replicas} replicas cannot share evenly; go on with {controller.multiple} "
                    f"replicas, or begin anew with --overwrite"
                )
        return dataclasses.replace(controller, multiple=replicas)

    def _enter(self, state: RunState) -> Infeed | HostInfeed:
        """Begins a stage, or goes on in the middle of one."""
        controller = state.controller
        stage = controller.current
        self._progress.enter()
        if controller.stage_step == 0:
            shape = {"S": stage.points_per_batch, "K": stage.patches_per_point}
            rate, place = stage.learning_rate, (controller.step, controller.stage)
            self._timeline.add("stage", *place, "begins", **shape, rate=rate)
        block = self._config.steps_per_loop
        if self._host_patches is not None:
            placement = self._learner.placement
            return HostInfeed(placement, self._host_patches, stage, block, state.sampler)
        rows = self._learner.resident is not None
        return Infeed(Sampler.of(self._data, stage, state.sampler), block, rows=rows)

    def _advance(self, state: RunState, infeed: Infeed | HostInfeed) -> stages.Observation:
        """Takes some steps and observes the outcome."""
        controller, learner = state.controller, self._learner
        stage = controller.current
        started = time.perf_counter()
        steps = stages.steps_until_decision(controller, self._config.steps_per_loop)
        after = dataclasses.replace(
            controller, step=controller.step + steps, stage_step=controller.stage_step + steps
        )
        ended = after.stage_step >= stage.max_steps
        ahead = 0 if ended else stages.steps_until_decision(after, self._config.steps_per_loop)
        places = range(controller.stage_step, after.stage_step)
        rates = np.array([rate_at(stage, place) for place in places], np.float32)
        waited = infeed.waited
        batches = infeed.take(steps, ahead)
        waited = infeed.waited - waited
        metrics = learner.train(batches, stage.patches_per_point, rates, controller.step)
        seconds = time.perf_counter() - started
        state.sampler = infeed.state
        state.weights_at = after.step
        state.stepping_seconds += seconds
        state.waited += waited
        probe = self._signals()
        next_normalized_loss = None
        if self._config.controller.enabled and stages.wants_next_probe(controller, steps):
            next_normalized_loss = self._hosts.from_chief(
                self._normalized_loss_on(controller.following)
            )
        speed = {"patches_per_second": steps * stage.batch / seconds}
        speed |= {"input_wait": waited / seconds, "learning_rate": float(rates[-1])}
        seen = {**metrics, **speed, "stage": float(controller.stage)}
        self._tensorboard.scalars(after.step, train=seen, probe=probe.as_dict())
        return stages.Observation(
            steps=steps,
            loss=metrics["loss"],
            normalized_loss=learner.loss.normalized(metrics["triplet_loss"]),
            probe=probe,
            next_normalized_loss=next_normalized_loss,
            cpu_seconds=self._hosts.from_chief(self._clock.cpu()),
        )

    def _normalized_loss_on(self, stage: StageConfig | None) -> float | None:
        """Returns the loss of the present weights on a batch of another stage's shape."""
        if stage is None:
            return None
        if self._next_batch is None or self._next_batch[0] != stage:
            self._next_batch = (stage, next(Sampler.of(self._data, stage, self._probe_place)))
        batch = self._next_batch[1]
        return self._learner.normalized_loss_on(batch, stage.patches_per_point)

    def _observe(self, state: RunState, seen: stages.Observation) -> tuple[stages.Decision, ...]:
        """Lets the controller decide and does what it says."""
        entered = state.controller.entered
        state.controller, decisions = stages.observe(
            state.controller, seen, self._config.controller
        )
        for decision in decisions:
            if decision.kind == "good":
                state.good, state.good_at = self._learner.snapshot(), decision.step
            elif decision.kind in ("rollback", "give_up"):
                self._learner.restore(state.good)
                state.weights_at = state.good_at
            self._record(decision, state.controller)
        if state.controller.entered != entered:
            state.sampler = SamplerState(self._config.seed, state.sampler.epoch + 1)
        return decisions

    def _record(self, decision: stages.Decision, state: stages.ControllerState) -> None:
        if decision.kind == "good" and self._timeline.last_of(*_AROUND_GOOD) == "good":
            return
        values: dict[str, Any] = dict(decision.values)
        if decision.kind in ("rollback", "insert", "shorten"):
            values["plan"] = [stage.in_words for stage in state.plan[state.stage :]]
        self._timeline.add(decision.kind, decision.step, decision.stage, decision.reason, **values)

    def _validate_when_due(self, state: RunState, decisions: tuple[stages.Decision, ...]) -> None:
        """Scores the weights on `val` and keeps the best."""
        step = state.controller.step
        left_stage = any(decision.kind in ("promote", "insert") for decision in decisions)
        due = step - state.validated_at >= self._config.validation.every_steps
        if not self._validation_set or not (due or left_stage or state.controller.ended):
            return
        if step != state.validated_at:
            self._validate(state)

    def _validate(self, state: RunState) -> None:
        step, stage = state.controller.step, state.controller.stage
        state.validated_at = step
        descriptors = self._validation_set.described(self._describe)
        scores = self._hosts.from_chief(self._validation_set.score(descriptors))
        self._tensorboard.scalars(step, val=scores)
        self._progress.validated(scores["mean"])
        # Just after a rollback the weights are older than the step.
        told = {**scores, "weights_at": state.weights_at}
        self._timeline.add("validate", step, stage, "matching mAP on val", **told)
        if state.best is None or scores["mean"] > state.best.scores["mean"]:
            state.best = Best(state.weights_at, scores, self._learner.snapshot())
            self._tensorboard.projection(self._validation_set, descriptors)

    def _show_when_due(self, state: RunState) -> None:
        """Draws the probe batch as often as the weights are validated, and at the end."""
        step = state.controller.step
        every = self._config.validation.every_steps
        if state.controller.ended or step - state.shown_at >= every:
            state.shown_at = step
            descriptors = self._describe(self._probe_batch)
            self._tensorboard.batch(step, self._probe_batch, descriptors, PROBE_PATCHES)

    def _describe(self, patches: np.ndarray) -> np.ndarray:
        return self._learner.forward(patches)[1]

    def _checkpoint_when_due(self, state: RunState, entered: int, request: StopRequest) -> None:
        """Saves the run now and then, after each stage, at its end and before it stops.

        Raises:
            Interrupted: When it is.
        """
        controller, every = state.controller, self._config.checkpoint_every
        due = controller.step - state.checkpointed_at >= every
        due = due or controller.entered != entered or bool(controller.ended)
        stop = self._hosts.any_signal(request.signal)
        if every and (due or stop):
            self._save(state)
        if stop:
            kept = "the same command goes on from there"
            lost = "nothing was kept, as checkpoint_every is 0"
            raise Interrupted(f"stopped at step {controller.step}; {kept if every else lost}", stop)

    def _save(self, state: RunState) -> None:
        step = state.controller.step
        state.checkpointed_at, state.log_dir = step, self._tensorboard.folder
        if not self._hosts.is_chief:
            return
        self._tensorboard.flush()  # the curves up to a checkpoint are on disk like it
        state.wall_seconds, state.cpu_seconds = self._clock.wall(), self._clock.cpu()
        # The present weights may have been copied already: one copy, one file.
        present = state.good if state.good_at == state.weights_at else None
        if state.best and state.best.step == state.weights_at:
            present = state.best.snapshot
        present = present or self._learner.snapshot()
        self._store.save(state.checkpoint(present, self._timeline.events))

    def _export_best(self, state: RunState) -> None:
        """Puts the weights to export into the learner: the best on `val`, or else it has them."""
        best = state.best
        step, reason, scores = state.weights_at, "the last one, as there is no val split", {}
        if best is not None:
            self._learner.restore(best.snapshot)
            step, reason, scores = best.step, "best on val", best.scores
            if not step:
                reason = "best on val: what it started from, which no step made better"
        elif _gave_up(state.controller):
            reason = "the last good one, as the run gave up and there is no val split"
        self._timeline.add("export", step, state.controller.stage, reason, **scores)
        self._tensorboard.flush()

    def matching_rule(self) -> MatchingRule:
        """Returns the rule by which the exported descriptors are matched; empty without `val`."""
        return self._validation_set.matching_rule(self._describe)

    def result(self, state: RunState, run: str, model_path: str) -> TrainingResult:
        """Returns how the run went."""
        controller, best = state.controller, state.best
        stepping = max(state.stepping_seconds, 1e-9)
        loss = self._learner.probe(self._probe_batch, PROBE_PATCHES).normalized_loss
        floor = None
        if self._validation_set:
            floor = self._validation_set.score(self._validation_set.described(pixels))["mean"]
        return TrainingResult(
            run=run,
            model_path=model_path,
            ended=controller.ended,
            gave_up=_gave_up(controller),
            steps=controller.step,
            patches=controller.patches,
            best_step=best.step if best else state.weights_at,
            validation=best.scores if best else {},
            rollbacks=controller.rollbacks,
            traces=self._learner.traces,
            wall_seconds=self._clock.wall(),
            cpu_seconds=self._clock.cpu(),
            patches_per_second=controller.patches / stepping,
            input_wait=state.waited / stepping,
            stages=[stage.in_words for stage in controller.plan],
            planned=[
                {
                    "stage": stage.in_words,
                    "patches": stage.max_steps * stage.batch,
                    "trained": trained,
                }
                for stage, trained in zip(self._config.plan, controller.trained, strict=True)
            ],
            pixels=floor,
            normalized_loss=loss,
            shortfall=shortfall(best.scores["mean"] if best else None, floor, loss),
        )


def _gave_up(controller: stages.ControllerState) -> bool:
    return controller.ended.startswith("gave up")
