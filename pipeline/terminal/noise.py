"""Keeps the libraries' noise off the terminal, and nothing else."""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings

from components.core import user_errors
from pipeline.terminal.native_log import QuietTensorFlow

# What is said on every run, means nothing for the user and cannot be switched off by an option.
_FLOOD = (
    "Fallback to non-ZetaSQL contexts",  # ML Metadata, for every node; its answer is the same
    "property_predicate is not supported",  # TFX, for every input of every component
    "Tables initialized inside a tf.function",  # TensorFlow Transform, per vocabulary
    "sing the in-place Transform",  # TensorFlow Transform, which does so or not: the same records
    "find python-snappy",  # Beam; its checksums take a millisecond per shard
    "No semi_persistent_directory found",  # Beam's worker processes
    "Discarding unparseable args: [\\'--",  # the same; they do not know their parent's options
    "tf_record_iterator (from tensorflow",  # TensorFlow: records are read one after the other
    "extract_sub_graph (from tensorflow",  # the same, where it folds batch norms
    "remove_training_nodes (from tensorflow",  # the same
    "after connection broken by",  # urllib3, per attempt; who called it tells when it gives up
    "Execution %d failed.",  # TFX; what failed and why is told when the command ends
)
_TOLD = re.compile(r"\bUserError: |\bKeyboardInterrupt\b")  # in a traceback of Beam's workers
_GOOGLE_WARNS = "google.api_core._python_version_support"


def quieten(verbose: bool = False) -> None:
    """Sets up logging and warnings for the command line; call before TensorFlow is imported.

    Silenced are TensorFlow's C++ messages (some of its start-up chatter is logged as errors;
    what matters is raised in Python, too), the FutureWarning that every Google
    library prints on Python 3.10 (in Beam's worker processes, too), the lines of `_FLOOD`,
    and the log of a `UserError` and of Ctrl-C, which the command tells when it ends.
    """
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        if not any(isinstance(hook, QuietTensorFlow) for hook in sys.meta_path):
            sys.meta_path.insert(0, QuietTensorFlow())
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"google(\.|$)")
    os.environ.setdefault("PYTHONWARNINGS", f"ignore::FutureWarning:{_GOOGLE_WARNS}")
    root = logging.getLogger()
    root.setLevel(logging.INFO if verbose else logging.WARNING)
    if not any(isinstance(handler, _ToStderr) for handler in root.handlers):
        root.addHandler(_ToStderr())


def _is_worth_telling(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    if any(text in message or text == record.msg for text in _FLOOD):
        return False
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, Exception):
        return user_errors.find_user_error(error) is None and not _TOLD.search(str(error))
    return error is None and not _TOLD.search(message)


class _ToStderr(logging.Handler):
    """Writes to what is standard error at that moment: a live display replaces it."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(_is_worth_telling)
        self.setFormatter(
            logging.Formatter("%(levelname).1s %(asctime)s %(name)s: %(message)s", "%H:%M:%S")
        )

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)
