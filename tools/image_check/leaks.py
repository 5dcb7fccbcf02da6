"""Secrets, projects, buckets and addresses in what an image is made of, or says about itself."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.kfp import baked_in

# `gs://` alone, `gs://...`, `gs://bucket/...` and NAME@PROJECT stand in texts about such names.
_EXAMPLE = re.compile(r"\w+://(?:bucket(?![\w.-])|[^a-z0-9])|[A-Z_-]+@[A-Z_-]+\.")
_ADDRESSES = {
    "the address of a package index": re.compile(
        r"(?:--(?:default-|extra-)?index(?:-url)?|--find-links|(?:PIP|UV)_\w*(?:INDEX|LINKS)\w*)"
        r"[ =]+[\"']?\w+:/[^\s\"']+"
    ),
    "an address of a private registry": re.compile(r"\b[\w-]+(?:\.[\w-]+)*\.pkg\.dev\b|\bgcr\.io/"),
}


def in_texts(texts: Mapping[str, str]) -> list[str]:
    """Returns a sentence on everything that must not be part of an image.

    Args:
        texts: What is looked at, by its name for the message.
    """
    problems = []
    for name, text in texts.items():
        hits = [(what, hit) for _, what, hit in baked_in.find(text)]
        hits += [(what, m[0]) for what, rule in _ADDRESSES.items() for m in rule.finditer(text)]
        for what, hit in hits:
            if not _EXAMPLE.match(hit):
                problems.append(f"{name}: {what} ({hit[:12]}...)")
    return problems


def context(root: Path) -> dict[str, str]:
    """Returns what a build may take from a folder: what `.dockerignore` lets through.

    Args:
        root: Folder with Dockerfile and `.dockerignore`.

    Returns:
        Text by path, the Dockerfile's own included.
    """
    rules = [line.strip() for line in (root / ".dockerignore").read_text().splitlines()]
    rules = [rule for rule in rules if rule and not rule.startswith("#")]
    texts = {"Dockerfile": (root / "Dockerfile").read_text()}
    for path in _walk(root, rules):
        texts[str(path.relative_to(root))] = path.read_text(errors="replace")
    return texts


def of_image(inspected: Mapping[str, Any]) -> dict[str, str]:
    """Returns the texts of an image's own description: variables, labels, commands, history."""
    return {f"image: {place}": text for place, text in _texts(inspected, ())}


def _walk(root: Path, rules: Sequence[str]) -> Iterator[Path]:
    # Only folders that a rule lets in again: the repository holds environments and runs, too.
    tops = {rule[1:].split("/")[0] for rule in rules if rule.startswith("!")}
    for top in sorted(tops):
        start = root / top
        for path in sorted([start, *start.rglob("*")] if start.is_dir() else [start]):
            if path.is_file() and not _ignored(PurePosixPath(path.relative_to(root)), rules):
                yield path


def _ignored(path: PurePosixPath, rules: Sequence[str]) -> bool:
    """Tells what `.dockerignore` does with a path: the last rule that matches counts."""
    ignored = False
    names = [str(path), *(str(parent) for parent in path.parents)][:-1]
    for rule in rules:
        pattern = rule.removeprefix("!")
        anywhere = pattern.removeprefix("**/")
        for name in names:
            if fnmatch.fnmatchcase(name, pattern) or (
                anywhere != pattern and fnmatch.fnmatchcase(PurePosixPath(name).name, anywhere)
            ):
                ignored = not rule.startswith("!")
    return ignored


def _texts(tree: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(tree, str):
        yield ".".join(path), tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _texts(value, (*path, str(key)))
    elif isinstance(tree, Sequence):
        for number, value in enumerate(tree):
            yield from _texts(value, (*path, str(number)))
