"""TFX's artifacts, as an executor is given them."""

from pathlib import Path
from typing import Any


def artifact(kind: Any, uri: str | Path) -> Any:
    """Returns an artifact of a type at a place."""
    made = kind()
    made.uri = str(uri)
    return made
