"""Finds what must not be part of a compiled pipeline: secrets, projects, buckets, local paths.

A compiled file is passed on, committed and shown in web pages. Where data lie and who pays
are parameters of a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trainer.core.errors import UserError

_PATTERNS = {
    "a folder of an object store": re.compile(r"\b(?:gs|s3|s3a|minio|abfss?|hdfs)://[^\s\"']+"),
    "the name of a cloud project": re.compile(r"\bprojects/[a-z0-9][a-z0-9:._-]*"),
    "a service account": re.compile(r"[\w.-]+@[\w.-]+\.gserviceaccount\.com"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|private_key(?:_id)?\\*\""),
    "an access key": re.compile(
        r"\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{35}|\bya29\.[\w-]{20,}|\bgh[pousr]_\w{36}"
    ),
    "a password in an address": re.compile(r"\b\w+://[^\s/:@]+:[^\s/@]+@"),
}


def find(tree: Any, literals: Mapping[str, str] | None = None) -> Iterator[tuple[str, str, str]]:
    """Yields what should not be there.

    Args:
        tree: The spec, or a part of it.
        literals: Further texts that must not occur, each with what it is, e.g.
            `{"/home/me": "the home folder"}`.

    Yields:
        Where it stands (`root.dag.tasks...`), what it is, and the text.
    """
    exact = {text: what for text, what in (literals or {}).items() if len(text) > 1}
    for path, text in _texts(tree, ()):
        place = ".".join(path)
        for what, pattern in _PATTERNS.items():
            for match in pattern.finditer(text):
                yield place, what, match[0]
        for literal, what in exact.items():
            if re.search(rf"(?<![\w/]){re.escape(literal)}(?![\w-])", text):
                yield place, what, literal


def check(spec: Mapping[str, Any], literals: Mapping[str, str] | None = None) -> None:
    """Refuses a spec with anything in it that belongs to a run, a machine or a person.

    Args:
        spec: KFP PipelineSpec.
        literals: See `find`.

    Raises:
        UserError: With what was found first, and where.
    """
    for place, what, text in find(spec, literals):
        shown = text if what not in ("a private key", "an access key") else text[:8] + "..."
        raise UserError(
            f"{place}: {what} would be part of the compiled pipeline ({shown}); take it out of the "
            "configuration: places, projects and accounts are parameters of a run"
        )


def _texts(tree: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(tree, str):
        yield path, tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield (*path, "(key)"), str(key)
            yield from _texts(value, (*path, str(key)))
    elif isinstance(tree, Sequence):
        for number, value in enumerate(tree):
            yield from _texts(value, (*path, str(number)))
