"""`python -m trainer.health`: whether what the trainer needs is there and fits together.

The health command of the image `trainer-tpu`. It loads the trainer and TensorFlow, but leaves
the TPU alone: that belongs to the training that runs in the same container.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

NO_TPU = {"TPU_LOAD_LIBRARY": "0"}
"""Environment in which TensorFlow's TPU build takes no TPU and asks no metadata server."""
MODULES = ("trainer.__main__", "trainer.engine.loop", "trainer.model.export")


def check(modules: Sequence[str]) -> list[str]:
    """Loads modules.

    Returns:
        A sentence on each one that does not load, and one when TensorFlow and tf_keras are
        not of the same version; empty: all is well.
    """
    problems = []
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever a library fails with is what there is to tell
            problems.append(f"{name} does not load ({type(error).__name__}: {error})")
    return problems or _versions()


def tell(problems: Sequence[str]) -> int:
    """Prints what is wrong, or that nothing is, and returns the exit status."""
    for problem in problems:
        print(f"unhealthy: {problem}", file=sys.stderr)
    if not problems:
        print("healthy")
    return 1 if problems else 0


def _versions() -> list[str]:
    import tensorflow as tf
    import tf_keras

    release = tf.__version__.rpartition(".")[0]
    if tf_keras.__version__.rpartition(".")[0] == release:
        return []
    return [f"found tf_keras {tf_keras.__version__}, expected one for TensorFlow {release}"]


if __name__ == "__main__":
    os.environ.update(NO_TPU)  # read while TensorFlow is imported
    sys.exit(tell(check(MODULES)))
