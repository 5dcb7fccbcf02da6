"""What a task of a compiled pipeline starts: TFX's own entry point, and what it lacks.

What Kubeflow hands to a task is put right (`invocation`) and what its launcher cannot carry is
taken out of the task's outputs (`folder_markers`). A task that was given an accelerator does not
run without it, and none runs on an object store that TensorFlow cannot read. A user's mistake
ends in one sentence, the last line that the task writes and its pod's last words
(`last_words`), not in a traceback.

Run as `python -m components.kubeflow.run_executor` with the arguments of
`tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor`.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from typing import NoReturn

from components.core.beam_runner import use_direct_runner_by_default
from components.core.beam_workers import end_jobs_without_workers
from components.core.user_errors import find_user_error
from components.kubeflow import (
    accelerators,
    folder_markers,
    invocation,
    last_words,
    object_stores,
    time_limit,
)
from trainer.core.importing import importing
from trainer.core.interruption import Interrupted

TFX_ENTRY_POINT = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
EXIT_USER_ERROR = 2
MISTAKE = "UserError: "
"""How the line begins that tells a user's mistake."""


def main() -> NoReturn:
    """Runs the executor that the command line names."""
    sys.argv[1:] = invocation.completed(sys.argv[1:])
    with time_limit.kept(os.environ) as limit:
        try:
            _run(invocation.output_folders(sys.argv[1:]))
        except Interrupted as stop:
            late = f"{MISTAKE}{limit.sentence}" if limit.sentence else ""
            _end(late or f"Stopped: the training {stop}", stop.exit_status)
        except Exception as error:
            mistake = find_user_error(error)
            if mistake is None:
                last_words.leave(f"{type(error).__name__}: {error}")
                raise
            _end(f"{MISTAKE}{mistake}", EXIT_USER_ERROR)
    # The interpreter's own end takes seconds and has been seen to crash in the destructors of
    # C++ libraries, when everything is written long since.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _run(outputs: list[str]) -> None:
    """Runs the executor, and leaves no marker of a folder whoever wrote it and when."""
    object_stores.check(outputs)
    accelerators.check(os.environ)
    try:
        use_direct_runner_by_default()
        end_jobs_without_workers()
        with importing():
            importlib.import_module("tfx.components")  # nearly all that the entry point imports
        runpy.run_module(TFX_ENTRY_POINT, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise
    folder_markers.remove(outputs)


def _end(sentence: str, status: int) -> NoReturn:
    last_words.leave(sentence.removeprefix(MISTAKE))
    print(sentence, file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
