"""What the run was made of: the data, what was skipped, and exact versions and settings."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from components.descriptor_evaluator.descriptors.sift import SiftRecipe, in_words
from components.evaluation_report.material import Material
from components.example_gen import registry
from components.example_gen.formats import reading
from trainer.core.variants import EVAL, KIND_NAMES, KINDS, SPLITS, TRAIN, VAL
from trainer.data.manifest import SequenceEntry

_PACKAGES = (
    "hpatches-pipeline", "tfx", "tensorflow", "tf-keras", "tensorflow-transform",
    "tensorflow-data-validation", "tensorflow-model-analysis", "apache-beam", "ml-metadata",
    "numpy", "scipy", "scikit-learn", "opencv-python-headless", "matplotlib",
)  # fmt: skip
_PURPOSE = {
    TRAIN: "trained on",
    VAL: "stage decisions, checkpoint",
    EVAL: "scored once",
}


def data_section(material: Material) -> dict[str, Any]:
    """Returns `splits`, `skipped`, `remarks`, `format` (in words) and `checksum` of the data.

    Raises:
        NotShownError: When the examples are not known.
        UserError: When their manifest cannot be read.
    """
    manifest = material.manifest
    settings = manifest.settings
    splits = {str(name): entries for name, entries in manifest.splits.items()}
    data_format = settings.get("format", "")
    return {
        "splits": [_split(split, splits[split]) for split in SPLITS if splits.get(split)],
        "skipped": [{"name": item.name, "reason": item.reason} for item in manifest.skipped],
        "remarks": manifest.remarks,
        "format": reading.get(data_format).title
        if data_format in registry.FORMATS
        else "not known",
        "checksum": manifest.checksum,
    }


def _split(name: str, entries: Sequence[SequenceEntry]) -> dict[str, Any]:
    kinds = {kind: sum(entry.kind == kind for entry in entries) for kind in KINDS}
    return {
        "name": name,
        "purpose": _PURPOSE[name],
        "scenes": sorted({entry.scene for entry in entries}),
        "sequences": len(entries),
        "kinds": ", ".join(f"{n} {KIND_NAMES[kind]}" for kind, n in kinds.items() if n),
        "points": sum(entry.count for entry in entries),
        "patches": 16 * sum(entry.count for entry in entries),
    }


def versions_section(material: Material) -> dict[str, Any]:
    """Returns `checksums`, `seeds`, `recipes`, versions (pairs) and `settings` (JSON text)."""
    about, identity = material.about, material.identity
    result = material.training_result
    scored = about.get("scored", {})
    checksums = [
        ("descriptor id", identity.get("descriptor_id", "")),
        ("model (SavedModel)", scored.get("checksum", "")),
        ("training data", identity.get("data_checksum", "")),
        ("evaluation patches", about.get("data_checksum", "")),
        ("evaluation code", about.get("code_fingerprint", "")),
        ("training run", result.get("run", "")),
    ]
    trees = {
        "data": identity.get("extraction") or _data_settings(material),
        "training": identity.get("training", {}),
        "evaluation and gate": about.get("settings", {}),
        "pipeline": dict(material.configuration),
    }
    made_with = {**identity.get("versions", {}), **about.get("versions", {})}
    return {
        "checksums": [(name, value) for name, value in checksums if value],
        "seeds": seeds(trees),
        "recipes": [
            (name, in_words(SiftRecipe(**recipe)))
            for name, recipe in about.get("recipes", {}).items()
        ],
        "made_with": sorted(made_with.items()),
        "drawn_with": installed(),
        "settings": [
            (name, json.dumps(tree, indent=1, ensure_ascii=False))
            for name, tree in trees.items()
            if tree
        ],
    }


def seeds(trees: dict[str, Any]) -> list[tuple[str, str]]:
    """Finds every setting that is a seed.

    Example:
        >>> seeds({"data": {"seed": 3, "split": {"seed": 4}, "x": 1}})
        [('data.seed', '3'), ('data.split.seed', '4')]
    """
    told = []

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(f"{path}.{key}" if path else key, item)
        elif path.rpartition(".")[2] == "seed":
            told.append((path, str(value)))

    walk("", trees)
    return told


def installed() -> list[tuple[str, str]]:
    """Returns the versions of the packages that drew the report, and of Python."""
    packages = [("python", platform.python_version())]
    for name in _PACKAGES:
        try:
            packages.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return packages


def _data_settings(material: Material) -> dict[str, Any]:
    return material.manifest.settings if material.examples else {}
