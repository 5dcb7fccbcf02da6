"""Trains in a job on Vertex AI and brings the same results home as the local executor.

All work of a job lies in one folder below `staging` whose name depends on data, settings,
code and image: a job that is started again, by Vertex after its machine was taken back or by
a pipeline that was run again, goes on from the checkpoints there.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import time
from typing import Any

import tensorflow as tf
from absl import logging
from google.cloud.aiplatform_v1 import CustomJob, JobServiceClient, JobState
from google.rpc import code_pb2
from tfx.utils import io_utils, path_utils

from components.core import executor, google_cloud
from components.core.exec_properties import read_settings
from components.core.names import CODE_FINGERPRINT_KEY, EXAMPLES_KEY, MODEL_KEY, MODEL_RUN_KEY
from components.descriptor_trainer import executor as local
from components.descriptor_trainer.vertex import check, job, job_service
from components.descriptor_trainer.vertex.address import Address
from components.descriptor_trainer.vertex.job import Places
from components.descriptor_trainer.vertex.settings import VertexTrainingSettings
from trainer.core import files
from trainer.core.config import TrainerConfig
from trainer.core.documents import read_json
from trainer.core.errors import UserError
from trainer.core.interruption import stop_requests
from trainer.core.progress import Progress, duration, send
from trainer.data import manifest
from trainer.engine import lease
from trainer.model import export
from trainer.model.names import IDENTITY_FILE, SAVED_MODEL_FILE, SERVING_DIR
from trainer.reporting import failure_file, result, timeline

VERTEX_KEY = "vertex_json"
PROJECT_KEY = "project"
LOCATION_KEY = "location"
STAGING_KEY = "staging"
REACHABLE = ("gs://",)
"""How the folders begin that a job on Vertex AI reaches."""

_FOLDER = "descriptor-trainer"
_NO_CAPACITY = (code_pb2.RESOURCE_EXHAUSTED, code_pb2.UNAVAILABLE)


class Executor(executor.Executor):
    """Has the trainer's image train, and leaves the model where TFX expects it."""

    def execute(self, execution: executor.Execution) -> None:
        """Trains a descriptor, or goes on with a job that did not end.

        Inputs and outputs are those of the local executor.

        Raises:
            Interrupted: On SIGTERM or Ctrl-C; the job is cancelled, unless another execution
                waits for it. Where there is no time for that, it ends for want of a lease.
            UserError: When the job cannot be, or did not end well; the sentence says why.
        """
        given = execution.properties
        training = read_settings(TrainerConfig, given[local.TRAINING_KEY], "training")
        settings = read_settings(VertexTrainingSettings, given[VERTEX_KEY], "platform.training")
        address = Address(_given(given, PROJECT_KEY), _given(given, LOCATION_KEY))
        check.check(settings, training, address.location)
        config = job.trainer_config(settings, training)
        places, key = _places(execution, config, check.image_of(settings))
        model = execution.output(MODEL_KEY)
        _finish_clearing(places)
        if tf.io.gfile.exists(posixpath.join(places.output, result.FILE_NAME)):
            logging.info("An earlier job has ended well: its results in %s are taken", places.base)
        else:
            tf.io.gfile.makedirs(places.base)
            files.write_text(places.config, config.model_dump_json(indent=1))
            failure_file.remove(places.failure)
            _train(settings, places, address, key)
        serving = path_utils.serving_model_dir(model.uri)
        _bring_home(places, serving, execution.output(MODEL_RUN_KEY).uri)
        model.set_string_custom_property("checksum", export.model_checksum(serving))
        _clear(places)


def _given(properties: dict[str, Any], key: str) -> str:
    value = properties.get(key)
    if not value:
        raise UserError(
            f"{key}: not set, but training on Vertex AI needs it; expected a value for this "
            f"parameter of the run, e.g. `hpatches submit ... --param {key}=...`"
        )
    return str(value)


def _places(execution: executor.Execution, config: TrainerConfig, image: str) -> tuple[Places, str]:
    """Returns the folders of the job, and the key that names its work.

    The terms of the job are no part of the key: with a longer time, say, it goes on.
    """
    data = execution.input_uri(EXAMPLES_KEY)
    graph = execution.input_uri(local.TRANSFORM_GRAPH_KEY)
    warm_start = local.production(execution)
    staging = _given(execution.properties, STAGING_KEY)
    for name, folder in {
        STAGING_KEY: staging,
        EXAMPLES_KEY: data,
        local.TRANSFORM_GRAPH_KEY: graph,
        local.BASE_MODEL_KEY: warm_start,
    }.items():
        if folder is not None and not folder.startswith(REACHABLE):
            raise UserError(
                f"{name}: found {folder}, which a job on Vertex AI cannot reach; expected a folder "
                f"that begins with {' or '.join(REACHABLE)} (for the pipeline's own folders: its "
                f"pipeline root)"
            )
    depends_on = [
        manifest.read(data).checksum,
        export.model_checksum(graph),
        export.model_checksum(warm_start) if warm_start else "",
        config.model_dump_json(),
        execution.properties[CODE_FINGERPRINT_KEY],
        image,
    ]
    key = hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:16]
    return Places(data, graph, posixpath.join(staging, _FOLDER, key), warm_start), key


