"""Which span and version of the data are read.

TFX's driver finds them before the executor runs. On Kubeflow drivers are not run (Vertex AI
plays this one), so there the executor has to look itself.
"""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterator
from typing import Any

from tfx import types
from tfx.components.example_gen import driver, utils
from tfx.types import standard_component_specs

from trainer.core.errors import UserError


@contextlib.contextmanager
def pattern_errors(exec_properties: dict[str, Any]) -> Iterator[None]:
    """Tells what TFX does not find as the user's mistake.

    Raises:
        UserError: When no file matches the pattern, or the pattern is none.
    """
    try:
        yield
    except ValueError as error:
        base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
        raise UserError(
            f"data.pattern: {error}; expected files below {base} that match, e.g. "
            "span-{SPAN}/v{VERSION}/*/* (photographs: span-{SPAN}/*)"
        ) from error


class FilesDriver(driver.FileBasedDriver):
    """TFX's driver, for data folders whose names look like patterns, too (`Photos [2024]`)."""

    def get_input_processor(
        self, splits: Any, range_config: Any = None, input_base_uri: str | None = None
    ) -> Any:
        """Returns TFX's processor of the files below a folder."""
        return super().get_input_processor(splits, range_config, glob.escape(input_base_uri or ""))


def resolve_unless_done(exec_properties: dict[str, Any], examples: types.Artifact) -> None:
    """Does what the driver does, where no driver ran: newest span and version, fingerprint.

    Args:
        exec_properties: ExampleGen's; patterns without `{SPAN}` and `{VERSION}` afterwards.
        examples: The output, which gets the properties `span`, `version` and
            `input_fingerprint`.

    Raises:
        UserError: When no file matches the pattern, or the pattern is none.
    """
    if utils.FINGERPRINT_PROPERTY_NAME in exec_properties:
        return
    with pattern_errors(exec_properties):
        # Neither the metadata store nor who asks is used for files.
        FilesDriver(None).resolve_exec_properties(exec_properties, None, None)
    driver.update_output_artifact(exec_properties, examples.mlmd_artifact)
