"""Reading and writing compiled pipelines: the KFP PipelineSpec as YAML or JSON."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Any

import yaml

from components.core import files as disk
from trainer.core import documents
from trainer.core.errors import UserError

_JSON, _YAML = (".json",), (".yaml", ".yml")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, so that a spec and its changes can be read."""


# A text such as the checksum 12e4, which PyYAML writes without quotes, is a number to the
# readers of YAML 1.2, Kubeflow's among them.
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else "'" if _NUMBER.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)


def check_name(option: str, path: str, *, json_too: bool = True) -> None:
    """Refuses a file whose name does not say what it is to hold.

    Raises:
        UserError: When it ends neither in `.yaml` (`.yml`) nor in `.json`.
    """
    allowed = _YAML + (_JSON if json_too else ())
    if PurePosixPath(path).suffix not in allowed:
        why = "" if json_too else ", which alone kfp's client loads"
        raise UserError(f"{option}: found {path!r}, expected a name in {' or '.join(allowed)}{why}")


def to_text(spec: dict[str, Any], path: str) -> str:
    """Writes a spec in the format that the file's name asks for; same spec, same text."""
    if PurePosixPath(path).suffix in _JSON:
        return json.dumps(spec, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return yaml.dump(spec, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=100)


def write(spec: dict[str, Any], path: str) -> None:
    """Writes a spec, whole or not at all.

    Raises:
        UserError: When the file cannot be written.
    """
    disk.write_text(path, to_text(spec, path))


def read(path: str) -> dict[str, Any]:
    """Reads a spec from a file that `hpatches compile`, kfp or TFX has written.

    A whole PipelineJob is read as the spec inside it.

    Raises:
        UserError: When there is no such file, or it holds no mapping.
    """
    try:
        # JSON is YAML; further documents of kfp's files are for the platform alone.
        tree = next(iter(documents.read_yaml(disk.read_text(path))), None)
    except yaml.YAMLError as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"{path}: neither YAML nor JSON ({first}); expected a compiled pipeline"
        ) from error
    if not isinstance(tree, dict):
        raise UserError(f"{path}: found no mapping, expected a compiled pipeline")
    inner = tree.get("pipelineSpec", tree)
    if not isinstance(inner, dict):
        raise UserError(f"{path}: pipelineSpec is no mapping; expected a compiled pipeline")
    return inner
