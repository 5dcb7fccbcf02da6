"""Says what lies among photographs and is not read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from components.core import files
from components.example_gen.formats import layouts, scene_table

_HEIC = (".heic", ".heif", ".hif", ".avif")
_RAW = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw",
    ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
)  # fmt: skip
# What nobody takes for a photograph needs no word.
_TEXTS = ("", ".csv", ".htm", ".html", ".json", ".md", ".pdf", ".txt", ".xml", ".xmp", ".yaml")
_SHOWN = 5


def remarks(root: str) -> list[str]:
    """Counts and names the files and folders among photographs that are left out.

    Args:
        root: Folder of the photographs.

    Returns:
        A sentence for each kind of them, with what can be done.

    Raises:
        UserError: When the folder cannot be read.
    """
    found: dict[str, list[str]] = {"HEIC": [], "raw": [], "other": [], "folder": []}
    for name in files.list_folder(root):
        suffix = PurePosixPath(name).suffix.lower()
        if layouts.is_photograph(name) or name == scene_table.FILE_NAME:
            continue
        if suffix in _HEIC:
            found["HEIC"].append(name)
        elif suffix in _RAW:
            found["raw"].append(name)
        elif files.is_folder(files.join(root, name)):
            found["folder"].append(name)
        elif suffix not in _TEXTS:
            found["other"].append(name)
    advice = {
        "HEIC": "convert them to JPEG or PNG (e.g. with ImageMagick or the photo program)",
        "raw": "develop them to TIFF, PNG or JPEG of 8 bits per channel",
        "other": "png, jpg, tif, bmp, ppm, pgm and webp are read",
        "folder": "photographs are read right in the data folder: move them there",
    }
    return [_sentence(kind, names, advice[kind]) for kind, names in found.items() if names]


def _sentence(kind: str, names: Sequence[str], advice: str) -> str:
    count = len(names)
    what = "folder" if kind == "folder" else f"{kind} file"
    rest = f" and {count - _SHOWN} more" if count > _SHOWN else ""
    return (
        f"{count} {what}{'s are' if count > 1 else ' is'} left out "
        f"({', '.join(names[:_SHOWN])}{rest}): {advice}"
    )
