"""Runs `trainer.engine.loop` on the artifacts of a pipeline.

Every execution has output folders of its own, and those of one that was killed are never
looked at again. The checkpoints therefore lie beside them, under a name of their own that
depends on data, settings and code, where the next execution of the same finds them.
"""

from __future__ import annotations

import posixpath

from tfx.utils import io_utils, path_utils

from components.core import executor, files
from components.core.exec_properties import read_settings
from components.core.names import EXAMPLES_KEY, MODEL_KEY, MODEL_RUN_KEY
from trainer.core.config import TrainerConfig
from trainer.engine import loop
from trainer.model import export

TRANSFORM_GRAPH_KEY = "transform_graph"
BASE_MODEL_KEY = "base_model"
TRAINING_KEY = "training"
CHECKPOINTS = "checkpoints"


class Executor(executor.Executor):
    """Trains in this process and leaves the exported model where TFX expects it."""

    def execute(self, execution: executor.Execution) -> None:
        """Trains a descriptor, or goes on with an execution that was killed.

        Raises:
            Interrupted: On SIGTERM or Ctrl-C; the same pipeline goes on from there.
            UserError: When the data cannot feed the plan (too few points). A run
                that gave up does not raise: it exports its best state, and the gate decides.
        """
        config = read_settings(TrainerConfig, execution.properties[TRAINING_KEY], "training")
        model, model_run = execution.output(MODEL_KEY), execution.output(MODEL_RUN_KEY).uri
        checkpoints = _checkpoint_dir(model_run)
        result = loop.train(
            config,
            examples_root=execution.input_uri(EXAMPLES_KEY),
            transform_graph=execution.input_uri(TRANSFORM_GRAPH_KEY),
            folders=loop.Folders(model_run, posixpath.join(model_run, "logs"), checkpoints),
            warm_start=production(execution),
            keep_checkpoints=True,
        )
        serving = path_utils.serving_model_dir(model.uri)
        io_utils.copy_dir(result.model_path, serving)
        files.remove_folder(result.model_path)
        model.set_string_custom_property("checksum", export.model_checksum(serving))
        loop.forget(result.run, checkpoints)


def _checkpoint_dir(model_run: str) -> str:
    """Returns the folder for checkpoints of an output folder `<root>/<component>/<key>/<id>`.

    It has the shape of one of the component's outputs, so that `hpatches clean` finds what
    runs that nobody went on with have left in it.
    """
    component = posixpath.dirname(posixpath.dirname(model_run.rstrip("/")))
    return posixpath.join(component, CHECKPOINTS)


def production(execution: executor.Execution) -> str | None:
    """Returns the path of the production model to start from; None when there is none (yet)."""
    if not execution.inputs.get(BASE_MODEL_KEY):
        return None
    base = execution.input(BASE_MODEL_KEY)
    exists = base.get_int_custom_property("exists")
    return path_utils.serving_model_path(base.uri) if exists else None
