"""Files that commands write where an option says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from components.core import file_system
from pipeline import preflight
from trainer.core.errors import UserError


def check_writable(option: str, path: str | None) -> None:
    """Refuses before the work what would be refused after it.

    Args:
        option: The option, for the message.
        path: The file; None and remote files are left alone.

    Raises:
        UserError: When it cannot be written.
    """
    if path is None or file_system.is_remote(path):
        return
    place = Path(path)
    if place.is_dir() or not place.absolute().parent.is_dir():
        raise UserError(
            f"{option}: {path} cannot be written; expected a file name in a folder that is there"
        )
    preflight.check_folder(option, str(place.absolute().parent))


def write_json(option: str, path: str, content: dict[str, Any]) -> None:
    """Writes numbers for programs, whole or not at all.

    Raises:
        UserError: When the file cannot be written.
    """
    try:
        file_system.write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise UserError(f"{option}: {path} cannot be written ({error.strerror})") from error
