"""What a run finds: how much data, which devices, how much memory."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

import tensorflow as tf
from tensorflow.python.client import device_lib

from trainer.core.config import TrainerConfig
from trainer.core.variants import INPUT_SIZE, TRAIN
from trainer.curriculum.auto_plan import DeviceKind, Resources
from trainer.data import resident_patches
from trainer.data.manifest import Manifest
from trainer.data.packing import PackedPatches
from trainer.data.plan_points import most_per_batch
from trainer.model import l2net

_log = logging.getLogger(__name__)

# Limits of a container: version 2 of control groups, then version 1.
_LIMIT_FILES = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
_ASSUMED = 8 * 2**30  # bytes of an accelerator that does not tell: the smallest in use


def measure(
    config: TrainerConfig, listing: Manifest, placement: tf.distribute.Strategy
) -> Resources:
    """Returns what a plan has to fit."""
    kind = device_kind(placement)
    replicas = placement.num_replicas_in_sync
    # Logical CPU devices share the host's memory.
    memory = host_memory() // replicas if kind == "cpu" else accelerator_memory(kind)
    return Resources(
        points=listing.count(TRAIN),
        largest_batch=most_per_batch(listing),
        patch_bytes=patch_bytes(config),
        memory=memory,
        device=kind,
        replicas=replicas,
    )


def patch_bytes(config: TrainerConfig) -> int:
    """Estimates the memory that a training step takes for each patch of its batch.

    Kept for the backward pass are, of each convolution but the last, its output (which batch norm
    needs) and the output of its ReLU (which the next convolution needs); the gradients on the
    way back are as large as two of the largest feature maps at a time. The batches themselves
    lie in memory twice: those in use and those drawn ahead.
    """
    sizes = []
    side = INPUT_SIZE
    for layer in l2net.CONVOLUTIONS[config.model.network]:
        side //= layer.stride
        sizes.append(layer.filters(config.model.width) * side * side)
    bytes_per_value = 2 if config.bfloat16 else 4
    pixels = 2 * config.steps_per_loop * INPUT_SIZE**2
    return bytes_per_value * (2 * sum(sizes) + 2 * max(sizes)) + pixels


def device_kind(placement: tf.distribute.Strategy) -> DeviceKind:
    """Returns what a strategy computes on."""
    if isinstance(placement, tf.distribute.TPUStrategy):
        return "tpu"
    return "gpu" if tf.config.list_logical_devices("GPU") else "cpu"


def resident(
    data: PackedPatches, placement: tf.distribute.Strategy
) -> resident_patches.ResidentPatches | None:
    """Puts patches into a TPU's memory if they fit; other devices are sent each batch.

    TensorFlow's operations for GPUs do not all take bytes, and collectives between hosts do not.
    """
    kind = device_kind(placement)
    if kind != "tpu" or not resident_patches.fit(data, accelerator_memory(kind)):
        return None
    return resident_patches.ResidentPatches(data, placement)


def host_memory() -> int:
    """Returns the bytes of memory of this machine, or of the container if that has less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in _LIMIT_FILES:
        with contextlib.suppress(OSError, ValueError):  # `max` says that there is no limit
            limits.append(int(Path(name).read_text()))
    return min(limits)


def accelerator_memory(kind: DeviceKind) -> int:
    """Returns the bytes of the smallest accelerator, or a small guess when it does not tell."""
    # Only here does TensorFlow tell the size of a device and not only what is taken of it.

    limits = [
        int(device.memory_limit)
        for device in device_lib.list_local_devices()
        if device.device_type == kind.upper() and device.memory_limit > 0
    ]
    if not limits:
        _log.info("the %s does not tell its memory: %d bytes are assumed", kind, _ASSUMED)
    return min(limits, default=_ASSUMED)
