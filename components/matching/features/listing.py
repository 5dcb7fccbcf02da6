"""Which photographs are meant: a folder with all below it, or a list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.core import files
from components.example_gen.formats.layouts import is_photograph
from trainer.core.errors import UserError


@dataclass(frozen=True)
class Photograph:
    """A photograph's name, as COLMAP and hloc call it, and its file."""

    name: str
    path: str


def photographs(place: str) -> list[Photograph]:
    """Lists photographs.

    Args:
        place: A folder, of which all images are taken, also in folders below it; or a text
            file with one path a line, relative to its own folder or absolute.

    Returns:
        Sorted by name; names are paths below that folder.

    Raises:
        UserError: When there is no photograph, or one is listed twice.
    """
    if files.is_remote(place):
        raise UserError(f"{place}: is remote, expected a local folder; copy it here first")
    if Path(place).is_dir():
        return _in_folder(Path(place))
    if is_photograph(place):
        raise UserError(f"{place}: is one image, expected a folder of images or a list of files")
    return _in_list(place)


def _in_folder(folder: Path) -> list[Photograph]:
    with files.refusals(str(folder), "the folder cannot be read"):
        photographs = [
            Photograph(path.relative_to(folder).as_posix(), str(path))
            for path in folder.rglob("*")
            if is_photograph(path.name) and not path.is_dir() and not _hidden(path, folder)
        ]
    if not photographs:
        raise UserError(f"{folder}: holds no image, expected .jpg, .png, .tif or the like")
    return sorted(photographs, key=lambda one: one.name)


def _in_list(place: str) -> list[Photograph]:
    folder = Path(place).parent
    lines = [line.strip() for line in files.read_text(place).splitlines()]
    names = [Path(line).as_posix() for line in lines if line and not line.startswith("#")]
    if not names:
        raise UserError(f"{place}: lists no image, expected one path a line")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{place}: lists {twice} twice, expected each image once")
    return sorted(
        (Photograph(name.lstrip("/"), str(folder / name)) for name in names),
        key=lambda one: one.name,
    )


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
