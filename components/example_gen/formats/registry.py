"""From a data folder to patches, whatever lies in it: the one door to all readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from components.example_gen.formats import photographs, scene_table, sequences, strips
from components.example_gen.formats.patch_set import PatchSet, SequenceInput
from components.example_gen.settings import DataSettings, SourceType
from trainer.core.errors import UserError

__all__ = ["PatchSet", "SequenceInput", "Skipped", "list_sequences", "load_sequence"]


class Skipped(NamedTuple):
    """An image sequence (or photograph) that is left out, and why."""

    name: str
    reason: str


_FIND: dict[str, Callable[[str], dict[str, tuple[str, ...]]]] = {
    "strips": strips.find,
    "sequences": sequences.find,
    "photos": photographs.find,
}
_CHECK: dict[str, Callable[[str, tuple[str, ...], str], list[SequenceInput]]] = {
    "strips": strips.check,
    "sequences": sequences.check,
    "photos": photographs.check,
}
# Reads every file of a sequence as `load_sequence` would, but cuts nothing.
_READ: dict[str, Callable[[SequenceInput], object]] = {
    "strips": strips.load,
    "sequences": sequences.read_images,
    "photos": photographs.read_photograph,
}
_EMPTY = {
    "strips": "no image sequence found, expected a folder per image sequence with 16 PNG strips "
    "(HPatches patch release)",
    "sequences": "no image sequence found, expected a folder per image sequence with images 1..6 "
    "and homographies H_1_2..H_1_6",
    "photos": "no photograph found, expected png, jpg, tif, bmp, ppm, pgm or webp files right in "
    "this folder",
}


def list_sequences(
    source_type: SourceType, root: str, settings: DataSettings
) -> tuple[list[SequenceInput], list[Skipped]]:
    """Finds the image sequences of a data folder and checks their layout.

    Of local images, the headers are looked at. Whole images are read only when bad sequences
    are skipped: a split is then drawn from what remains, not from what turns out to be bad
    once shards are written.

    Args:
        source_type: What lies in the folder.
        root: Data folder, local or remote. Its `sources.csv`, if any, tells which image
            sequences (or photographs, by stem) show the same thing.
        settings: Whether bad sequences are skipped.

    Returns:
        The image sequences sorted by name, and what is skipped (only with
        `skip_bad_sequences`).

    Raises:
        UserError: When the folder holds nothing usable, or one sequence is bad and bad ones
            are not skipped.
    """
    found = _FIND[source_type](root)
    if not found:
        raise UserError(f"{root}: {_EMPTY[source_type]}")
    table = scene_table.read(root)
    inputs: list[SequenceInput] = []
    skipped: list[Skipped] = []
    for name, paths in sorted(found.items()):
        try:
            items = _CHECK[source_type](name, paths, table.get(name, name))
            if settings.skip_bad_sequences:
                _READ[source_type](items[0])  # the items of one name share their files
            inputs.extend(items)
        except UserError as error:
            if not settings.skip_bad_sequences:
                raise
            skipped.append(Skipped(name, str(error)))
    if not inputs:
        reasons = "; ".join(item.reason for item in skipped)
        raise UserError(f"{root}: every image sequence is bad and skipped ({reasons})")
    return sorted(inputs, key=lambda item: item.name), skipped


def load_sequence(item: SequenceInput, settings: DataSettings) -> PatchSet:
    """Reads or cuts the patches of one image sequence.

    Deterministic: the same files, settings and name give the same bytes, in whatever order
    and process sequences are loaded.

    Args:
        item: As `list_sequences` returned it.
        settings: Seed, limits, extraction and photograph settings.

    Raises:
        UserError: When a file cannot be used; the message names it.
    """
    if item.source_type == "strips":
        return strips.load(item)
    if item.source_type == "sequences":
        return sequences.load(item, settings)
    return photographs.load(item, settings)
