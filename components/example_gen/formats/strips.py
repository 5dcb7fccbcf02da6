"""The HPatches patch release: 16 PNG strips per image sequence, read and written.

Beside the strips we write `positions.csv` (x, y, sigma of each point in the reference
image), which other tools ignore and which the reader uses when it is there.
"""

from __future__ import annotations

import csv
import io
import posixpath

import numpy as np

from components.core import files
from components.example_gen.formats import copies, images
from components.example_gen.formats.base import Format, PatchSet, SequenceInput, find_folders
from components.example_gen.registry import STRIPS
from components.example_gen.settings import DataSettings
from trainer.core.errors import UserError
from trainer.core.variants import PATCH_SIZE, VARIANTS, kind_of

POSITIONS = "positions.csv"
_COLUMNS = ["x", "y", "sigma"]


def find(root: str) -> dict[str, tuple[str, ...]]:
    """Lists the image sequences of a patch release: name -> (folder,)."""
    return find_folders(root)


def check(name: str, paths: tuple[str, ...], scene: str) -> list[SequenceInput]:
    """Checks that a folder holds the 16 strips and no other.

    Returns:
        One input; its files are the strips in the order of `VARIANTS`, then
        `positions.csv` if there is one.

    Raises:
        UserError: When a strip is missing, is one too many, or is no strip by its header.
    """
    folder = paths[0]
    listed = files.list_folder(folder)
    strips = {file for file in listed if file.lower().endswith(".png")}
    wanted = [f"{variant}.png" for variant in VARIANTS]
    missing = [file for file in wanted if file not in strips]
    extra = sorted(strips.difference(wanted))
    if missing:
        raise UserError(
            f"{folder}: lacks {', '.join(missing)}, expected the {len(wanted)} strips "
            f"ref.png, e1..e5.png, h1..h5.png, t1..t5.png"
        )
    if extra:
        raise UserError(
            f"{folder}: holds {', '.join(extra)} beside the {len(wanted)} strips, "
            f"expected no other PNG; move it away"
        )
    if not files.is_remote(folder):  # a look at each remote file takes as long as reading it
        count_patches(folder)
    tables = [POSITIONS] if POSITIONS in listed else []
    paths = tuple(files.join(folder, file) for file in wanted + tables)
    return [SequenceInput(name, scene, kind_of(name), STRIPS, paths)]


def count_patches(folder: str) -> int:
    """Counts the patches of an image sequence from the headers of its strips.

    Args:
        folder: Only `ref.png` has to be there; other strips that are must have its length.

    Raises:
        UserError: When a header is not that of a strip, or lengths differ.
    """
    names = [f"{variant}.png" for variant in VARIANTS]
    if not files.exists(files.join(folder, names[0])):
        raise UserError(f"{folder}: lacks {names[0]}, expected the strips of a patch release")
    count = images.strip_length(files.join(folder, names[0]))
    for name in names[1:]:
        path = files.join(folder, name)
        if files.exists(path):
            _check_length(path, images.strip_length(path), count)
    return count


def load(item: SequenceInput, settings: DataSettings | None = None) -> PatchSet:
    """Reads the strips of one image sequence.

    Raises:
        UserError: When a strip is not as `read_strip` expects, or is longer or shorter than
            `ref.png`.
    """
    strips: list[np.ndarray] = []
    for path in item.files[: len(VARIANTS)]:
        strip = images.read_strip(path)
        if strips:
            _check_length(path, len(strip), len(strips[0]))
        strips.append(strip)
    patches = np.stack(strips, axis=1)
    positions = np.zeros((len(patches), 3), np.float32)
    if len(item.files) > len(VARIANTS):
        positions = _read_positions(item.files[-1], len(patches))
    return PatchSet(item.name, item.scene, item.kind, patches, positions)


def write_release(patch_set: PatchSet, output_dir: str) -> str:
    """Writes the strips of one image sequence, locally whole or not at all; returns the folder.

    Remote file systems rename no folders; there, `positions.csv` is written last.

    Raises:
        UserError: When the image sequence is there already or cannot be written.
    """
    target = files.join(output_dir, patch_set.name)
    with files.new_folder(target) as staging, files.told_unwritable(target):
        _write_into(staging, patch_set)
    return target


def _check_length(path: str, count: int, expected: int) -> None:
    if count != expected:
        raise UserError(
            f"{path}: holds {count} patches, expected {expected} as in {VARIANTS[0]}.png beside it"
        )


def _write_into(folder: str, patch_set: PatchSet) -> None:
    for number, variant in enumerate(VARIANTS):
        strip = np.ascontiguousarray(patch_set.patches[:, number]).reshape(-1, PATCH_SIZE)
        files.write_bytes(files.join(folder, f"{variant}.png"), images.encode_png(strip))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([f"{value:.3f}" for value in row] for row in patch_set.positions)
    files.write_bytes(files.join(folder, POSITIONS), text.getvalue().encode())


def _read_positions(path: str, count: int) -> np.ndarray:
    rows = files.read_csv(path)
    try:
        if rows[0] != _COLUMNS:
            raise ValueError(f"the first line is {','.join(rows[0])}")
        positions = np.array(rows[1:], np.float32).reshape(-1, 3)
    except (IndexError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}), expected columns x,y,sigma") from error
    if len(positions) != count:
        raise UserError(f"{path}: holds {len(positions)} rows, expected {count}, one per patch")
    return positions


FORMAT = Format(
    title="an HPatches patch release",
    expected="a folder per image sequence with 16 PNG strips (HPatches patch release)",
    pattern="*/*",
    find=find,
    check=check,
    load=load,
    read=load,
    count=lambda item: count_patches(posixpath.dirname(item.files[0])),
    thumbnail=copies.thumbnail,
)
