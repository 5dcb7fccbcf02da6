"""Refuses to run a task without the accelerator that it was given.

TensorFlow falls back to the processor when its image lacks CUDA: the accelerator is paid for,
and nothing tells.
"""

from __future__ import annotations

from collections.abc import Mapping

from trainer.core.errors import UserError

REQUESTED = "HPATCHES_ACCELERATOR"
"""Variable of a task's container that names the accelerator it was given."""


def check(environment: Mapping[str, str]) -> None:
    """Refuses a task that TensorFlow would run on the processor.

    Raises:
        UserError: When an accelerator was asked for and TensorFlow sees none.
    """
    requested = environment.get(REQUESTED)
    if not requested:
        return
    import tensorflow as tf  # seconds, which other tasks need not spend before anything else

    if not tf.config.list_physical_devices("GPU"):
        raise UserError(
            f"platform.resources asks for {requested}, but TensorFlow sees no GPU in the task's "
            f"container; expected an image with CUDA and cuDNN for TensorFlow {tf.__version__} "
            f"(docs/cloud.md, GPUs), or no accelerator for this component"
        )
