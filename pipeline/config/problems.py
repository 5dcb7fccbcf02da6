"""Tells in sentences what is wrong with a configuration."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.config.layers import Layer, Override
from trainer.core.errors import UserError
from trainer.core.settings import RENAMED
from trainer.core.validation_messages import key_path, message


class ConfigError(UserError):
    """A configuration that cannot be used.

    Attributes:
        problems: One sentence each.
    """

    def __init__(self, problems: Sequence[str]):
        self.problems = tuple(problems)
        more = len(self.problems) - 1
        super().__init__(
            self.problems[0]
            + (f" (and {more} more: `hpatches config check` lists them)" if more else "")
        )


def sentences(
    error: ValidationError,
    tree: Mapping[str, Any],
    model: type[BaseModel],
    layers: Sequence[Layer],
    overrides: Sequence[Override],
) -> list[str]:
    """Turns pydantic's errors into sentences that name file, key, found and expected.

    The layers begin with the lowest file, the overrides with the first.
    """
    by_location: dict[tuple[str | int, ...], list[dict[str, Any]]] = {}
    for problem in error.errors(include_url=False):
        # A union reports each of its branches: they are told as one problem.
        details = typing.cast("dict[str, Any]", problem)
        by_location.setdefault(_location(details, tree), []).append(details)
    told = []
    for location, problems in by_location.items():
        if problems[0]["type"] == "too_short" and any(
            len(other) > len(location) and other[: len(location)] == location
            for other in by_location
        ):
            continue  # pydantic does not count the entries that it refused
        origin = _origin(location, layers, overrides)
        if problems[0]["type"] == "extra_forbidden":
            told.append(unknown_key(origin, location, model))
        else:
            told.append(f"{_where(origin, location)}: {message(problems)}")
    return told


def unknown_key(origin: str, location: Sequence[str | int], model: type[BaseModel]) -> str:
    """Says that a key does not exist and which one may have been meant."""
    where = _where(origin, location)
    *parents, key = location
    owner = _model_at(model, parents)
    known = list(owner.model_fields) if owner is not None else []
    renamed = RENAMED.get(str(key))
    if renamed in known:
        return f"{where}: the key is called {renamed} now; rename it"
    close = difflib.get_close_matches(str(key), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}"
    return f"{where}: unknown key; {hint}"


def _where(origin: str, location: Sequence[str | int]) -> str:
    """Returns origin and key path; once, where the option names the path itself."""
    path = key_path(location)
    return origin if not path or origin == f"--set {path}" else f"{origin}: {path}"


def _origin(
    location: Sequence[str | int], layers: Sequence[Layer], overrides: Sequence[Override]
) -> str:
    """Returns who set the value at `location`: the last override or file that holds it."""
    texts = [str(part) for part in location]
    for override in reversed(overrides):
        depth = min(len(texts), len(override.path))
        if list(override.path[:depth]) == texts[:depth]:
            return override.origin
    for layer in reversed(layers):
        if _holds(layer.tree, location):
            return layer.origin
    return layers[-1].origin if layers else "configuration"


def _holds(tree: Any, location: Sequence[str | int]) -> bool:
    """Whether a tree sets the value at `location`, or a list or block that lacks it."""
    if not location:
        return True
    first, *rest = location
    if isinstance(tree, dict):
        return first in tree and _holds(tree[first], rest)
    return isinstance(tree, list)  # lists are replaced whole


def _location(problem: Mapping[str, Any], tree: Any) -> tuple[str | int, ...]:
    """Returns a problem's key path, without the branch names that pydantic adds for unions."""
    kept = []
    node = tree
    for part in problem["loc"]:
        if (isinstance(node, dict) and part in node) or (
            isinstance(node, list) and isinstance(part, int) and part < len(node)
        ):
            node = node[part]
            kept.append(part)
    if problem["type"] == "missing":
        kept.append(problem["loc"][-1])
    return tuple(kept)


def _model_at(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel] | None:
    """Follows a location down the classes; places of lists and mappings stay in their class."""
    chosen = False  # whether the next key is the user's choice
    for part in location:
        if chosen or isinstance(part, int) or part.isdecimal():
            chosen = False
            continue
        field = model.model_fields.get(part)
        chosen = field is not None and typing.get_origin(field.annotation) is dict
        inner = _models(field.annotation) if field is not None else []
        if not inner:
            return None
        model = inner[0]
    return model


def takes_any_key(model: type[BaseModel], location: Sequence[str | int]) -> bool:
    """Whether what lies at `location` is a plain mapping, whose keys the user chooses."""
    owner = _model_at(model, location[:-1])
    field = owner.model_fields.get(str(location[-1])) if owner is not None and location else None
    return field is not None and typing.get_origin(field.annotation) is dict


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Returns the settings classes inside an annotation such as `tuple[Stage, ...] | None`."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, BaseModel) else []
    models = []
    for argument in typing.get_args(annotation):
        models += _models(argument)
    return models
