"""Descriptors as the HPatches benchmark's CSV tree: `<sequence>/<ref,e1..t5>.csv`.

One row per patch, in the order of the strip. We write commas; commas, semicolons, tabs and
spaces are read.
"""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from components.core import files
from components.descriptor_evaluator.descriptors import identity_leaks
from trainer.core import progress
from trainer.core.errors import UserError
from trainer.core.variants import VARIANTS


def write_sequence(folder: str, name: str, descriptors: np.ndarray) -> str:
    """Writes the 16 files of one image sequence, locally whole or not at all; returns the folder.

    Args:
        folder: Root of the tree; made when absent.
        name: Image sequence.
        descriptors: float32 [16, N, D]; written so that they read back bit for bit.

    Raises:
        UserError: When it is there already or cannot be written.
    """
    target = files.join(folder, name)
    with files.new_folder(target) as staging, files.told_unwritable(target):
        _write_into(staging, descriptors)
    return target


def read_tree(folder: str, counts: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Reads the descriptors of image sequences.

    Args:
        folder: Root of the tree; folders of other sequences are left alone.
        counts: Number of patches of each image sequence that is wanted.

    Returns:
        float32 [16, N, D] by image sequence; NaN and infinity are kept.

    Raises:
        UserError: When a file is missing, ragged, not numeric, or has another number of rows
            or columns; the message names file and line.
    """
    return dict(_sequences(folder, counts))


def check_tree(folder: str, counts: Mapping[str, int]) -> None:
    """Reads a tree as `read_tree` does, but keeps one image sequence in memory at a time.

    Raises:
        UserError: As `read_tree`.
    """
    for _ in _sequences(folder, counts):
        pass


def _sequences(folder: str, counts: Mapping[str, int]) -> Iterator[tuple[str, np.ndarray]]:
    if not files.is_folder(folder):
        raise UserError(f"{folder}: is no folder, expected descriptors as <sequence>/<variant>.csv")
    first: tuple[str, int] | None = None
    for number, (name, count) in enumerate(sorted(counts.items())):
        descriptors = read_sequence(folder, name, count)
        first = first or (name, descriptors.shape[2])
        if descriptors.shape[2] != first[1]:
            raise UserError(
                f"{files.join(folder, name)}: descriptors have {descriptors.shape[2]} numbers, "
                f"expected {first[1]} as in {first[0]}"
            )
        progress.report("reading descriptors", number + 1, len(counts), name)
        yield name, descriptors


def read_sequence(folder: str, name: str, count: int) -> np.ndarray:
    """Reads the 16 files of one image sequence, float32 [16, `count`, D].

    Raises:
        UserError: As `read_tree`.
    """
    place = files.join(folder, name)
    if not files.is_folder(place):
        raise UserError(f"{place}: is no folder, expected the descriptors of {name} in it")
    parts: list[np.ndarray] = []
    for variant in VARIANTS:
        path = files.join(place, f"{variant}.csv")
        if not files.exists(path):
            raise UserError(
                f"{path}: is missing, expected one CSV file for each of the 16 variants"
            )
        rows = read_table(path)
        if len(rows) != count:
            raise UserError(
                f"{path}: holds {len(rows)} descriptors, expected {count}, one for each patch of "
                f"{name} in the release"
            )
        if parts and rows.shape[1] != parts[0].shape[1]:
            raise UserError(
                f"{path}: descriptors have {rows.shape[1]} numbers, expected "
                f"{parts[0].shape[1]} as in {VARIANTS[0]}.csv"
            )
        parts.append(rows)
    descriptors = np.stack(parts)
    identity_leaks.refuse_columns(place, descriptors)
    return descriptors


def tree_checksum(folder: str, names: Sequence[str]) -> str:
    """Returns sha256 over the files of some image sequences, in the order of names.

    Raises:
        UserError: When a file is missing or cannot be read.
    """
    digest = hashlib.sha256()
    for name in sorted(names):
        for variant in VARIANTS:
            path = files.join(folder, name, f"{variant}.csv")
            if not files.exists(path):
                raise UserError(f"{path}: is missing, expected the descriptors of {name} in it")
            data = files.read_bytes(path)
            digest.update(f"{name}/{variant}/{len(data)}\n".encode() + data)
    return digest.hexdigest()


def read_table(path: str) -> np.ndarray:
    """Reads a table of numbers without a header, float32 [rows, columns].

    The delimiter is the first of `;`, `,`, tab and space that the first row holds.

    Raises:
        UserError: When it is empty, ragged or not numeric.
    """
    data = files.plain_lines(files.read_bytes(path)).removeprefix(codecs.BOM_UTF8)
    first = next((line for line in io.BytesIO(data) if line.strip()), b"").strip()
    if not first:
        raise UserError(f"{path}: is empty, expected one row of numbers per patch")
    delimiter = next((mark for mark in (";", ",", "\t") if mark.encode() in first), None)
    try:
        return np.loadtxt(io.BytesIO(data), np.float32, comments=None, delimiter=delimiter, ndmin=2)
    except ValueError as error:
        columns = len(first.decode("utf-8", "replace").split(delimiter))
        raise UserError(f"{path}: {_diagnose(data, delimiter, columns, error)}") from error


def _write_into(folder: str, descriptors: np.ndarray) -> None:
    for variant, rows in zip(VARIANTS, descriptors, strict=True):
        buffer = io.BytesIO()
        np.savetxt(buffer, rows, fmt="%.9g", delimiter=",")  # 9 digits tell any two floats apart
        files.write_bytes(files.join(folder, f"{variant}.csv"), buffer.getvalue())


def _diagnose(data: bytes, delimiter: str | None, columns: int, error: Exception) -> str:
    """Finds the first bad line of a table that could not be read."""
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        cells = line.decode("utf-8", "replace").split(delimiter)
        if len(cells) != columns:
            return f"line {number} holds {len(cells)} numbers, expected {columns} as in line 1"
        for place, cell in enumerate(cells, start=1):
            try:
                float(cell)
            except ValueError:
                shown = repr(cell.strip()[:40]) if cell.strip() else "empty"
                return f"line {number}, column {place} is {shown}, expected a number"
    return f"cannot be read as a table of numbers ({error})"
