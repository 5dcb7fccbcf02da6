"""The image sequences of a patch release: their names, scenes and numbers of patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.core import files
from components.descriptor_evaluator.protocol.tasks import SequenceInfo, contrast
from components.example_gen import splits
from components.example_gen.formats import images, reading, scene_table, strips
from trainer.core.errors import UserError
from trainer.core.variants import VARIANTS, kind_of


def counts_of_release(root: str) -> dict[str, int]:
    """Counts the patches of each image sequence from the headers of its PNG files; by name.

    Args:
        root: Patch release; only `ref.png` of each sequence has to be there, other strips
            must have its height.

    Raises:
        UserError: When there is no sequence or a header is not that of a strip.
    """
    with reading.naming_the_format("strips", root):
        folders = strips.find(root)
        if not folders:
            raise UserError(
                f"{root}: no image sequence found, expected a folder per image sequence with PNG "
                f"strips (HPatches patch release)"
            )
        return {name: strips.count_patches(folder) for name, (folder,) in sorted(folders.items())}


def choose_sequences(
    names: Sequence[str], split: str | None, splits_file: str | None, root: str
) -> list[str]:
    """Returns the image sequences that are scored: the test list of a split, or all.

    Args:
        names: Image sequences of the release.
        split: Official name (a, b, c, illum, view, full) or one of `splits_file`.
        splits_file: JSON of the shape of HPatches' `splits.json`.
        root: Folder of the release, for the message.

    Raises:
        UserError: When there is no such split or it names an absent sequence.
    """
    if split is None and splits_file is None:
        return sorted(names)
    if splits_file is not None:
        chosen = splits.read_split_file(splits_file, split)
    else:
        chosen = splits.official_split(str(split))
    absent = [name for name in chosen["test"] if name not in names]
    if absent:
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        where = f" of {splits_file}" if splits_file is not None else ""
        raise UserError(
            f"{root}: split '{chosen['name']}'{where} tests on {', '.join(absent[:3])}{more}, "
            f"which the release does not hold; expected all {len(chosen['test'])} sequences of "
            f"the split"
        )
    if not chosen["test"]:
        raise UserError(f"split '{chosen['name']}' has an empty test list, expected sequences")
    return chosen["test"]


def describe_sequences(root: str, names: Sequence[str], with_contrast: bool) -> list[SequenceInfo]:
    """Returns what task drawing has to know of image sequences.

    The release's `scenes.csv`, if any, tells which show the same scene. For their contrast the
    reference strips are decoded.

    Raises:
        UserError: When a strip cannot be read.
    """
    table = scene_table.read(root)
    infos = []
    for name in sorted(names):
        folder = files.join(root, name)
        values = None
        if with_contrast:
            values = contrast(images.read_strip(files.join(folder, f"{VARIANTS[0]}.png")))
        count = strips.count_patches(folder) if values is None else len(values)
        infos.append(SequenceInfo(name, table.get(name, name), kind_of(name), count, values))
    return infos


def read_patches(root: str, info: SequenceInfo) -> np.ndarray:
    """Reads the patches of an image sequence, uint8 [N, 16, 65, 65].

    Raises:
        UserError: When a strip is missing or cannot be read.
    """
    item = strips.check(info.name, (files.join(root, info.name),), info.scene)[0]
    return strips.load(item).patches
