"""From a data folder to patches, whatever lies in it: the one door to all readers."""

from __future__ import annotations

import contextlib
import pkgutil
from collections.abc import Collection, Iterator
from typing import NamedTuple

from components.core import files
from components.example_gen import registry
from components.example_gen.formats import layouts, scene_table
from components.example_gen.formats.base import Check, Format, PatchSet, SequenceInput
from components.example_gen.settings import DataSettings
from trainer.core.errors import UserError


class Skipped(NamedTuple):
    """An image sequence (or photograph) that is left out, and why."""

    name: str
    reason: str

    @classmethod
    def of(cls, name: str, error: UserError) -> Skipped:
        """Takes the reason of an error, which may begin with the name itself."""
        return cls(name, str(error).removeprefix(f"{name}: "))


class Survey(NamedTuple):
    """What a data folder holds.

    Attributes:
        inputs: Image sequences sorted by name; those of copies of one picture have one scene.
        skipped: What is skipped (only with `skip_bad_sequences`).
        remarks: Sentences on what a user may not expect of the folder.
    """

    inputs: list[SequenceInput]
    skipped: list[Skipped]
    remarks: list[str]


def get(name: str) -> Format:
    """Returns the format of a name in `components.example_gen.registry.FORMATS`."""
    return pkgutil.resolve_name(registry.FORMATS[name])


def for_training(item: SequenceInput, settings: DataSettings) -> list[SequenceInput]:
    """Returns the image sequences that one of the train split is trained on as."""
    return get(item.format).for_training(item, settings)


def list_sequences(
    format: str, root: str, settings: DataSettings, check: Check | None = None
) -> tuple[list[SequenceInput], list[Skipped]]:
    """Finds the image sequences of a data folder and checks their layout.

    Of local images, the headers are looked at. Whole images are read only when bad sequences
    are skipped: a split is then drawn from what remains, not from what turns out to be bad
    once shards are written.

    Args:
        format: Format of the folder, e.g. `photos`.
        root: Data folder, local or remote. Its `scenes.csv`, if any, tells which image
            sequences (or photographs, by stem) show the same thing.
        settings: Whether bad sequences are skipped.
        check: What checks the layout in the place of the format's `check`.

    Returns:
        The image sequences sorted by name, and what is skipped (only with
        `skip_bad_sequences`).

    Raises:
        UserError: When the folder holds nothing usable, or one sequence is bad and bad ones
            are not skipped.
    """
    with naming_the_format(format, root):
        return _list(get(format), root, settings, check)


@contextlib.contextmanager
def naming_the_format(format: str, root: str) -> Iterator[None]:
    """Tells of a data folder that cannot be used whether it has another format.

    Args:
        format: Format that is expected.
        root: Data folder.

    Raises:
        UserError: In the place of another one.
    """
    try:
        yield
    except UserError as error:
        recognised = layouts.recognise(root)
        if recognised is None or recognised == format or layouts.of_sequence(files.names(root)):
            raise
        cut = get(format).count is not None and get(recognised).count is None
        raise UserError(
            f"{root}: holds {get(recognised).title} (--format {recognised}), "
            f"expected {get(format).title} (--format {format})"
            + (f"; `hpatches extract --format {recognised}` cuts patches of them" if cut else "")
        ) from error


def _list(
    layout: Format, root: str, settings: DataSettings, check: Check | None
) -> tuple[list[SequenceInput], list[Skipped]]:
    candidates = layout.find(root)
    if not candidates:
        problems = "; ".join(["found nothing to read", *layout.left_out(root)])
        raise UserError(f"{root}: {problems}; expected {layout.expected}")
    table = scene_table.read(root)
    inputs: list[SequenceInput] = []
    skipped: list[Skipped] = []
    for name, paths in sorted(candidates.items()):
        try:
            if not name.isprintable():  # it becomes a name of files and a text in records
                raise UserError(
                    f"{files.join(root, name)}: the name holds control characters or is no UTF-8; "
                    "rename it"
                )
            items = (check or layout.check)(name, paths, table.get(name, name))
            if settings.skip_bad_sequences:
                layout.read(items[0])  # the items of one name share their files
            inputs.extend(items)
        except UserError as error:
            if not settings.skip_bad_sequences:
                raise
            skipped.append(Skipped.of(name, error))
    if not inputs:
        reasons = "; ".join(item.reason for item in skipped)
        raise UserError(f"{root}: every image sequence is bad and skipped ({reasons})")
    return sorted(inputs, key=lambda item: item.name), skipped


def survey(format: str, root: str, settings: DataSettings, tested: Collection[str] = ()) -> Survey:
    """Lists image sequences as `list_sequences` does, and looks at the pictures themselves.

    Args:
        format: As for `list_sequences`.
        root: As for `list_sequences`.
        settings: As for `list_sequences`.
        tested: Test sequences of a published split, see `copies.join`.

    Raises:
        UserError: As `list_sequences`, and when a picture cannot be decoded.
    """
    inputs, skipped = list_sequences(format, root, settings)
    layout = get(format)
    remarks = layout.left_out(root)
    if layout.thumbnail is not None:
        from components.example_gen.formats import copies  # imports OpenCV

        inputs, found = copies.join(inputs, root, layout.thumbnail, tested)
        remarks += found
    return Survey(inputs, skipped, remarks)


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
    return get(item.format).load(item, settings)
