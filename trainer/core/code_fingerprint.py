"""A checksum of source code: of what a checkpoint or a cached result was made by.

TFX's cache key covers module files that are handed to a component, not installed
packages. Every component of ours therefore takes this fingerprint as a parameter.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path


def fingerprint(*modules: str) -> str:
    """Hashes the source of modules and packages without importing them.

    Args:
        modules: Dotted names; a package stands for every `.py`, `.json` and `.pbtxt` file
            under it.

    Returns:
        sha256, hexadecimal, first 16 digits.

    Raises:
        ModuleNotFoundError: When a name is neither a module nor a package.

    Example:
        >>> fingerprint("trainer.core.variants") == fingerprint("trainer.core.variants")
        True
    """
    digest = hashlib.sha256()
    for module in sorted(modules):
        for path in _source_files(module):
            digest.update(f"{module}/{path.name}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _source_files(module: str) -> list[Path]:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source code for {module!r}")
    if spec.submodule_search_locations is None:
        return [Path(spec.origin)]
    return sorted(
        path
        for folder in spec.submodule_search_locations
        for path in Path(folder).rglob("*")
        if path.suffix in (".py", ".json", ".pbtxt") and "__pycache__" not in path.parts
    )
