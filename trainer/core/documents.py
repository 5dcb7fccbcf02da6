"""Reads YAML and JSON within bounds: a few hundred bytes can stand for gigabytes, or never end."""

from __future__ import annotations

import json
from typing import Any

import yaml

_MOST_NODES = 1_000_000
_DEEPEST = 100
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

CONSTRUCTION = (ValueError, KeyError, AttributeError, TypeError, RecursionError)
"""What YAML libraries raise, beside their own errors, for values that cannot be made."""


def read_json(text: str | bytes) -> Any:
    """Reads JSON.

    Raises:
        ValueError: When it is none, or nested or long beyond all use.

    Example:
        >>> read_json("[1, 2]")
        [1, 2]
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deep") from None


def read_yaml(text: str) -> list[Any]:
    """Reads the documents of a YAML or JSON text, by PyYAML's safe loader.

    Raises:
        yaml.YAMLError: When it is neither, or out of bounds as for `check`.
    """
    check(text)
    try:
        return list(yaml.safe_load_all(text))
    except CONSTRUCTION as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise yaml.YAMLError(f"a value cannot be made ({said})") from error


def check(text: str) -> None:
    r"""Follows a text's structure, with every alias as large as what it repeats.

    Args:
        text: YAML or JSON.

    Raises:
        yaml.YAMLError: When it is neither, too large when its aliases are written out, too
            deep, or holds an alias of what the alias is part of.

    Example:
        >>> check("a: &x [1, 2]\nb: *x\n")
        >>> check("a: &x [*x]")
        Traceback (most recent call last):
        yaml.error.YAMLError: line 1: the alias x stands within what it repeats
    """
    try:
        _follow(text)
    except yaml.MarkedYAMLError as error:
        if "nesting depth" in str(error.problem):  # libyaml's own bound
            raise yaml.YAMLError(f"is nested more than {_DEEPEST} deep") from error
        raise
    except UnicodeEncodeError as error:
        raise yaml.YAMLError("holds bytes that are no UTF-8") from error


def _follow(text: str) -> None:
    sizes: dict[str | None, int] = {}
    unfinished: list[tuple[str | None, int]] = []
    nodes = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in [anchor for anchor, _ in unfinished]:
                raise yaml.YAMLError(
                    f"line {line}: the alias {event.anchor} stands within what it repeats"
                )
            nodes += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, _OPENING):
            nodes += 1
            unfinished.append((event.anchor, nodes - 1))
        elif isinstance(event, _CLOSING):
            anchor, before = unfinished.pop()
            if anchor:
                sizes[anchor] = nodes - before
        if nodes > _MOST_NODES:
            raise yaml.YAMLError(f"line {line}: stands for more than {_MOST_NODES:,} values")
        if len(unfinished) > _DEEPEST:
            raise yaml.YAMLError(f"line {line}: is nested more than {_DEEPEST} deep")
