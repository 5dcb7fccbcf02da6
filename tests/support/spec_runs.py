"""Compiles small configurations and runs the specs task by task."""

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from components.descriptor_evaluator.gate import verdict
from pipeline.config.tree import PipelineConfig
from pipeline.kfp import files
from pipeline.kfp.local import execution
from pipeline.kfp.local.outcomes import Outcome
from pipeline.runners import kubeflow

IMAGE = "registry.example.com/hpatches-pipeline:1.0"
TARGETS = {"kfp": "kubeflow", "vertex": "vertex"}


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run of a spec left.

    Attributes:
        outcomes: Of the tasks.
        states: How each task ended: `finished`, `cached` or `skipped`.
    """

    outcomes: dict[str, Outcome]
    states: dict[str, str]

    def artifact(self, task: str, key: str) -> dict[str, Any]:
        """Returns the one artifact of an output."""
        (artifact,) = self.outcomes[task].artifacts[key]
        return artifact

    def verdict(self) -> verdict.Verdict:
        """Returns the gate's."""
        return verdict.read(self.artifact("DescriptorEvaluator", "evaluation")["uri"])

    def executed(self) -> set[str]:
        """Returns the tasks that a process ran for."""
        return {name for name, state in self.states.items() if state == "finished"}


@dataclasses.dataclass(frozen=True)
class Place:
    """Where specs run.

    Attributes:
        folder: For everything that is written.
        data: Folder of the data.
        mode: Of the harness.
        bucket: For artifacts and models, `gs://NAME`; None keeps them in `folder`.
    """

    folder: Path
    data: Path | str
    mode: execution.Mode
    bucket: str | None = None

    @property
    def serving(self) -> str:
        """The push destination."""
        return f"{self.bucket}/models" if self.bucket else str(self.folder / "serving")

    @property
    def root(self) -> str | None:
        """The pipeline root; None: where the harness puts it."""
        return f"{self.bucket}/root" if self.bucket else None

    def compile(self, config: PipelineConfig) -> dict[str, Any]:
        """Compiles a configuration, writes the spec and reads it again."""
        path = str(self.folder / f"{config.name}.yaml")
        files.write(kubeflow.compile_pipeline(config, TARGETS[self.mode], IMAGE), path)
        return files.read(path)

    def run(self, spec: dict[str, Any], only_from: Collection[str] = ()) -> Result:
        """Runs a spec."""
        work = self.folder / "work"
        work.mkdir(parents=True, exist_ok=True)
        states: dict[str, str] = {}
        parameters = {"data_path": str(self.data), "push_destination": self.serving}
        left = execution.execute(
            spec,
            {name: parameters[name] for name in parameters if name in _declared(spec)},
            work,
            self.mode,
            pipeline_root=self.root,
            only_from=only_from,
            on_event=lambda event: states.update({event.component: event.kind}),
        )
        return Result(left, states)

    def inputs(self, task: str) -> dict[str, Any]:
        """Returns the `inputs` that the newest process of a task was given."""
        paths = (self.folder / "work" / "tasks").glob(f"*/{task}/*/executor_input.json")
        return json.loads(max(paths).read_text())["inputs"]


def only_tasks(spec: dict[str, Any], *names: str) -> dict[str, Any]:
    """Returns a spec with some of its tasks alone."""
    dag = spec["root"]["dag"]
    kept = {name: dag["tasks"][name] for name in names}
    used = {
        source["componentInputParameter"]
        for task in kept.values()
        for source in task["inputs"].get("parameters", {}).values()
        if "componentInputParameter" in source
    }
    given = {name: item for name, item in _declared(spec).items() if name in used}
    root = {"inputDefinitions": {"parameters": given}, "dag": {**dag, "tasks": kept}}
    return {**spec, "root": root}


def _declared(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["root"]["inputDefinitions"]["parameters"]
