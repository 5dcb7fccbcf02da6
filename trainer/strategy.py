"""Where a run computes: one device, several GPUs, or a TPU."""

from __future__ import annotations

import logging

import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.errors import UserError

_log = logging.getLogger(__name__)


def create(config: TrainerConfig) -> tf.distribute.Strategy:
    """Returns the strategy of a run.

    Raises:
        UserError: When what is asked for is not there.
    """
    if config.strategy == "tpu" or (config.strategy == "auto" and config.tpu):
        # Before anything lists devices: a TPU system is initialised first of all.
        return _tpu(config.tpu or "local")
    gpus = tf.config.list_logical_devices("GPU")
    name: str = config.strategy
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "one_device"
        _log.info("strategy auto: %s", name)
    if name == "mirrored":
        # Without GPUs the logical CPU devices are the replicas, which is how tests have two.
        devices = gpus or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.OneDeviceStrategy(gpus[0].name if gpus else "/cpu:0")


def _tpu(name: str) -> tf.distribute.Strategy:
    # Without a name the resolver takes TPU_CONFIG, which Vertex sets on the hosts of a pod.
    address = "" if name == "environment" else name
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address)
        if name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, OSError, ImportError, tf.errors.OpError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"tpu is {name!r}, but no TPU answers there ({why}); expected the name of one, or "
            f"'local' on a TPU VM; set strategy to one_device to train without"
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def check_divisible(config: TrainerConfig, replicas: int) -> None:
    """Refuses batches that cannot be dealt out evenly.

    Raises:
        UserError: When a stage's S is not a multiple of the replicas.
    """
    for number, stage in enumerate(config.plan, start=1):
        if stage.sequences_per_batch % replicas:
            raise UserError(
                f"stages.{number - 1}.sequences_per_batch is {stage.sequences_per_batch}, which "
                f"{replicas} replicas cannot share evenly; make it a multiple of {replicas}"
            )


def hosts(placement: tf.distribute.Strategy) -> int:
    """Returns how many hosts feed the devices of a strategy: several only in a TPU pod."""
    return int(getattr(placement.extended, "num_hosts", 1))


def compiles_with_xla(config: TrainerConfig, strategy: tf.distribute.Strategy) -> bool:
    """Tells whether the step is compiled with XLA; on CPU that is slower and `auto` does not."""
    if strategy.num_replicas_in_sync > 1:
        return False  # collectives stay outside compiled functions; TPUs compile by themselves
    on_gpu = bool(tf.config.list_logical_devices("GPU"))
    return config.jit_compile == "on" or (config.jit_compile == "auto" and on_gpu)
