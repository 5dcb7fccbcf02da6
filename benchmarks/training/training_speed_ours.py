"""Our training step and its parts: a worker of `training_speed`."""

from __future__ import annotations

import collections
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks.harness.timing import Job, Part, serve
from trainer.core.config import ModelConfig, TrainerConfig
from trainer.data import image
from trainer.engine.learner import Learner

RATE = 1e-3
_SIDE = 2048  # of the matrices whose product is the yardstick
_KINDS = {"Conv2D": "convolutions", "BatchNorm": "batch norm", "Relu": "ReLU"}
_OPERATION = re.compile(r"[\w./-]+:_?(\w+)")  # in a profile: name in the graph, then its kind


class Training:
    """A learner and parts of its step, each a function of the number of steps.

    Args:
        job: What to train; its weights are written for the other side.
    """

    def __init__(self, job: Job) -> None:
        model = ModelConfig(network="l2net", width=job.width)
        config = TrainerConfig(model=model, augment=job.augment, bfloat16=job.bfloat16)
        placement = tf.distribute.OneDeviceStrategy("/cpu:0")
        self._job = job
        self._learner = Learner(config, placement, image.Normalisation(kind="patch"))
        kernels = [variable.numpy() for variable in self._learner.model.trainable_variables]
        np.savez(job.weights, *kernels)
        self._batches = np.load(job.batches)
        self._taken = 0
        self._without_loss = self._compiled_without_loss()
        self._loss_alone = tf.function(self._loss_and_gradient, autograph=False)
        random = np.random.default_rng(0).standard_normal((job.batch, config.model.dimension))
        random /= np.linalg.norm(random, axis=1, keepdims=True)
        self._descriptors = tf.constant(random, tf.float32)

    def parts(self) -> Mapping[str, Part]:
        """Returns what can be timed."""
        return {
            "step": self.step,
            "without_loss": self.without_loss,
            "loss": self.loss,
            "profile": self.profile,
            "losses": self.losses,
            "product": product,
        }

    def step(self, count: int) -> float:
        """Takes steps as a run does, many in one call; returns their mean loss."""
        rates = np.full(count, RATE, np.float32)
        metrics = self._learner.train(
            self._batches, self._job.patches_per_point, rates, self._taken
        )
        self._taken += count
        return metrics["loss"]

    def losses(self, count: int) -> list[float]:
        """Takes steps one by one and returns their losses."""
        values = []
        for number in range(count):
            batch = self._batches[number : number + 1]
            rates = np.full(1, RATE, np.float32)
            metrics = self._learner.train(batch, self._job.patches_per_point, rates, number)
            values.append(metrics["loss"])
        return values

    def without_loss(self, count: int) -> None:
        """Forward, backward and update alone: no augmentation, mining, loss or metrics."""
        self._without_loss(tf.constant(self._batches), tf.constant(count)).numpy()

    def loss(self, count: int) -> None:
        """The mining, the loss and its gradient alone."""
        for _ in range(count):
            self._loss_alone(self._descriptors)

    def profile(self, count: int) -> dict[str, float]:
        """Returns the share of each kind of operation in the time of all operations."""
        with tempfile.TemporaryDirectory() as folder:
            tf.profiler.experimental.start(folder)
            self.step(count)
            tf.profiler.experimental.stop()
            (path,) = Path(folder).rglob("*.xplane.pb")
            space = xplane_pb2.XSpace.FromString(path.read_bytes())
        return shares(_seconds_by_operation(space))

    def _loss_and_gradient(self, descriptors: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(descriptors)
            units = self._learner.loss.per_unit(descriptors, self._job.patches_per_point)
            loss = tf.reduce_mean(units.loss)
        return tape.gradient(loss, descriptors)

    def _compiled_without_loss(self) -> tf.types.experimental.PolymorphicFunction:
        learner = self._learner
        optimizer = learner.optimizer

        @tf.autograph.experimental.do_not_convert
        def one(patches: tf.Tensor) -> tf.Tensor:
            inputs = image.normalise(patches, learner.normalisation)
            with tf.GradientTape() as tape:
                descriptors = learner.model(inputs, training=True)[1]
                total = tf.reduce_sum(descriptors[:, 0])
            variables = learner.model.trainable_variables
            gradients = tape.gradient(total, variables)
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return total

        @tf.function
        def steps(batches: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
            totals = tf.zeros([])
            for number in tf.range(count):
                totals += one(batches[number])
            return totals

        return steps


def product(count: int) -> float:
    """Multiplies matrices: what the processor gives at best. Returns the operations."""
    left = tf.ones([_SIDE, _SIDE])
    for _ in range(count):
        tf.linalg.matmul(left, left).numpy()
    return 2.0 * _SIDE**3 * count


def shares(seconds: Mapping[str, float]) -> dict[str, float]:
    """Sums the operations up to a few kinds.

    Args:
        seconds: By kind of operation, as TensorFlow calls it.

    Returns:
        Shares that add up to 1: `convolutions`, `batch norm`, `ReLU` and `rest`.
    """
    sums: dict[str, float] = collections.defaultdict(float)
    for operation, value in seconds.items():
        kind = next((kind for part, kind in _KINDS.items() if part in operation), "rest")
        sums[kind] += value
    total = sum(sums.values())
    return {kind: sums[kind] / total for kind in (*_KINDS.values(), "rest")}


def _seconds_by_operation(space: xplane_pb2.XSpace) -> dict[str, float]:
    seconds: dict[str, float] = collections.defaultdict(float)
    for plane in space.planes:
        names = {key: value.name for key, value in plane.event_metadata.items()}
        for event in (event for line in plane.lines for event in line.events):
            match = _OPERATION.fullmatch(names[event.metadata_id])
            if match:
                seconds[match[1]] += event.duration_ps * 1e-12
    return seconds


def _prepare(job: Job) -> Mapping[str, Part]:
    return Training(job).parts()


def main() -> None:
    """Serves on as many threads as the first argument says."""
    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
    tf.config.threading.set_inter_op_parallelism_threads(int(sys.argv[1]))
    serve(_prepare)


if __name__ == "__main__":
    main()
