"""Executions of DescriptorTrainer in processes of their own, some of which are killed.

python -m tests.components.descriptor_trainer.executions ROOT '[["1", 4], ["2", 0]]'

Each is an execution's id and the block of steps it is killed before (0: none); prints
how the processes ended.
"""

import json
import os
import signal
import sys

from tfx.types import standard_artifacts

from components.descriptor_trainer import executor
from tests.support.artifacts import artifact
from tests.support.training import small_config
from trainer.engine.learner import Learner

_CONFIG = small_config(strategy="one_device", checkpoint_every=4, deterministic=True)


def execute(root: str, number: str, which=executor, config=_CONFIG, **parameters: str):
    """Runs one execution, with the folders that TFX would give it; returns the model artifact."""
    examples = artifact(standard_artifacts.Examples, f"{root}/examples")
    graph = artifact(standard_artifacts.TransformGraph, f"{root}/graph")
    model, model_run = standard_artifacts.Model(), standard_artifacts.ModelRun()
    model.uri = f"{root}/artifacts/DescriptorTrainer/model/{number}"
    model_run.uri = f"{root}/artifacts/DescriptorTrainer/model_run/{number}"
    which.Executor().Do(
        {"examples": [examples], "transform_graph": [graph]},
        {"model": [model], "model_run": [model_run]},
        {"training": config.model_dump_json(), "code_fingerprint": "abc", **parameters},
    )
    return model


def kill_before(block: int) -> None:
    """Kills this process before a block of steps, counted from 1."""
    train, calls = Learner.train, []

    def trained(self, *arguments):
        calls.append(1)
        if len(calls) == block:
            os.kill(os.getpid(), signal.SIGKILL)
        return train(self, *arguments)

    Learner.train = trained  # type: ignore[method-assign]


def main() -> None:
    """Forks a process per execution: imports take longer than all else."""
    root, statuses = sys.argv[1], []
    for number, block in json.loads(sys.argv[2]):
        child = os.fork()
        if child == 0:
            kill_before(block)
            execute(root, number)
            os._exit(0)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print(json.dumps(statuses))


if __name__ == "__main__":
    main()
