"""Keeps the libraries' noise off the terminal, and nothing else."""

from __future__ import annotations

import logging
import os
import sys
import warnings

# What is said on every run, means nothing for the user and cannot be switched off by an option.
_FLOOD = (
    "property_predicate is not supported",  # TFX, for every input of every component
    "Tables initialized inside a tf.function",  # TensorFlow Transform, per vocabulary
    "Not using the in-place Transform",  # TensorFlow Transform: that is as it should be
    "Couldn't find python-snappy",  # Beam; its checksums take a millisecond per shard
)


def quieten(verbose: bool = False) -> None:
    """Sets up logging and warnings for the command line; call before TensorFlow is imported.

    Silenced are TensorFlow's C++ messages (some of its start-up chatter is logged as errors;
    what matters is raised in Python, too), the FutureWarning that every Google
    library prints on Python 3.10, and the lines of `_FLOOD`.

    Args:
        verbose: Whether to show what the libraries log, from INFO on.
    """
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"google(\.|$)")
    root = logging.getLogger()
    root.setLevel(logging.INFO if verbose else logging.WARNING)
    if not any(isinstance(handler, _ToStderr) for handler in root.handlers):
        root.addHandler(_ToStderr())


class _ToStderr(logging.Handler):
    """Writes to what is standard error at that moment: a live display replaces it."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(lambda record: not any(text in record.getMessage() for text in _FLOOD))
        self.setFormatter(
            logging.Formatter("%(levelname).1s %(asctime)s %(name)s: %(message)s", "%H:%M:%S")
        )

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)
