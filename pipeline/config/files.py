"""Reads configuration files and overrides of the command line, and applies the latter."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.config.layers import Layer, Override
from pipeline.config.problems import ConfigError, takes_any_key, unknown_key
from trainer.core import documents
from trainer.core.errors import UserError

PACKAGED = Path(__file__).parents[1] / "configs"
BASE_KEY = "base"


def packaged_names() -> list[str]:
    """Returns the names of the configurations that come with the package."""
    return sorted(path.stem for path in PACKAGED.glob("*.yaml"))


def read_layers(name_or_file: str) -> list[Layer]:
    """Reads a file and what it builds on, the lowest layer first.

    Raises:
        UserError: When a file is missing, is not YAML, repeats a key or builds on itself.
    """
    layers: list[Layer] = []
    seen: list[Path] = []
    path = _find(name_or_file, Path())
    while True:
        origin = path.name if path.parent == PACKAGED else str(path)
        if path.resolve() in seen:
            raise UserError(
                f"{origin}: {BASE_KEY}: the file builds on itself; expected another one"
            )
        seen.append(path.resolve())
        tree = _read(path, origin)
        base = tree.pop(BASE_KEY, None)
        layers.insert(0, Layer(origin, tree))
        if base is None:
            return layers
        if not isinstance(base, str):
            raise UserError(
                f"{origin}: {BASE_KEY}: found {base!r}, expected the name of a packaged "
                f"configuration ({', '.join(packaged_names())}) or a file"
            )
        path = _find(base, path.parent, origin)


def parse_override(text: str) -> Override:
    """Parses `key.path=value`; the value is read as YAML.

    Raises:
        UserError: When there is no `=`, an empty key, or the value is not YAML.

    Example:
        >>> parse_override("training.stages.0.learning_rate=1e-3").value
        0.001
    """
    path, equals, value = text.partition("=")
    keys = tuple(key.strip() for key in path.split("."))
    if not equals or not all(keys):
        raise UserError(
            f"--set {text!r}: expected key.path=value, for example --set training.seed=2"
        )
    try:
        return Override(f"--set {path.strip()}", keys, _parse(value))
    except YAMLError as error:
        raise UserError(
            f"--set {text!r}: the value is not YAML ({_problem(error)}); expected a number, "
            "a text, true, false, null or a list like [1, 2]"
        ) from error


def apply_override(tree: dict[str, Any], override: Override, model: type[BaseModel]) -> None:
    """Sets one value in a complete tree, in place.

    Raises:
        UserError: When the path leads nowhere.
    """
    node: Any = tree
    for depth, key in enumerate(override.path):
        here = override.path[:depth]
        last = depth == len(override.path) - 1
        if isinstance(node, list):
            place = _index(node, key, here, override.origin)
            if last:
                node[place] = override.value
            node = node[place]
        elif isinstance(node, dict):
            if last:
                node[key] = override.value
            elif key not in node and takes_any_key(model, here):
                node[key] = {}
            elif key not in node:
                raise ConfigError([unknown_key(override.origin, (*here, key), model)])
            elif node[key] is None:
                node[key] = {}
            node = node[key]
        else:
            raise UserError(
                f"{override.origin}: {'.'.join(here)} is the value {node!r} and has no keys; "
                f"expected --set {'.'.join(here)}=VALUE"
            )


def _index(node: list[Any], key: str, here: tuple[str, ...], origin: str) -> int:
    if key.isdecimal() and int(key) < len(node):
        return int(key)
    raise UserError(
        f"{origin}: {'.'.join(here)} is a list of {len(node)}; found {key!r}, expected "
        + (f"a place from 0 to {len(node) - 1}" if node else "the whole list as the value")
    )


def _find(name_or_file: str, folder: Path, origin: str = "") -> Path:
    """Returns the file of a packaged name or of a path relative to `folder`."""
    if name_or_file in packaged_names():
        return PACKAGED / f"{name_or_file}.yaml"
    path = folder / Path(name_or_file).expanduser()
    if path.is_file():
        return path
    close = difflib.get_close_matches(name_or_file, packaged_names(), n=1)
    raise UserError(
        (f"{origin}: {BASE_KEY}: " if origin else "")
        + f"configuration {name_or_file!r}: "
        + (f"did you mean {close[0]!r}? " if close else "")
        + f"There is no such file; expected a YAML file or one of {', '.join(packaged_names())}"
    )


def _read(path: Path, origin: str) -> dict[str, Any]:
    try:
        tree = _parse(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(
            f"{origin}: not valid YAML ({_problem(error)}); expected blocks of key: value"
        ) from error
    except OSError as error:
        raise UserError(f"{origin}: cannot be read ({error.strerror})") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise UserError(
            f"{origin}: found a {type(tree).__name__} at the top, expected blocks of key: value"
        )
    return tree


def _problem(error: Exception) -> str:
    """Says on one line what is wrong and where."""
    mark = getattr(error, "problem_mark", None)
    text = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}: {text}" if mark is not None else text


def _parse(text: str) -> Any:
    """Reads YAML 1.2: `1e-3` is a number, `off` a text; dates and keys become texts.

    Raises:
        YAMLError: When it is none, or a value cannot be made of it.
    """
    try:
        documents.check(text)
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError):
        pass  # ruamel says the same, with the line
    except yaml.YAMLError as error:
        raise YAMLError(str(error)) from error
    try:
        return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=str))
    except documents.CONSTRUCTION as error:
        raise YAMLError(
            f"a value cannot be made ({' '.join(str(error).split()) or type(error).__name__})"
        ) from error
