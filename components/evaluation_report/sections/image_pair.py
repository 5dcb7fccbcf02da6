"""Matches drawn on an image pair of the evaluation split, when the images are known.

Not the best pair, nor the worst: the one whose matching precision is in the middle of the
viewpoint sequences' harder pairs. Points are found anew in both images, as in use.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from components.core import files
from components.core.names import MATCHING, ROOTSIFT
from components.descriptor_evaluator.protocol.scores import UnitScore
from components.evaluation_report import patch_album
from components.evaluation_report.material import CANDIDATE, Material, NotShownError
from components.example_gen.formats import photographs, reading, sequences
from components.example_gen.formats.base import SequenceInput
from components.example_gen.geometry import homography
from components.example_gen.registry import PHOTOS, STRIPS
from components.example_gen.settings import DataSettings
from components.matching import descriptors, picture, points
from components.matching.match import Result, match_points
from components.matching.photograph import Photograph
from components.matching.settings import MatchSettings
from trainer.core.variants import EVAL, VARIANTS, VIEWPOINT

_SETTINGS = MatchSettings(points=500, ratio=0.9, threshold=3.0, max_side=1600)
_TASK, _NOISE = MATCHING, "h"


def section(material: Material) -> dict[str, Any]:
    """Returns `panels` (`picture`, `title`), `sequence` and `target`.

    Raises:
        NotShownError: When the images are not known.
        UserError: When an image cannot be read.
    """
    settings = DataSettings.model_validate(material.manifest.settings)
    if not material.images or not files.is_folder(material.images):
        raise NotShownError("the images that the patches were cut from are not at hand")
    if not material.model:
        raise NotShownError("the model is not known")
    names = {entry.name for entry in material.manifest.splits.get(EVAL, ())}
    name, target = middle_pair([row for row in material.rows[CANDIDATE] if row.sequence in names])
    result = match(material.model, *read_pair(material.images, name, target, settings), settings)
    panels = []
    for outcome in result.descriptors:
        alone = dataclasses.replace(result, descriptors=(outcome,))
        uri = patch_album.uri("image/jpeg", picture.render(alone, "jpg"))
        title = picture.title_of(alone, outcome).replace("\n", ": ")
        panels.append({"picture": uri, "title": title})
    return {"panels": panels, "sequence": name, "target": target}


def middle_pair(rows: Sequence[UnitScore]) -> tuple[str, int]:
    """Chooses the image pair of the median precision.

    Among hard pairs of viewpoint sequences; without those, among all hard pairs. Of an even
    number the lower one.

    Returns:
        Image sequence and target (1..5).

    Raises:
        NotShownError: When no image pair was scored.
    """
    pairs = [row for row in rows if (row.task, row.noise) == (_TASK, _NOISE)]
    chosen = [row for row in pairs if row.kind == VIEWPOINT] or pairs
    if not chosen:
        raise NotShownError("no image pair was scored")
    ordered = sorted(chosen, key=lambda row: (row.metrics["ap"], row.sequence, row.unit))
    middle = ordered[(len(ordered) - 1) // 2]
    return middle.sequence, int(middle.unit)


def read_pair(
    root: str, name: str, target: int, settings: DataSettings
) -> tuple[tuple[Photograph, Photograph], np.ndarray]:
    """Reads (or renders anew) the reference and a target image of a sequence.

    Args:
        root: Data folder.
        name: Image sequence.
        target: 1..5.
        settings: The data's; image sequences stand in for a patch release.

    Returns:
        Both images, and the float64 [3, 3] homography between them.

    Raises:
        NotShownError: When the folder does not hold the sequence.
        UserError: When an image cannot be read.
    """
    item = _find(root, name, settings)
    if settings.format == PHOTOS:
        photograph = photographs.read_photograph(item)
        images, matrices = photographs.make_sequence(item, photograph, settings)
        matrix = matrices[target - 1]
    else:
        images = sequences.read_images(item)
        matrix = homography.read(item.files[sequences.IMAGES + target - 1])
    reference, other = (
        Photograph(f"{name}, image {number}", image, image.shape[::-1])  # type: ignore[arg-type]
        for number, image in ((1, images[0]), (target + 1, images[target]))
    )
    return (reference, other), matrix


def _find(root: str, name: str, settings: DataSettings) -> SequenceInput:
    """Finds an image sequence; of a patch release, in the release of its image sequences."""
    if settings.format == PHOTOS:
        listed, _ = reading.list_sequences(settings.format, root, settings)
        by_name = {item.name: item for item in listed}
        if name in by_name:
            return by_name[name]
    else:
        folders = sequences.find(root).get(name, ())
        if folders and not (settings.format == STRIPS and _holds_patches(folders[0])):
            return sequences.check(name, folders, name)[0]
    if settings.format == STRIPS:
        raise NotShownError(
            f"the data are patches, and the images of {name} that they were cut from are not "
            f"beside them (`hpatches report --images` takes the folder of the image sequences)"
        )
    raise NotShownError(f"the images of {name} are not at hand any more")


def _holds_patches(folder: str) -> bool:
    return files.exists(files.join(folder, f"{VARIANTS[0]}.png"))


def match(
    model: str, pair: tuple[Photograph, Photograph], truth: np.ndarray, settings: DataSettings
) -> Result:
    """Matches a pair by the model and by RootSIFT, on the same points."""
    rules = settings.extraction
    both = tuple(points.find(image, rules, _SETTINGS.points) for image in pair)
    model_loaded = descriptors.load_model(model, trusted=True)  # the evaluator has looked into it
    results = tuple(
        match_points(descriptor, pair, (both[0], both[1]), _SETTINGS, truth)
        for descriptor in (model_loaded, descriptors.baseline(ROOTSIFT))
    )
    return Result(pair, (len(both[0]), len(both[1])), results, _SETTINGS, rules)
