"""The parameters of a run: from `key=value` texts to values that the spec's types allow."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components.core import files
from trainer.core.documents import read_json
from trainer.core.errors import UserError

READ_FOLDERS = ("data_path", "tasks_path")
FOLDERS = (*READ_FOLDERS, "push_destination")
"""Parameters of this project's pipelines that are folders."""

_TYPES: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int,),
    "NUMBER_DOUBLE": (float, int),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}
WORDS = {
    "STRING": "a text",
    "NUMBER_INTEGER": "an integer",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a list as JSON",
    "STRUCT": "a mapping as JSON",
}
"""What is expected of a value, by the type of its parameter."""


def declared(spec: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Returns the definitions of the parameters that a run of the pipeline is given."""
    return spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})


def parse(spec: Mapping[str, Any], texts: Iterable[str]) -> dict[str, Any]:
    """Reads `key=value` texts, each by the type that the spec declares.

    Raises:
        UserError: When one is not `key=value`, names no parameter, or has the wrong type.
    """
    values: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UserError(f"--param {text!r}: expected NAME=VALUE, e.g. data_path=gs://...")
        kind = _definition(spec, key)["parameterType"]
        try:
            values[key] = value if kind == "STRING" else read_json(value)
        except ValueError:
            raise UserError(f"parameter {key}: found {value!r}, expected {WORDS[kind]}") from None
    return values


def check_parameters(spec: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Refuses values that a run would not take; returns them with the defaults of the others.

    Raises:
        UserError: When one is unknown, missing or of the wrong type.
    """
    for key, value in values.items():
        kind = _definition(spec, key)["parameterType"]
        if not fits(kind, value):
            raise UserError(f"parameter {key}: found {value!r}, expected {WORDS[kind]}")
    complete = dict(values)
    for key, definition in declared(spec).items():
        if key in complete:
            continue
        if "defaultValue" in definition:
            complete[key] = definition["defaultValue"]
        elif not definition.get("isOptional", False):
            said = definition.get("description", "")
            raise UserError(
                f"parameter {key}: not given; expected --param {key}=VALUE"
                + (f" ({said})" if said else "")
            )
    return complete


def fits(kind: str, value: Any) -> bool:
    """Tells whether a parameter of a type, one of `WORDS`, takes a value.

    Example:
        >>> fits("NUMBER_INTEGER", 3.0), fits("NUMBER_INTEGER", True)
        (True, False)
    """
    if kind == "NUMBER_INTEGER" and isinstance(value, float):
        return value.is_integer()  # JSON has one kind of number
    return isinstance(value, _TYPES[kind]) and (kind == "BOOLEAN" or not isinstance(value, bool))


def with_absolute_folders(values: Mapping[str, Any]) -> dict[str, Any]:
    """Makes folders independent of where a command was started; for runs on this machine."""
    return {
        key: str(Path(value).expanduser().absolute())
        if key in FOLDERS and value and "://" not in value
        else value
        for key, value in values.items()
    }


def check_folders(values: Mapping[str, Any]) -> None:
    """Refuses local folders that are not there or cannot be written, before the first task.

    Args:
        values: As `with_absolute_folders` returns them.

    Raises:
        UserError: With the parameter that names one.
    """
    for key in FOLDERS:
        path = values.get(key)
        if not path or files.is_remote(path):
            continue
        if key not in READ_FOLDERS:
            files.check_folder(f"parameter {key}", path)
        elif not files.is_folder(path):
            raise UserError(f"parameter {key}: found no folder {path!r}; check the path")


def _definition(spec: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    known = declared(spec)
    if key not in known:
        close = difflib.get_close_matches(key, known, n=1)
        names = ", ".join(sorted(known)) or "(none)"
        raise UserError(
            f"parameter {key}: unknown; "
            + (f"did you mean {close[0]}?" if close else f"expected one of {names}")
        )
    return known[key]
