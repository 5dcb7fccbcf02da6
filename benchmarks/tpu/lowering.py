"""The product's training step and inference as XLA programs, in which a TPU's collectives are.

A strategy stands for `tf.distribute.TPUStrategy`, which only a TPU can make: replicas have the
same context class, so that what the step gathers and sums becomes the operations that it becomes
there, and one replica's program is lowered.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops
from tensorflow.python.distribute import distribute_lib, tpu_strategy

from benchmarks.tpu.cases import Case
from pipeline.terminal.native_log import without_chatter
from trainer.core.config import LossConfig, ModelConfig, StageConfig, TrainerConfig
from trainer.core.variants import INPUT_SIZE
from trainer.data import image
from trainer.data.packing import columns
from trainer.data.resident_patches import ResidentPatches
from trainer.data.resizing import PACKED_SHAPE
from trainer.engine.learner import Learner


class Cores(tf.distribute.Strategy):
    """So many cores of a TPU, of whose programs only the text is asked.

    Args:
        count: Replicas.
    """

    def __init__(self, count: int) -> None:
        super().__init__(_Extended(self, count))


class _Extended(distribute_lib.StrategyExtendedV1):
    """What `TPUExtended` does inside a replica; values are one replica's."""

    def __init__(self, container: Cores, count: int) -> None:
        super().__init__(container)
        self._count = count

    @property
    def _num_replicas_in_sync(self) -> int:
        return self._count

    def _get_local_replica_id(self, replica_id_in_sync_group: tf.Tensor) -> tf.Tensor:
        return replica_id_in_sync_group

    def _create_variable(self, next_creator: Any, **arguments: Any) -> tf.Variable:
        return next_creator(**arguments)

    def value_container(self, value: Any) -> Any:
        return value

    def _reduce_to(self, reduce_op: Any, value: Any, destinations: Any, options: Any) -> Any:
        """Sums over all cores; `CrossReplicaSum`, a TPU's, has no other kernel than a TPU's."""
        if reduce_op == tf.distribute.ReduceOp.MEAN:
            value = value / self._count
        everyone = [list(range(self._count))]
        return gen_xla_ops.xla_all_reduce(value, everyone, reduce_op="Add", mode="CrossReplica")

    def _batch_reduce_to(self, reduce_op: Any, pairs: Any, options: Any) -> list[Any]:
        return [self._reduce_to(reduce_op, value, to, options) for value, to in pairs]

    def _update(self, var: Any, fn: Any, args: Any, kwargs: Any, group: bool) -> Any:
        return fn(var, *args, **kwargs)


def lowered(case: Case) -> bytes:
    """Lowers what a case is about.

    Returns:
        The program before any optimisation, a serialized `xla.HloModuleProto`. Its parameters
        are one core's: patches uint8 [S*K / cores, 32, 32] or their rows int32 [S*K / cores], of a
        step also rate float32 [], number of the step int32 [] and the core's own number int32 [];
        then the variables, among them the resident patches.
    """
    config = TrainerConfig(
        bfloat16=True,
        model=ModelConfig(width=case.width),
        loss=LossConfig(**case.loss_settings),
        stages=(
            StageConfig(points_per_batch=case.points, patches_per_point=case.patches_per_point),
        ),
    )
    cores = Cores(case.cores)
    learner = Learner(config, cores, image.Normalisation())

    resident = _resident(case.resident, cores) if case.resident else None

    def step(batch: tf.Tensor, rate: tf.Tensor, number: tf.Tensor, core: tf.Tensor) -> tf.Tensor:
        patches = resident.gather(batch) if resident else batch
        with tpu_strategy._TPUReplicaContext(cores, core):
            return learner._replica_step(patches, case.patches_per_point, rate, number)

    share = case.points * case.patches_per_point // case.cores
    patches = tf.TensorSpec([share, INPUT_SIZE, INPUT_SIZE], tf.uint8)
    rows = tf.TensorSpec([share], tf.int32)
    number = tf.TensorSpec([], tf.int32)
    if case.work == "inference":
        return _program(learner._infer, patches)
    batch = rows if resident else patches
    return _program(step, batch, tf.TensorSpec([], tf.float32), number, number)


def _resident(count: int, cores: Cores) -> ResidentPatches:
    points = np.zeros((count // PACKED_SHAPE[0], *PACKED_SHAPE), np.uint8)
    return ResidentPatches(columns((), points), cores)


def _program(function: Any, *arguments: tf.TensorSpec) -> bytes:
    compiled = tf.function(function, autograph=False, jit_compile=True)
    with without_chatter():
        return compiled.experimental_get_compiler_ir(*arguments)(stage="hlo_serialized")