def _train(settings: VertexTrainingSettings, places: Places, address: Address, key: str) -> None:
    """Runs the job to its end.

    Raises:
        UserError: When it does not end well.
        Interrupted: After a signal.
    """
    client = google_cloud.connect(JobServiceClient, address.location, address.in_words)
    watch = _Watch(places)
    # The lease comes first: a job that finds none stops again.
    with stop_requests() as request, lease.held(places.leases) as held:
        wanted = job.custom_job(settings, places, key)
        started = job_service.start_or_join(client, address, wanted, request)
        ended = job_service.wait(
            client,
            address,
            started.name,
            settings.poll_seconds,
            request,
            watch,
            is_needed=lambda: held.is_shared,
        )
    if ended.state != JobState.JOB_STATE_SUCCEEDED:
        raise UserError(_why(ended, places, address))


class _Watch:
    """Tells whoever listens how far a job is, by its state and the timeline that it writes."""

    def __init__(self, places: Places) -> None:
        self._timeline = posixpath.join(places.output, timeline.FILE_NAME)
        self._started = time.monotonic()

    def __call__(self, seen: CustomJob) -> None:
        event = self._last_event() if seen.state == JobState.JOB_STATE_RUNNING else {}
        said = [f"waiting for {duration(time.monotonic() - self._started)}"]
        if event:
            said.append(f"last event: {event['event']} in stage {event['stage'] + 1}")
        label = f"training on Vertex AI ({job_service.words(seen.state)})"
        send(Progress(label, event.get("step", 0), detail=", ".join(said)))

    def _last_event(self) -> dict[str, Any]:
        try:
            with tf.io.gfile.GFile(self._timeline) as file:
                return read_json(file.read())[-1]
        except (OSError, ValueError, IndexError, tf.errors.OpError):
            return {}  # not written yet, or just being replaced


def _why(ended: CustomJob, places: Places, address: Address) -> str:
    """Returns why a job did not end well, in one sentence."""
    what = f"the training job {ended.name} {_VERBS.get(ended.state, 'ended')}"
    where = f"its page is {address.page(ended.name)}"
    message = " ".join(ended.error.message.split())
    failure = failure_file.read(places.failure)
    if ended.state == JobState.JOB_STATE_FAILED and failure is not None:
        if failure.exit_status == 2:
            return failure.message
        return f"{what} ({failure.message}); {where}"
    if ended.error.code in _NO_CAPACITY:
        return (
            f"{what} for want of quota or capacity ({message}); choose another region or a smaller "
            f"slice, or run the pipeline again later: it goes on from its checkpoints; {where}"
        )
    if ended.state in (JobState.JOB_STATE_CANCELLED, JobState.JOB_STATE_EXPIRED):
        return (
            f"{what}{f' ({message})' if message else ''}; run the pipeline again to go on from its "
            f"last checkpoint, with a longer platform.training.timeout_hours if that was it; "
            f"{where}"
        )
    return f"{what} ({message or 'Vertex AI does not say why'}); {where}, with its logs"


_VERBS = {
    JobState.JOB_STATE_FAILED: "failed",
    JobState.JOB_STATE_CANCELLED: "was cancelled",
    JobState.JOB_STATE_EXPIRED: "ran out of time",
    JobState.JOB_STATE_PARTIALLY_SUCCEEDED: "succeeded in part only",
}


def _bring_home(places: Places, serving: str, model_run: str) -> None:
    """Copies what a job has left to where the local executor leaves it."""
    made = posixpath.join(places.output, SERVING_DIR)
    parts = (SAVED_MODEL_FILE, IDENTITY_FILE)
    if not all(tf.io.gfile.exists(posixpath.join(made, part)) for part in parts):
        raise UserError(
            f"{made}: there is no model although the job ended well; expected the results of "
            f"`python -m trainer` of this version in the image, see platform.training.image"
        )
    io_utils.copy_dir(made, serving)
    tf.io.gfile.makedirs(model_run)
    for name in tf.io.gfile.listdir(places.output):
        path = posixpath.join(places.output, name.rstrip("/"))
        if not tf.io.gfile.isdir(path):
            tf.io.gfile.copy(path, posixpath.join(model_run, name), overwrite=True)
    if tf.io.gfile.isdir(places.logs):
        io_utils.copy_dir(places.logs, posixpath.join(model_run, "logs"))


def _clear(places: Places) -> None:
    """Deletes what a job has left.

    A tree is deleted in no particular order. A kill in the midst of it must leave neither a
    result without its model, which would be brought home, nor half a checkpoint to go on from:
    the result goes first, and a folder without the configuration counts as deleted.
    """
    for path in (posixpath.join(places.output, result.FILE_NAME), places.config):
        if tf.io.gfile.exists(path):
            tf.io.gfile.remove(path)
    files.remove_folder(places.base)


def _finish_clearing(places: Places) -> None:
    """Deletes what is left of a folder whose deletion was interrupted."""
    if tf.io.gfile.exists(places.base) and not tf.io.gfile.exists(places.config):
        files.remove_folder(places.base)
