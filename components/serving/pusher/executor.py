"""The stock Pusher's executor with an atomic push that never pushes the same model twice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf
from absl import logging
from tfx import types
from tfx.components.pusher import executor as stock
from tfx.types import standard_component_specs
from tfx.utils import io_utils

from components.core import executor, files
from components.core.names import CARD_SCORES_FILE
from components.serving.production_model import served_model
from components.serving.pusher import destination as push_destinations
from components.serving.pusher import push_log
from trainer.core.errors import UserError
from trainer.model import card
from trainer.model.names import CARD_FILE

PUSH_DESTINATION_KEY = standard_component_specs.PUSH_DESTINATION_KEY
DESTINATION_STATE_KEY = "destination_state"


class Executor(executor.ExecuteMixin, stock.Executor):
    """Pushes a blessed model unless production is that model already."""

    def execute(self, execution: executor.Execution) -> None:
        """Pushes, or says why not.

        The output `pushed_model` has the stock properties (`pushed`, and after a push
        `pushed_destination` and `pushed_version`) and always `reason`, `production_path`,
        `production_version` and `production_checksum` (what is served afterwards; "" and 0
        when nothing is). After a push its folder holds a copy of the model, as the stock
        Pusher's does. The card of what is pushed tells the scores that lie beside the
        blessing.

        Raises:
            UserError: When the destination cannot be written.
        """
        pushed_model = execution.output(standard_component_specs.PUSHED_MODEL_KEY)
        destination = execution.properties[PUSH_DESTINATION_KEY]
        production = served_model.find(destination)
        if not self.CheckBlessing(execution.inputs):
            self._leave(pushed_model, production, "the model was not blessed")
            return
        model_path = self.GetModelPath(execution.inputs)
        if production and served_model.checksum(model_path) == production.checksum:
            if not push_log.is_unfinished(destination, production.version, pushed_model.uri):
                reason = f"production (version {production.version}) is this very model"
                self._leave(pushed_model, production, reason)
                return
            logging.info("Finishing a push that was interrupted: version %s", production.version)
            pushed = production
        else:
            pushed = push_destinations.place(model_path, destination, _card(model_path, execution))
        _note(destination, pushed, pushed_model.uri)
        with _served_already(pushed):
            io_utils.copy_dir(pushed.path, pushed_model.uri)
        self._MarkPushed(
            pushed_model, pushed_destination=pushed.path, pushed_version=str(pushed.version)
        )
        _describe(pushed_model, pushed, "")
        logging.info("Model pushed to %s.", pushed.path)

    def _leave(
        self,
        pushed_model: types.Artifact,
        production: served_model.ServedModel | None,
        reason: str,
    ) -> None:
        self._MarkNotPushed(pushed_model)
        _describe(pushed_model, production, reason)
        logging.info("Nothing pushed: %s.", reason)


def _card(model_path: str, execution: executor.Execution) -> str:
    """Returns the model's card with the scores that it was blessed by; "" leaves it as it is."""
    blessing = execution.input_uri(standard_component_specs.MODEL_BLESSING_KEY)
    scores = files.join(blessing, CARD_SCORES_FILE)
    own = files.join(model_path, CARD_FILE)
    if not (blessing and files.exists(scores) and files.exists(own)):
        return ""
    return card.with_scores(files.read_text(own), files.read_text(scores))


@contextlib.contextmanager
def _served_already(pushed: served_model.ServedModel) -> Iterator[None]:
    """Says of what fails behind a push that the model is served.

    Raises:
        UserError: In place of an error of a disk.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        why = getattr(error, "strerror", "") or getattr(error, "message", "") or str(error)
        raise UserError(
            f"{pushed.path}: the model is pushed and served, but not the run's own record of it "
            f"({why}); put that right and run again, which ends the push and serves nothing twice"
        ) from error


def _note(destination: str, pushed: served_model.ServedModel, pushed_by: str) -> None:
    """Adds a push to the log, unless an attempt before this one did."""
    if any(entry.version == pushed.version for entry in push_log.read(destination)):
        return
    earlier = [n for n in served_model.versions(destination) if n < pushed.version]
    push_log.append(
        destination,
        push_log.PushEntry(
            action="push",
            version=pushed.version,
            checksum=pushed.checksum,
            replaced_version=max(earlier, default=None),
            pushed_by=pushed_by,
        ),
    )


def _describe(
    pushed_model: types.Artifact, production: served_model.ServedModel | None, reason: str
) -> None:
    set_text = pushed_model.set_string_custom_property
    set_text("reason", reason)
    set_text("production_path", production.path if production else "")
    set_text("production_checksum", production.checksum if production else "")
    version = production.version if production else 0
    pushed_model.set_int_custom_property("production_version", version)
