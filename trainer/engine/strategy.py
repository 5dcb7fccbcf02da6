"""Where a run computes: one device, several GPUs, several hosts, or a TPU."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import tensorflow as tf

from trainer.core.config import TrainerConfig
from trainer.core.errors import UserError

# Where TensorFlow's TPUClusterResolver looks for a TPU whose name it is not told.
_TPU_VARIABLES = ("TPU_NAME", "TPU_CONFIG", "KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS")
_TPU_CHIPS = ("accel[0-9]*", "vfio/[0-9]*")  # the latter from v5e on
_TRAINING_JOBS = ("chief", "worker")

_log = logging.getLogger(__name__)


def has_tpu_library() -> bool:
    """Tells whether the library is installed that TensorFlow drives a TPU of this machine with."""
    return importlib.util.find_spec("libtpu") is not None


def offered_tpu(
    environment: Mapping[str, str] = os.environ,
    devices: Path = Path("/dev"),
    has_library: Callable[[], bool] = has_tpu_library,
) -> str | None:
    """Returns the TPU that a machine offers in a standard way, as `tpu` names it, or None.

    Args:
        environment: Variables of the process.
        devices: Folder of the device files; other accelerators have files of these names too,
            so they count only beside the library.
        has_library: Whether that is installed.
    """
    if environment.get("TPU_NAME") == "local":
        return "local"
    if any(environment.get(name) for name in _TPU_VARIABLES):
        return "environment"
    chips = any(any(devices.glob(pattern)) for pattern in _TPU_CHIPS)
    return "local" if chips and has_library() else None


def create(
    config: TrainerConfig, offered: Callable[[], str | None] = offered_tpu
) -> tf.distribute.Strategy:
    """Returns the strategy of a run.

    Args:
        config: Settings `strategy` and `tpu`.
        offered: Returns the TPU that `auto` takes when none is named, or None.

    Raises:
        UserError: When what is asked for, or offered, is not there.
    """
    # Before anything lists devices: a TPU system is initialised first of all.
    if config.strategy == "tpu" or (config.strategy == "auto" and config.tpu):
        named = config.tpu or "local"
        return _tpu(named, f"tpu is {named!r}")
    name: str = config.strategy
    here = offered() if name == "auto" else None
    if here is not None:
        _log.info("strategy auto: tpu %s", here)
        return _tpu(here, f"strategy is auto and this machine offers tpu {here!r}")
    if several_hosts():
        if name == "one_device":
            raise UserError(
                "strategy is one_device, but TF_CONFIG names several hosts, each of which would "
                "train and write the same; set strategy to auto, or unset TF_CONFIG"
            )
        # Before anything lists devices, too.
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = tf.config.list_logical_devices("GPU")
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "one_device"
        _log.info("strategy auto: %s", name)
    if name == "mirrored":
        # Without GPUs the logical CPU devices are the replicas, which is how tests have two.
        devices = gpus or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.OneDeviceStrategy(gpus[0].name if gpus else "/cpu:0")


def several_hosts(environment: Mapping[str, str] = os.environ) -> bool:
    """Tells whether `TF_CONFIG` names more than one process that trains.

    Raises:
        UserError: When it is not what TensorFlow describes, or names parameter servers.
    """
    text = environment.get("TF_CONFIG", "")
    if not text:
        return False
    try:
        config = json.loads(text)
        cluster = {job: list(hosts) for job, hosts in config.get("cluster", {}).items()}
        trains = sum(len(cluster.get(job, ())) for job in _TRAINING_JOBS)
        if trains < 2:
            return False
        task, index = config["task"]["type"], int(config["task"]["index"])
        known = index < len(cluster.get(task, ()))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"TF_CONFIG cannot be read ({type(error).__name__}: {error}), expected JSON with "
            f"cluster (chief, worker) and task (type, index)"
        ) from error
    others = sorted(set(cluster) - set(_TRAINING_JOBS))
    if others:
        raise UserError(
            f"TF_CONFIG names {', '.join(others)} in its cluster, expected chief and worker only, "
            f"as every host trains"
        )
    if not known or task not in _TRAINING_JOBS:
        raise UserError(
            f"TF_CONFIG says that this is {task} {index}, which its cluster does not have; "
            f"expected one of its {trains} hosts"
        )
    return True


def _tpu(name: str, why_it: str) -> tf.distribute.Strategy:
    """Returns the strategy of a TPU.

    Raises:
        UserError: When it does not answer; the message begins with why it was taken.
    """
    # Without a name the resolver takes TPU_CONFIG, which Vertex sets on the hosts of a pod.
    address = "" if name == "environment" else name
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address)
        if name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, OSError, ImportError, tf.errors.OpError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        why = why.partition(" used by {{node")[0]  # what follows are the operation's attributes
        raise UserError(
            f"{why_it}, but no TPU answers there ({why}); expected the name of one, or "
            f"'local' on a TPU VM; set strategy to one_device to train without"
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def check_divisible(config: TrainerConfig, replicas: int) -> None:
    """Refuses batches that cannot be dealt out evenly.

    Raises:
        UserError: When a stage's S is not a multiple of the replicas.
    """
    for number, stage in enumerate(config.plan, start=1):
        if stage.points_per_batch % replicas:
            raise UserError(
                f"stages.{number - 1}.points_per_batch is {stage.points_per_batch}, which "
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
