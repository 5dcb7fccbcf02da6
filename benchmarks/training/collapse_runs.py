"""One cell of the collapse matrix: plain training and the controller from the same seeds.

Both arms take the same steps until the controller first acts, because the same seeds give
the same batches and weights; so those steps are taken once, with the controller watching,
and its arm goes on alone from its first rollback. Where it never acts, plain training is
what it would have done.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import tf_keras

from benchmarks.training.collapse_matrix import Cell, onset
from components.descriptor_evaluator.descriptors import handcrafted
from trainer.core.config import ControllerConfig, TrainerConfig, ValidationConfig
from trainer.core.variants import NOISES
from trainer.curriculum import collapse, stages
from trainer.curriculum.plan import rate_at
from trainer.curriculum.probe import ProbeSignals
from trainer.data import packing
from trainer.data.batches import Sampler, SamplerState, largest_batch
from trainer.data.image import Normalisation
from trainer.engine import strategy
from trainer.engine.learner import Learner
from trainer.engine.run import PROBE_PATCHES, PROBE_POINTS
from trainer.reporting.validation import ValidationSet

_PROBE_EPOCH = 2**30  # an epoch no training reaches
_WATCHED = ("good", "suspect", "finish")  # decisions that change nothing


class Data:
    """The demo's patches: `train` to train on, `eval` (other photographs) to score on.

    Args:
        examples: Folder of the examples; they are packed beside it.
    """

    def __init__(self, examples: str) -> None:
        packed = f"{examples}-packed"
        self.train = packing.pack(examples, "train", None, packed)
        points = ValidationConfig(points_per_sequence=150, max_points=1500)
        self.scored = ValidationSet.of(packing.pack(examples, "eval", None, packed), points)

    @cached_property
    def pixels(self) -> float:
        """Matching mAP of normalised pixels (8 x 8), below which a network has collapsed."""
        return self.score(lambda patches: handcrafted.describe("pixels", patches))

    def score(self, describe: Callable[[np.ndarray], np.ndarray]) -> float:
        """Returns matching mAP of descriptors of uint8 [1024, 32, 32]."""
        return self.scored.score(self.scored.described(describe))["mean"]


class Training:
    """A network in training, with what it takes to step and to look at it."""

    def __init__(self, config: TrainerConfig, data: Data) -> None:
        self._config, self._data = config, data
        normalisation = Normalisation(kind="patch")
        self.learner = Learner(config, strategy.create(config), normalisation)
        points = min(PROBE_POINTS, largest_batch(data.train.sequence, data.train.scene))
        self._probe = self._batch(points, PROBE_PATCHES, NOISES)
        self.learner.calibrate(self._probe)
        start = self.learner.probe(self._probe, PROBE_PATCHES)
        self.start = stages.ControllerState(
            config.plan, start, collapse.healthy_distance(start, self.learner.loss.distance_scale)
        )
        self._sampler: Sampler | None = None
        self._entered = 0

    def advance(self, state: stages.ControllerState) -> stages.Observation:
        """Takes the steps until the next observation, as `trainer.engine.run` does."""
        stage, block = state.current, self._config.steps_per_loop
        steps = stages.steps_until_decision(state, block)
        sampler = self._sampler_of(state)
        batches = [next(sampler) for _ in range(steps)]
        batches += [np.zeros_like(batches[0])] * (block - steps)
        places = range(state.stage_step, state.stage_step + steps)
        rates = np.array([rate_at(stage, place) for place in places], np.float32)
        metrics = self.learner.train(np.stack(batches), stage.patches_per_point, rates, state.step)
        next_loss = None
        if stages.wants_next_probe(state, steps) and state.following is not None:
            coming = state.following
            shape = coming.points_per_batch, coming.patches_per_point
            batch = self._batch(*shape, coming.noises)
            next_loss = self.learner.normalized_loss_on(batch, coming.patches_per_point)
        probe = self.learner.probe(self._probe, PROBE_PATCHES)
        normalized_loss = self.learner.loss.normalized(metrics["triplet_loss"])
        return stages.Observation(steps, metrics["loss"], normalized_loss, probe, next_loss)

    def outcome(self) -> dict[str, float]:
        """Returns matching mAP on the held-out photographs and signals relative to the start."""
        score = self._data.score(lambda patches: self.learner.forward(patches)[1])
        probe = self.learner.probe(self._probe, PROBE_PATCHES)
        return {
            "map": round(score, 4),
            "distance": round(relative_distance(self.start, probe), 4),
            "rank": round(probe.effective_rank / self.start.start.effective_rank, 4),
            "normalized_loss": round(probe.normalized_loss, 4),
        }

    @property
    def epoch(self) -> int:
        """Epoch of the training data that the steps taken last were of."""
        return self._sampler.state.epoch if self._sampler else -1

    def begin_after(self, epoch: int) -> None:
        """Lets the next stage begin the epoch after `epoch`, whatever was drawn since."""
        if self._sampler is not None:
            self._sampler.state = SamplerState(self._config.seed, epoch)

    def _sampler_of(self, state: stages.ControllerState) -> Sampler:
        """Returns the sampler of the present stage; each stage begins an epoch."""
        if self._sampler is None or self._entered != state.entered:
            stage = state.current
            position = SamplerState(self._config.seed, self.epoch + 1)
            self._sampler = Sampler.of(self._data.train, stage, position)
            self._entered = state.entered
        return self._sampler

    def _batch(self, points: int, patches_per_point: int, noises: tuple[str, ...]) -> np.ndarray:
        state = SamplerState(self._config.seed, _PROBE_EPOCH)
        return next(Sampler(self._data.train, points, patches_per_point, noises, state))


def relative_distance(state: stages.ControllerState, probe: ProbeSignals) -> float:
    """Returns the probe distance as a share of that before the first step."""
    return probe.pair_distance / state.start.pair_distance


def run_pair(cell: Cell, data: Data) -> dict[str, Any]:
    """Trains a cell both ways.

    Returns:
        `plain` and `controller`, each `map`, `distance`, `rank` and `normalized_loss` of the final
        state, `patches`, and `trace`, the relative probe distance at each observation; of the
        controller also `events` and `attempts` (`_controlled`).
    """
    config = cell.config()
    training, on = Training(config, data), config.controller
    off = on.model_copy(update={"enabled": False})
    plain = watching = training.start
    good, forked, epoch = training.learner.snapshot(), False, 0
    events: list[list[Any]] = []
    trace: list[float] = []
    attempt: list[tuple[int, float]] = []
    while not plain.ended:
        seen = training.advance(plain)
        plain, _ = stages.observe(plain, seen, off)
        trace.append(relative_distance(plain, seen.probe))
        if forked or watching.ended:
            continue
        attempt.append((plain.step, trace[-1]))
        watching, decisions = stages.observe(watching, seen, on)
        events += _listed(decisions)
        if any(decision.kind == "good" for decision in decisions):
            good = training.learner.snapshot()
        forked = any(decision.kind not in _WATCHED for decision in decisions)
        epoch = training.epoch
    result = {"plain": {**training.outcome(), "patches": plain.patches, "trace": _short(trace)}}
    if forked:
        training.learner.restore(good)
        training.begin_after(epoch)
        result["controller"] = _controlled(training, on, watching, attempt, events)
    else:
        result["controller"] = {**result["plain"], "events": events, "attempts": []}
        result["controller"]["ended"] = watching.ended
    _forget()
    return result


def _controlled(
    training: Training,
    settings: ControllerConfig,
    state: stages.ControllerState,
    attempt: list[tuple[int, float]],
    events: list[list[Any]],
) -> dict[str, Any]:
    """Goes on from the first rollback to the end.

    Returns:
        The outcome, `events` as [step, kind, S, K, rate] of the stage then entered, and
        `attempts`, one per rollback: `steps` when it came and `onset`, the first step
        observed after which the distance stayed below half (None: it never did, another sign
        told).
    """
    good = training.learner.snapshot()
    attempts = [_attempt(attempt)]
    trace = [distance for _, distance in attempt]
    attempt = []
    events[-1] += _stage(state)
    while not state.ended:
        seen = training.advance(state)
        state, decisions = stages.observe(state, seen, settings)
        step = decisions[0].step if decisions else state.step
        attempt.append((step, relative_distance(state, seen.probe)))
        trace.append(attempt[-1][1])
        events += [[*event, *_stage(state)] for event in _listed(decisions)]
        kinds = {decision.kind for decision in decisions}
        if "good" in kinds:
            good = training.learner.snapshot()
        if kinds & {"rollback", "give_up"}:
            training.learner.restore(good)
            attempts.append(_attempt(attempt))
        if kinds & {"rollback", "promote", "insert"}:
            attempt = []
    outcome = {**training.outcome(), "patches": state.patches, "ended": state.ended}
    return {**outcome, "events": events, "attempts": attempts, "trace": _short(trace)}


def _stage(state: stages.ControllerState) -> list[float]:
    stage = state.current
    return [stage.points_per_batch, stage.patches_per_point, stage.learning_rate]


def _listed(decisions: tuple[stages.Decision, ...]) -> list[list[Any]]:
    return [[item.step, item.kind] for item in decisions if item.kind not in ("good", "finish")]


def _attempt(observed: list[tuple[int, float]]) -> dict[str, Any]:
    return {"onset": onset(observed), "steps": observed[-1][0]}


def run_gentle(cell: Cell, data: Data) -> dict[str, Any]:
    """Trains a cell plainly, but with a warm-up and clipped gradients."""
    training = Training(cell.config(gentle=True), data)
    state, trace = training.start, []
    while not state.ended:
        seen = training.advance(state)
        state, _ = stages.observe(state, seen, ControllerConfig(enabled=False))
        trace.append(relative_distance(state, seen.probe))
    outcome = {**training.outcome(), "patches": state.patches, "trace": _short(trace)}
    _forget()
    return outcome


def _short(trace: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in trace)


def _forget() -> None:
    """Lets go of the graphs of a cell: a hundred of them would fill the memory."""
    tf_keras.backend.clear_session()
    gc.collect()
