"""`python -m trainer`: trains without a pipeline, which is what a TPU image holds."""

from __future__ import annotations

import argparse
import logging
import os
import posixpath
import shlex
import shutil
import signal
import sys
import time
import warnings
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from trainer.core import documents, progress
from trainer.core.config import TrainerConfig
from trainer.core.errors import UserError, printable
from trainer.core.importing import importing
from trainer.core.interruption import Interrupted
from trainer.core.progress import Progress
from trainer.core.validation_messages import first_problem
from trainer.engine import lease
from trainer.reporting import failure_file

if TYPE_CHECKING:
    from trainer.reporting.result import TrainingResult

# TensorFlow is imported only after the arguments were understood: it takes seconds.
_SECONDS_BETWEEN_LINES = 10.0
EXIT_OF_NO_USE = 3


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit status.

    2: the user can put it right; 3: the model is of no use, unless a pipeline waits for it
    (`--failure-file`), whose gate judges it; 130 and 143: Ctrl-C and SIGTERM, the run can go on;
    129: another host of the run is gone, and all can go on.
    """
    options = _parser().parse_args(arguments)
    # On Python 3.10 each of Google's libraries says that it will end support; TensorFlow imports
    # one when it looks for a TPU.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\.")
    # What matters of TensorFlow's messages is raised as well.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)

    failure_file.remove(options.failure_file)
    try:
        config = _config(options.config, options.tpu)

        with importing():
            from trainer.engine.loop import Folders, train

        folders = Folders(
            options.output,
            options.log_dir or posixpath.join(options.output, "logs"),
            checkpoints=options.checkpoint_dir,
            packed=options.pack_dir,
        )
        with (
            _LiveLine() as line,
            progress.listen(line),
            lease.watched(options.lease_dir, _nobody_waits),
        ):
            result = train(
                config,
                options.data,
                options.transform_graph,
                folders,
                options.warm_start,
                existing=options.existing,
            )
    except UserError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        failure_file.write(options.failure_file, 2, str(error))
        return 2
    except Interrupted as stop:
        print(f"{stop.signal.name}: {stop}", file=sys.stderr)
        if stop.signal != signal.SIGHUP:  # the host that is gone has said why, or could not
            failure_file.write(options.failure_file, stop.exit_status, str(stop))
        return stop.exit_status
    except KeyboardInterrupt:
        print("interrupted: no model was written", file=sys.stderr)
        return 130
    except Exception as error:
        failure_file.write(options.failure_file, 1, f"{type(error).__name__}: {error}")
        raise
    print(f"curves: tensorboard --logdir {shlex.quote(folders.logs)}")
    return _told(result, judged_later=options.failure_file is not None)


def _told(result: TrainingResult, judged_later: bool) -> int:
    """Prints how the run went and returns the exit status."""
    from trainer.reporting.result import not_as_planned

    score = f", val mAP {result.validation['mean']:.3f}" if result.validation else ""
    print(f"{result.ended}: {result.steps} steps{score}; model in {result.model_path}")
    for sentence in not_as_planned(result):
        print(sentence)
    return EXIT_OF_NO_USE if result.shortfall and not judged_later else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    parser.add_argument("--config", help="TrainerConfig as YAML or JSON (default: the demo)")
    parser.add_argument("--data", required=True, help="folder with manifest.json and shards")
    parser.add_argument("--output", required=True, help="gets the SavedModel and the results")
    parser.add_argument("--log-dir", help="TensorBoard's files (default: OUTPUT/logs)")
    parser.add_argument("--transform-graph", help="output of the pipeline's Transform")
    parser.add_argument("--pack-dir", help="keeps the packed patches for the next run")
    parser.add_argument(
        "--checkpoint-dir", help="where checkpoints go (default: OUTPUT/checkpoints)"
    )
    parser.add_argument(
        "--failure-file", help="gets the reason, as JSON, of a run that fails (local or remote)"
    )
    parser.add_argument(
        "--lease-dir",
        help="where those that wait for the run say so (trainer/engine/lease.py); the run is saved "
        "and stops when nobody does",
    )
    parser.add_argument("--warm-start", help="SavedModel to start from")
    work = parser.add_mutually_exclusive_group()
    work.add_argument(
        "--resume",
        dest="existing",
        action="store_const",
        const="resume",
        default="refuse",
        help="go on with the run in OUTPUT; if that has ended, there is nothing to do "
        "(without it a run that was interrupted goes on as well, one that has ended is an error)",
    )
    work.add_argument(
        "--overwrite",
        dest="existing",
        action="store_const",
        const="overwrite",
        help="delete the run in OUTPUT and begin anew",
    )
    parser.add_argument(
        "--tpu",
        help="name of a TPU, `local` on a TPU VM, `environment` where TPU_NAME or TPU_CONFIG "
        "names it",
    )
    return parser


def _nobody_waits() -> None:
    """Stops the run as whoever takes the machine back would."""
    print("nobody waits for this run any more, so it stops", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


def _config(path: str | None, tpu: str | None):
    """Reads the configuration.

    Raises:
        UserError: With the key that is wrong.
    """
    try:
        read = documents.read_yaml("" if path is None else _read(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: cannot be read as YAML or JSON ({why})") from error
    if len(read) > 1:
        raise UserError(f"{path}: holds {len(read)} documents, expected one")
    values = read[0] if read else None
    values = {} if values is None else values  # an empty file sets nothing
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds a {type(values).__name__}, expected keys and values")
    if tpu is not None:
        values |= {"strategy": "tpu", "tpu": tpu}
    try:
        return TrainerConfig.model_validate(values)
    except ValidationError as error:
        where = "" if path is None else f"{path}: "
        raise UserError(where + first_problem(error)) from error


def _read(path: str) -> str:
    """Returns a text file's content; only remote ones cost the import of TensorFlow."""
    if "://" not in path:
        with open(path, encoding="utf-8") as file:
            return file.read()
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path) as file:
            return file.read()
    except tf.errors.OpError as error:
        raise OSError(error.message) from error


class _LiveLine:
    """Shows progress: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._label = ""
        self._last = 0.0

    def __enter__(self) -> _LiveLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live and self._label:
            print(flush=True)

    def __call__(self, event: Progress) -> None:
        said = " ".join(filter(None, (event.count, event.remaining, event.detail)))
        text = f"{event.label}: {said}"
        if self._live:
            turn = "\n" if self._label not in ("", event.label) else "\r"
            width = None if event.finished else shutil.get_terminal_size().columns - 1
            end = "\n" if event.finished else ""
            print(f"{turn}{text[:width]}\x1b[K", end=end, flush=True)
            if event.finished:
                self._label = ""
                return
        else:
            now = time.monotonic()
            over = event.finished or event.done == event.total
            due = now - self._last >= _SECONDS_BETWEEN_LINES or over
            if event.label == self._label and not due:
                return
            self._last = now
            print(text, flush=True)
        self._label = event.label


if __name__ == "__main__":
    sys.exit(main())
