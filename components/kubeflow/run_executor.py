"""What a task of a compiled pipeline starts: TFX's own entry point, and three things it lacks.

The driver of open-source Kubeflow Pipelines leaves the types of input artifacts out
(`instanceSchema` is empty; its source says "figure out how to get schema"), and TFX's entry
point cannot do without them (https://github.com/tensorflow/tfx/issues/7768). The types stand
in the task's own arguments, from where they are filled in. A task that was given an accelerator
does not run without it. And a user's mistake ends in one sentence, the last line of the task's
log, not in a traceback.

Run as `python -m components.kubeflow.run_executor` with the arguments of
`tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor`.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
from collections.abc import Sequence

from components.core.beam_runner import use_direct_runner_by_default
from components.core.user_errors import find_user_error
from components.kubeflow import accelerators
from trainer.core.importing import importing
from trainer.core.interruption import Interrupted

TFX_ENTRY_POINT = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
WITHOUT_CLIENT = "_KFP_RUNTIME"
"""kfp's own variable: in a task it imports neither its compiler nor its client (seconds)."""
INVOCATION = "--json_serialized_invocation_args"
INPUTS_SPEC = "--json_serialized_inputs_spec_args"
EXIT_USER_ERROR = 2
MISTAKE = "UserError: "
"""How the line begins that tells a user's mistake."""


def with_artifact_types(arguments: Sequence[str]) -> list[str]:
    """Fills in the types of input artifacts that the backend left out.

    Args:
        arguments: Of the task, with the ExecutorInput as JSON after `INVOCATION` and the
            component's input definitions as JSON after `INPUTS_SPEC`.

    Returns:
        The arguments, the first JSON completed.

    Example:
        >>> typed = with_artifact_types([
        ...     INVOCATION, '{"inputs": {"artifacts": {"a": {"artifacts": [{"uri": "x"}]}}}}',
        ...     INPUTS_SPEC, '{"artifacts": {"a": {"artifactType": {"schemaTitle": "T"}}}}',
        ... ])
        >>> json.loads(typed[1])["inputs"]["artifacts"]["a"]["artifacts"]
        [{'uri': 'x', 'type': {'schemaTitle': 'T'}}]
    """
    completed = list(arguments)
    if INVOCATION not in completed or INPUTS_SPEC not in completed:
        return completed
    place = completed.index(INVOCATION) + 1
    invocation = json.loads(completed[place])
    defined = json.loads(completed[completed.index(INPUTS_SPEC) + 1]).get("artifacts", {})
    for key, listed in invocation.get("inputs", {}).get("artifacts", {}).items():
        for artifact in listed.get("artifacts", ()):
            if not any(artifact.get("type", {}).values()) and key in defined:
                artifact["type"] = defined[key]["artifactType"]
    completed[place] = json.dumps(invocation)
    return completed


def main() -> None:
    """Runs the executor that the command line names."""
    sys.argv[1:] = with_artifact_types(sys.argv[1:])
    try:
        accelerators.check(os.environ)
        use_direct_runner_by_default()
        os.environ[WITHOUT_CLIENT] = "true"
        with importing():
            importlib.import_module("tfx.components")  # nearly all that the entry point imports
        runpy.run_module(TFX_ENTRY_POINT, run_name="__main__", alter_sys=True)
    except Interrupted as stop:
        print(f"Stopped: the training {stop}", file=sys.stderr)
        sys.exit(stop.exit_status)
    except Exception as error:
        mistake = find_user_error(error)
        if mistake is None:
            raise
        print(f"{MISTAKE}{mistake}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)


if __name__ == "__main__":
    main()
