"""Bounds on YAML and JSON texts: a few hundred bytes can stand for gigabytes, or never end."""

from __future__ import annotations

import yaml

_MOST_NODES = 1_000_000
_DEEPEST = 100
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

CONSTRUCTION = (ValueError, KeyError, AttributeError, TypeError, RecursionError)
"""What YAML libraries raise, beside their own errors, for values that cannot be made."""


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
