"""A network in training: its compiled steps, its forward pass, its snapshots.

The only module that knows the distribution strategy; the loop above it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tf_keras

from trainer.core.config import TrainerConfig
from trainer.curriculum import probe
from trainer.data import image
from trainer.data.augmentation import augment
from trainer.data.resident_patches import ResidentPatches
from trainer.engine import strategy
from trainer.engine.hosts import Hosts
from trainer.losses.loss import Loss
from trainer.model import l2net

METRICS = (
    "loss",
    "triplet_loss",
    "hardest_positive",
    "hardest_negative",
    "active_share",
    "spread",
    "norm",
    "gradient_norm",
)


_PART = 1024  # patches described at a time
_DROPOUT = 1  # sets its random numbers apart from the augmentation's


@dataclass(frozen=True)
class Snapshot:
    """Weights, batch norm statistics and optimizer slots, in host memory."""

    model: tuple[np.ndarray, ...]
    optimizer: tuple[np.ndarray, ...]


class Learner:
    """The network, its optimizer and its loss, placed by a strategy.

    Args:
        config: Settings of the run.
        placement: Strategy that places it.
        normalisation: Of the pixels.
        resident: Patches in the devices' memory, if batches are given as rows of them.
    """

    def __init__(
        self,
        config: TrainerConfig,
        placement: tf.distribute.Strategy,
        normalisation: image.Normalisation,
        resident: ResidentPatches | None = None,
    ) -> None:
        self.config = config
        self.resident = resident
        self.normalisation = normalisation
        self.loss = Loss.of(config.loss, config.model)
        self.traces = 0
        self.placement = placement
        self.hosts = Hosts(placement)
        self.replicas = placement.num_replicas_in_sync
        with placement.scope():
            self.model = l2net.build(
                config.model,
                config.seed,
                synchronized=self.replicas > 1,
                bfloat16=config.bfloat16,
            )
            # The optimizer's own compilation is for accelerators; the step compiles as a whole.
            self.optimizer = tf_keras.optimizers.Adam(
                1e-3, global_clipnorm=config.clip_norm, jit_compile=False
            )
            self.optimizer.build(self.model.trainable_variables)
            lengths = config.loss.norm_penalty > 0
            self._trained = l2net.with_lengths(self.model) if lengths else self.model
        mirrored = isinstance(placement, tf.distribute.MirroredStrategy)
        # A TPU computes only what its strategy runs; mirrored devices would all do the same.
        infer = self._infer if mirrored else self._infer_where_placed
        self._forward = tf.function(infer, autograph=False)
        self._steps: dict[tuple[int, int], Callable[..., tf.Tensor]] = {}

    def train(
        self,
        batches: np.ndarray | tf.distribute.DistributedValues,
        patches_per_point: int,
        rates: np.ndarray,
        first_step: int,
    ) -> dict[str, float]:
        """Takes `len(rates)` steps and returns the means of `METRICS` over them.

        Args:
            batches: uint8 [steps or more, S*K, 32, 32]; what exceeds the rates is padding that
                keeps the shape, and with it the compiled function, the same. Or int32 [steps or
                more, S*K], rows of the resident patches. Or each replica's part of either
                (`trainer.data.host_infeed`).
            patches_per_point: K.
            rates: float32, learning rate of each step.
            first_step: Number of the first step in the run; seeds the augmentation.
        """
        dealt_out = self._dealt_out(batches)
        parts = self.placement.experimental_local_results(dealt_out)
        block, share = parts[0].shape[:2]
        key = (share * self.replicas, patches_per_point)
        if key not in self._steps:
            self._steps[key] = self._compiled_steps(
                patches_per_point, [part.device for part in parts]
            )
        padded = np.zeros(block, np.float32)
        padded[: len(rates)] = rates
        means = self._steps[key](
            dealt_out,
            tf.constant(padded),
            tf.constant(len(rates)),
            tf.constant(first_step),
        )
        return dict(zip(METRICS, means.numpy().astype(float).tolist(), strict=True))

    def forward(self, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Describes patches, in inference mode.

        Args:
            patches: uint8 [N, 32, 32].

        Returns:
            Embedding before the final normalisation and descriptors, float32 [N, D] each.
        """
        embedding, descriptors = self._forward(tf.constant(patches))
        return embedding.numpy(), descriptors.numpy()

    def probe(self, patches: np.ndarray, patches_per_point: int) -> probe.ProbeSignals:
        """Returns the signals of a batch uint8 [S*K, 32, 32] in inference mode."""
        embedding, descriptors = self.forward(patches)
        normalized_loss = self._normalized_loss(descriptors, patches_per_point)
        return probe.signals(embedding, descriptors, patches_per_point, normalized_loss)

    def _normalized_loss(self, descriptors: np.ndarray, patches_per_point: int) -> float:
        triplet_loss = self.loss.mean_triplet(tf.constant(descriptors), patches_per_point)
        return self.loss.normalized(float(triplet_loss))

    def normalized_loss_on(self, patches: np.ndarray, patches_per_point: int) -> float:
        """Returns the loss on a batch as a share of the collapse point, in inference mode.

        Args:
            patches: uint8 [S*K, 32, 32]; described in parts, as the batch may be so large that
                its feature maps are not to lie in memory at once.
            patches_per_point: K.
        """
        parts = [
            self.forward(patches[start : start + _PART])[1]
            for start in range(0, len(patches), _PART)
        ]
        return self._normalized_loss(np.concatenate(parts), patches_per_point)

    def calibrate(self, patches: np.ndarray) -> None:
        """Sets the batch norms' statistics to those of a batch, so that inference is meaningful.

        Before the first step they would be 0 and 1, and the probe's start would be of another
        network than the one that trains.
        """
        norms = [
            layer
            for layer in self.model.layers
            if isinstance(layer, tf_keras.layers.BatchNormalization)
        ]
        for layer in norms:
            layer.momentum = 0.0
        pixels = tf.constant(patches)
        # A function of its own: the momentum is a constant of a traced graph.
        self.placement.run(
            tf.function(
                lambda: self.model(image.normalise(pixels, self.normalisation), training=True),
                autograph=False,
            )
        )
        for layer in norms:
            layer.momentum = l2net.BATCH_NORM_MOMENTUM

    def snapshot(self) -> Snapshot:
        """Copies the present state to host memory."""
        return Snapshot(
            tuple(map(self._value, self.model.variables)),
            tuple(map(self._value, self.optimizer.variables)),
        )

    def exported(self) -> tf_keras.Model:
        """Returns the network to export: one that no other host is needed to read."""
        if self.hosts.count == 1:
            return self.model
        network = l2net.build(self.config.model, self.config.seed, bfloat16=self.config.bfloat16)
        for variable, value in zip(network.variables, self.snapshot().model, strict=True):
            variable.assign(value)
        return network

    def _value(self, variable: tf.Variable) -> np.ndarray:
        """Reads a variable; with several hosts this one's copy, all of which are equal.

        Reading a batch norm's statistics would otherwise be a collective operation.
        """
        if self.hosts.count == 1:
            return variable.numpy()
        return self.placement.experimental_local_results(variable)[0].numpy()

    def restore(self, snapshot: Snapshot) -> None:
        """Goes back to a snapshot, optimizer slots included."""
        pairs = (
            (self.model.variables, snapshot.model),
            (self.optimizer.variables, snapshot.optimizer),
        )
        for variables, values in pairs:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _infer(self, patches: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self.model(image.normalise(patches, self.normalisation), training=False)

    def _infer_where_placed(self, patches: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Infers uint8 [N, 32, 32] on the strategy's device, the first one where it has several."""
        outputs = self.placement.run(self._infer, (patches,))
        return tuple(self.placement.experimental_local_results(value)[0] for value in outputs)

    def _dealt_out(self, batches: np.ndarray | tf.distribute.DistributedValues) -> tf.Tensor:
        """Gives each replica its points of every batch."""
        if not isinstance(batches, np.ndarray):
            return batches
        if self.replicas == 1:
            return tf.constant(batches)
        share = batches.shape[1] // self.replicas

        def part(context: tf.distribute.ValueContext) -> tf.Tensor:
            start = context.replica_id_in_sync_group * share
            return tf.constant(batches[:, start : start + share])

        return self.placement.experimental_distribute_values_from_function(part)

    def _compiled_steps(
        self, patches_per_point: int, devices: list[str]
    ) -> Callable[..., tf.Tensor]:
        """Returns a function of many steps in one call, traced once per batch shape.

        Args:
            patches_per_point: K.
            devices: Where each replica's part of the batches lies.
        """
        compiled = strategy.compiles_with_xla(self.config, self.placement)

        def replica_step(batch: tf.Tensor, rate: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
            patches = self.resident.gather(batch) if self.resident else batch
            return self._replica_step(patches, patches_per_point, rate, step)

        step_function = (
            tf.function(replica_step, autograph=False, jit_compile=True)
            if compiled
            else replica_step
        )

        # Only the loop below is Python to convert. Converting what a step calls, down to the
        # optimizer's functions, would take many seconds and change nothing.
        @tf.autograph.experimental.do_not_convert
        def one(batches: tf.Tensor, number: tf.Tensor, rate: tf.Tensor, step: tf.Tensor):
            batch = self._one_of(batches, number, devices)
            return self.placement.run(step_function, (batch, rate, step))

        @tf.function
        def steps(
            batches: tf.Tensor, rates: tf.Tensor, count: tf.Tensor, first_step: tf.Tensor
        ) -> tf.Tensor:
            self.traces += 1
            sums = tf.zeros(len(METRICS))
            for number in tf.range(count):
                metrics = one(batches, number, rates[number], first_step + number)
                sums += self.placement.reduce("SUM", metrics, axis=None)
            return sums / tf.cast(count, tf.float32)

        return steps

    def _one_of(
        self,
        batches: tf.Tensor | tf.distribute.DistributedValues,
        number: tf.Tensor,
        devices: list[str],
    ) -> tf.Tensor | tf.distribute.DistributedValues:
        """Takes one batch out of each replica's block, where that lies.

        Not in the replicas: a TPU would be sent the whole block for every step.

        Args:
            batches: uint8 [block, S*K / replicas, 32, 32] of each replica, or rows.
            number: int32 [], which one.
            devices: Where each replica's block lies.

        Returns:
            uint8 [S*K / replicas, 32, 32] of each replica, or rows.
        """
        taken = []
        parts = self.placement.experimental_local_results(batches)
        for part, device in zip(parts, devices, strict=True):
            with tf.device(device):
                taken.append(part[number])
        if self.replicas == 1:
            return taken[0]
        local = iter(taken)  # asked for in this order, whatever the replicas' numbers
        return self.placement.experimental_distribute_values_from_function(
            lambda context: next(local)
        )

    def _replica_step(
        self, patches: tf.Tensor, patches_per_point: int, rate: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        """One step on one replica.

        Args:
            patches: uint8 [S*K / replicas, 32, 32].
            patches_per_point: K.
            rate: float32 [], of this step.
            step: int32 [], its number in the run.

        Returns:
            float32 [len(METRICS)]; their sum over the replicas are the metrics.
        """
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.stack([self.config.seed, step * self.replicas + replica])
        patches = augment(patches, patches_per_point, seed, self.config)
        inputs = image.normalise(patches, self.normalisation)
        l2net.seed_dropout(self.model, tf.random.experimental.stateless_fold_in(seed, _DROPOUT))
        with tf.GradientTape() as tape:
            embedding, descriptors, *before_l2 = self._trained(inputs, training=True)
            candidates, offset = gathered(descriptors)
            losses = self.loss.per_unit(
                descriptors,
                patches_per_point,
                before_l2=before_l2[0] if before_l2 else None,
                candidates=candidates,
                offset=offset,
            )
            # Divided by the global batch: the replicas' gradients are summed.
            loss = tf.reduce_sum(losses.loss) / self.loss.units(candidates.shape[0])
        l2net.seed_dropout(self.model, None)  # it belongs to this function's graph
        variables = self.model.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.optimizer.learning_rate.assign(rate)
        # Summed over the replicas here, so that what is clipped is what is measured.
        summed = self.optimizer.aggregate_gradients(zip(gradients, variables, strict=True))
        self.optimizer.apply_gradients(summed, skip_gradients_aggregation=True)
        local = (
            tf.reduce_mean(losses.triplet),
            tf.reduce_mean(losses.positive),
            tf.reduce_mean(losses.negative),
            tf.reduce_mean(losses.violated),
            tf.sqrt(tf.reduce_sum(tf.math.reduce_variance(embedding, axis=0))),
            tf.reduce_mean(tf.norm(embedding, axis=1)),
            tf.linalg.global_norm([gradient for gradient, _ in summed]),
        )
        return tf.stack([loss, *(value / self.replicas for value in local)])


def gathered(descriptors: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | int]:
    """Gathers the descriptors of all replicas.

    To be called by a replica; differentiable.

    Args:
        descriptors: float32 [A, D], this replica's.

    Returns:
        float32 [A * replicas, D] and the row at which this replica's begin.
    """
    context = tf.distribute.get_replica_context()
    replicas, rows = context.num_replicas_in_sync, descriptors.shape[0]
    if replicas == 1:
        return descriptors, 0
    everything = tf.ensure_shape(
        context.all_gather(descriptors, axis=0), [rows * replicas, descriptors.shape[-1]]
    )
    return everything, context.replica_id_in_sync_group * rows
