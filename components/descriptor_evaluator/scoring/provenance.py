"""What scores follow from besides data and descriptors: code and libraries."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

from trainer.core.code_fingerprint import fingerprint

_CODE = (
    "components.descriptor_evaluator",
    "components.serving.pusher.push_log",
    "trainer.model.byte_codes",
    "trainer.model.export",
    "trainer.model.names",
    "trainer.data.records",
    "trainer.data.manifest",
    "trainer.core.average_precision",
    "trainer.core.variants",
)
_PACKAGES = ("numpy", "scipy", "opencv-python-headless", "tensorflow")


def code_fingerprint() -> str:
    """Returns the fingerprint of all code that describes, scores and judges."""
    return fingerprint(*_CODE)


def versions() -> dict[str, str]:
    """Returns the versions of what scores depend on."""
    by_package = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            by_package[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # pragma: no cover (another build of OpenCV)
            continue
    return by_package


def stamp() -> dict[str, Any]:
    """Returns code, versions and time (UTC, ISO 8601) as a stored result holds them; JSON."""
    return {
        "code_fingerprint": code_fingerprint(),
        "versions": versions(),
        "evaluated": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def scored_differently(
    first: Mapping[str, Any], second: Mapping[str, Any], names: tuple[str, str]
) -> list[str]:
    """Says what differs in the software of two results; nothing when it was the same.

    Args:
        first: The `stamp` of a result (other keys are ignored).
        second: The `stamp` of another one.
        names: Names of the two in the sentence.
    """
    differences = []
    if first.get("code_fingerprint") != second.get("code_fingerprint"):
        differences.append("another version of this evaluation")
    ours, theirs = (about.get("versions") or {} for about in (first, second))
    differences += [
        f"{package} {ours.get(package, 'unknown')} and {theirs.get(package, 'unknown')}"
        for package in sorted({*ours, *theirs})
        if ours.get(package) != theirs.get(package)
    ]
    if not differences:
        return []
    return [
        f"{names[0]} and {names[1]} were scored with different software "
        f"({', '.join(differences)}), so a part of the differences may be its; score both anew "
        f"with --data to rule that out."
    ]
