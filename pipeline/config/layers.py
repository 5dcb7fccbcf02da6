"""Layers of a configuration: what files and the command line set, one on top of another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Layer:
    """The keys that one file sets."""

    origin: str
    tree: dict[str, Any]


@dataclass(frozen=True)
class Override:
    """One value set on the command line, by an option as the user wrote it (`origin`)."""

    origin: str
    path: tuple[str, ...]
    value: Any


def merge(layers: Iterable[Layer]) -> dict[str, Any]:
    """Puts layers on top of one another: blocks join key by key, all else is replaced."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _join(merged, layer.tree)
    return merged


def _join(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return {
            key: _join(below[key], above[key])
            if key in below and key in above
            else (above[key] if key in above else below[key])
            for key in (*below, *(key for key in above if key not in below))
        }
    return above
