"""The blessing in the form of TFX's own Evaluator, which the stock Pusher reads."""

from __future__ import annotations

import posixpath

from tfx import types
from tfx.components.evaluator import constants
from tfx.utils import io_utils


def write(
    blessed: bool,
    blessing: types.Artifact,
    model: types.Artifact,
    production: types.Artifact | None = None,
    component_id: str = "",
) -> None:
    """Writes the file BLESSED or NOT_BLESSED and the properties that belong to it."""
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    if production is not None:
        blessing.set_string_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, production.uri
        )
        blessing.set_int_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, production.id
        )
    if component_id:
        blessing.set_string_custom_property("component_id", component_id)
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    io_utils.write_string_file(posixpath.join(blessing.uri, name), "")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
