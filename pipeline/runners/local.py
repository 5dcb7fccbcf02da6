"""Runs the DAG on this machine, one component after the other, in this process."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import tensorflow as tf
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils, tfx_runner
from tfx.proto.orchestration import pipeline_pb2

from components.core import beam_runner, beam_workers, files
from components.core.user_errors import user_errors
from components.serving.production_model import served_model
from components.serving.pusher import push_log
from pipeline.config.tree import PipelineConfig
from pipeline.events import Event
from pipeline.graph import Places, create_pipeline
from pipeline.runners import beam_options
from trainer.core import interruption
from trainer.core.files import walk

Kind = Literal["cached", "finished"]
Outputs = dict[str, dict[str, list[metadata_store_pb2.Artifact]]]


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What a run that came to its end leaves; its id names it in the metadata store."""

    run_id: str
    seconds: float
    states: dict[str, Kind]
    outputs: Outputs

    def artifact(self, component: str, key: str) -> metadata_store_pb2.Artifact:
        """Returns the one artifact of an output."""
        return self.outputs[component][key][0]

    def uri(self, component: str, key: str) -> str:
        """Returns where an output lies."""
        return self.artifact(component, key).uri


class LocalRunner(tfx_runner.IrBasedRunner):
    """TFX's local runner with a word on each component: how it began and how it ended."""

    def __init__(self, on_event: Callable[[Event], None] = lambda event: None):
        self._on_event = on_event

    def run_with_ir(
        self,
        pipeline: pipeline_pb2.Pipeline,
        run_options: pipeline_pb2.RunOptions | None = None,
    ) -> RunResult:
        """Runs a compiled pipeline.

        Raises:
            UserError: When a component reports a mistake that the user can fix.
            Exception: Whatever else a component raises; nothing after it runs.
        """
        if run_options is not None:
            raise ValueError("partial runs are not supported; the cache skips what is done")
        begin = time.monotonic()
        run_id = datetime.datetime.now().isoformat()
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
        )
        states: dict[str, Kind] = {}
        outputs: Outputs = {}
        for number, node in enumerate(pipeline.nodes, 1):
            name = node.pipeline_node.node_info.id
            place = (name, number, len(pipeline.nodes))
            started = time.monotonic()
            self._on_event(Event("started", *place))
            try:
                with interruption.unwrapped(), user_errors():
                    states[name], outputs[name] = _launch(pipeline, node.pipeline_node)
            except BaseException as error:
                kind = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
                self._on_event(Event(kind, *place, time.monotonic() - started))
                raise
            self._on_event(Event(states[name], *place, time.monotonic() - started))
        return RunResult(run_id, time.monotonic() - begin, states, outputs)


def _launch(
    pipeline: pipeline_pb2.Pipeline, node: pipeline_pb2.PipelineNode
) -> tuple[Kind, dict[str, list[metadata_store_pb2.Artifact]]]:
    """Runs one node; returns how it ended and what it (or the cache) put out."""
    deployment = runner_utils.extract_local_deployment_config(pipeline)
    connection = getattr(
        deployment.metadata_connection_config,
        deployment.metadata_connection_config.WhichOneof("connection_config"),
    )
    name = node.node_info.id
    info = launcher.Launcher(
        pipeline_node=node,
        mlmd_connection=metadata.Metadata(connection),
        pipeline_info=pipeline.pipeline_info,
        pipeline_runtime_spec=pipeline.runtime_spec,
        executor_spec=runner_utils.extract_executor_spec(deployment, name),
        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
    ).launch()
    with metadata.Metadata(connection) as handle:
        (execution,) = handle.store.get_executions_by_id([info.execution_id])
        state = metadata_store_pb2.Execution.State.Name(execution.last_known_state)
        if state not in ("COMPLETE", "CACHED"):
            # The launcher does not raise when a node's inputs could not be resolved.
            raise RuntimeError(f"{name} ended as {state}: its inputs could not be resolved")
        events = [
            event
            for event in handle.store.get_events_by_execution_ids([execution.id])
            if event.type == metadata_store_pb2.Event.OUTPUT
        ]
        artifacts = {
            artifact.id: artifact
            for artifact in handle.store.get_artifacts_by_id([e.artifact_id for e in events])
        }
    outputs: dict[str, list[metadata_store_pb2.Artifact]] = {}
    for event in events:
        outputs.setdefault(event.path.steps[0].key, []).append(artifacts[event.artifact_id])
    return ("cached" if state == "CACHED" else "finished"), outputs


def run(
    config: PipelineConfig, *, on_event: Callable[[Event], None] = lambda event: None
) -> RunResult:
    """Runs the pipeline of a configuration in its work folder.

    Args:
        config: Resolved configuration; `data.path` is set and the work folder exists.
        on_event: Called whenever a component changes its state.

    Returns:
        States and outputs; the verdict lies in the evaluation artifact.

    Raises:
        UserError: When the data or the configuration cannot be used.
    """
    beam_options.check(config.beam)
    beam_runner.use_direct_runner_by_default()
    beam_workers.end_jobs_without_workers()
    work = Path(config.work_dir).expanduser().absolute()
    assert config.data.path is not None, "the command fills in data.path"
    data = _absolute(config.data.path)
    tasks = config.evaluation.official_tasks
    serving = _absolute(config.push_destination)
    places = Places(
        data=data,
        artifacts=str(work / "artifacts"),
        serving=serving,
        cache=str(work / "evaluations"),
        reports=str(work / "reports"),
        data_fingerprint=fingerprint_of_files(data),
        tasks_fingerprint=_fingerprint_of_evaluation(config, tasks),
        production_checksum=served_model.current_checksum(serving),
        destination_state=push_log.destination_state(serving),
        pusher_state=push_log.pusher_state(serving),
    )
    pipeline = create_pipeline(
        config,
        places,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(
            str(work / "metadata.db")
        ),
        beam_pipeline_args=beam_runner.with_full_name(config.beam) or None,
    )
    return LocalRunner(on_event).run(pipeline)


def fingerprint_of_files(root: str) -> str:
    """Hashes names, sizes and times of all files below a folder (local or `gs://`).

    TFX's own fingerprint is made of sizes and times alone, so that a renamed sequence
    would be served from the cache.
    """

    def describe(path: str) -> str:
        if not files.is_remote(path):
            local = Path(path).stat()
            return f"{local.st_size}|{local.st_mtime_ns}"
        stat = tf.io.gfile.stat(path)
        return f"{stat.length}|{stat.mtime_nsec}"

    return _hash_of_tree(root, describe)


def fingerprint_of_content(root: str) -> str:
    """Hashes names and bytes of all files below a folder (local or `gs://`).

    For small files: it sees a change that leaves size and time as they were, and none in a
    copy with new times.
    """
    return _hash_of_tree(root, lambda path: hashlib.sha256(files.read_bytes(path)).hexdigest())


def _hash_of_tree(root: str, describe: Callable[[str], str]) -> str:
    digest = hashlib.sha256()
    for path in sorted(walk(root)):
        name = os.fsencode(path[len(root) :])  # some file systems hold names that are no UTF-8
        digest.update(name + f"|{describe(path)}\n".encode())
    return digest.hexdigest()


def _fingerprint_of_evaluation(config: PipelineConfig, tasks: str | None) -> str:
    """Returns what changes with the task files and the references; TFX sees only their paths."""
    places = {"tasks": tasks} if tasks else {}
    for name, reference in sorted(config.evaluation.references.items()):
        places[name] = reference.model or str(reference.descriptors)
    return "\n".join(f"{name} {fingerprint_of_content(place)}" for name, place in places.items())


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).expanduser().absolute())
