"""Image sequences (six images, five homographies): reading them and cutting their patches.

Source: HPatches (Balntas et al., CVPR 2017), section 4, and what its patches show beyond that
(`docs/protocol.md`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from components.core import files
from components.example_gen.formats import (
    content,
    copies,
    homography_check,
    images,
    layouts,
)
from components.example_gen.formats.base import (
    Format,
    PatchSet,
    SequenceInput,
    find_folders,
    generator,
)
from components.example_gen.geometry import (
    detection,
    disturbances,
    frame_files,
    frames,
    homography,
    points,
)
from components.example_gen.geometry.patches import ImageSampler
from components.example_gen.registry import SEQUENCES
from components.example_gen.settings import DataSettings
from trainer.core.errors import UserError
from trainer.core.variants import NOISE_NAMES, NOISES, PATCH_SIZE, TARGETS, kind_of

IMAGES = TARGETS + 1
_POINTS_OF_A_TRIAL = 100


def find(root: str) -> dict[str, tuple[str, ...]]:
    """Lists the image sequences below a folder: name -> (folder,)."""
    return find_folders(root)


def check(name: str, paths: tuple[str, ...], scene: str) -> list[SequenceInput]:
    """Checks the layout and the homographies of one image sequence.

    Returns:
        One input; its files are the images 1 to 6, the five homographies and, if it is there,
        the file of the points' frames.

    Raises:
        UserError: When images are missing, a file is no image by its header, a homography
            is no homography, or the frames are none.
    """
    item, given = _checked(name, paths[0], scene, IMAGES), frame_files.find(paths[0])
    return [dataclasses.replace(item, files=(*item.files, given)) if given else item]


def check_pairs(name: str, paths: tuple[str, ...], scene: str) -> list[SequenceInput]:
    """Checks an image sequence of two images or more as `check` does.

    Returns:
        One input; its files are all n images, then the n - 1 homographies.

    Raises:
        UserError: As `check`.
    """
    return [_checked(name, paths[0], scene, None)]


def left_out(root: str) -> list[str]:
    """Names images that `check` passes over, in a sentence for each image sequence."""
    remarks = []
    for name, (folder,) in find(root).items():
        found, _ = layouts.by_number(folder)
        beyond = [files_of[0] for _, files_of in sorted(found.items())][IMAGES:]
        if beyond:
            remarks.append(
                f"{name}: {', '.join(beyond)} left out, as a point has patches in the images 1 to "
                f"{IMAGES} (HPatches)"
            )
    return remarks


def _checked(name: str, folder: str, scene: str, wanted: int | None) -> SequenceInput:
    """Checks an image sequence, whose first `wanted` images (None: all) are taken."""
    found, homographies = layouts.by_number(folder)
    numbers = sorted(found)[:wanted]
    if numbers != list(range(1, (wanted or max(2, len(found))) + 1)):
        names = ", ".join(file for number in sorted(found) for file in found[number])
        expected = "two images or more, numbered from 1"
        if wanted is not None:
            expected = (
                f"at least the images 1 to {wanted}, as a point has patches in so many (HPatches); "
                f"sequences of fewer are scored by `hpatches evaluate --task pairs`"
            )
        raise UserError(
            f"{folder}: holds {len(found)} images ({names or 'none'}), expected {expected}"
        )
    for number in numbers:
        if len(found[number]) > 1:
            raise UserError(
                f"{folder}: holds image {number} as {' and '.join(found[number])}, expected one "
                f"of them"
            )
    matrices = []
    for number in numbers[1:]:
        file, *others = homographies.get(number, [f"H_1_{number}"])
        if number not in homographies:
            raise UserError(f"{files.join(folder, file)}: is missing, expected a 3x3 homography")
        if others:
            raise UserError(
                f"{folder}: holds the homography to image {number} as "
                f"{' and '.join([file, *others])}, expected one of them"
            )
        homography.read(files.join(folder, file))
        matrices.append(file)
    for number in numbers:
        images.check_header(files.join(folder, found[number][0]))
    ordered = [found[number][0] for number in numbers] + matrices
    paths = tuple(files.join(folder, file) for file in ordered)
    return SequenceInput(name, scene, kind_of(name), SEQUENCES, paths)


def load(item: SequenceInput, settings: DataSettings) -> PatchSet:
    """Reads an image sequence and cuts its patches.

    Raises:
        UserError: When an image cannot be decoded, no point survives or a homography does not
            fit its images.
    """
    paths, given = item.files[IMAGES : 2 * IMAGES - 1], item.files[2 * IMAGES - 1 :]
    matrices, pictures = [homography.read(path) for path in paths], read_images(item)
    squares = frame_files.read(given[0]) if given else None
    patch_set = cut(item, pictures, matrices, settings, squares)
    if settings.check_homographies:
        few = settings.model_copy(update={"max_points": _POINTS_OF_A_TRIAL})
        homography_check.check(
            patch_set, paths, matrices, lambda others: cut(item, pictures, others, few, squares)
        )
    return patch_set


def read_images(item: SequenceInput) -> list[np.ndarray]:
    """Reads the six images of a sequence: uint8 [height, width] each.

    Raises:
        UserError: When one cannot be decoded.
    """
    return [images.read_grey(path) for path in item.files[:IMAGES]]


def cut(
    item: SequenceInput,
    pictures: Sequence[np.ndarray],
    matrices: Sequence[np.ndarray],
    settings: DataSettings,
    squares: np.ndarray | None = None,
    flat: bool = False,
) -> PatchSet:
    """Finds points in the reference image and cuts their 16 patches by `settings.cut`.

    Args:
        item: Names the sequence (and so seeds its random choices).
        pictures: Reference and five targets, uint8 [height, width] each.
        matrices: Five float64 [3, 3], reference pixels to target pixels.
        settings: Seed, limits, extraction settings and how to cut.
        squares: float64 [N, 3, 3], frames in the reference (half-width coordinates to pixels);
            by default, they are found.
        flat: The targets show the reference and nothing around it (they were made of one
            photograph), so disturbed frames must stay inside the reference, too.

    Returns:
        The patches in random order (of frames that were given, in theirs), with statistics:
        `points` (found or given), `cut`, `without_content` (points left out, see
        `formats.content`), `overlap_easy|hard|tough` (median) and `nearer_to_another` (share
        of disturbed frames).

    Raises:
        UserError: When no point stays inside all images, or none has content in all of them.
    """
    height, width = pictures[0].shape
    rules = settings.cut
    if squares is None:
        squares = squares_of(item.name, pictures[0], settings)
    jitters = _jitters(item.name, len(squares), settings)
    disturbed = squares[:, None, None] @ jitters  # to reference pixels
    moved = [
        homography.facing(disturbances.misplaced(matrix, rules.offset), width, height)
        for matrix in matrices
    ]
    projected = [moved[k] @ disturbed[:, :, k] for k in range(TARGETS)]  # to target pixels
    whole = frames.inside(squares, width, height)
    whole &= frames.inside(disturbed, width, height).all((1, 2)) | (not flat)
    for k, target in enumerate(pictures[1:]):
        whole &= frames.inside(projected[k], target.shape[1], target.shape[0]).all(1)
    kept = np.flatnonzero(whole)
    if settings.max_points is not None and len(kept) > settings.max_points:
        rng = generator(settings.seed, item.name, "limit")
        kept = np.sort(rng.choice(kept, settings.max_points, replace=False))
    if not len(kept):
        raise UserError(
            f"{item.name}: none of {len(squares)} points stays inside all "
            f"{IMAGES} images, expected a textured reference that the targets show too, "
            "and homographies that map its pixels to theirs"
        )
    smoothing = settings.extraction.smoothing if item.as_matched else 0.0
    half_width = settings.extraction.half_width
    places = [squares[kept], *(each[kept] for each in projected)]
    patches = _sample(pictures, places, half_width, smoothing)
    chosen, remarks = content.choose(item.name, patches, made=flat)
    kept, patches = kept[chosen], patches[chosen]
    positions = frames.positions(squares[kept], half_width)
    statistics: dict[str, float] = {"points": len(squares), "cut": len(kept)}
    statistics["without_content"] = int((~chosen).sum())
    statistics |= _jitter_statistics(positions, disturbed[kept], jitters[kept])
    return PatchSet(item.name, item.scene, item.kind, patches, positions, statistics, remarks)


def squares_of(
    name: str, reference: np.ndarray, settings: DataSettings, contrast: float = 1.0
) -> np.ndarray:
    """Finds points and their orientations.

    Args:
        name: Image sequence; seeds the choice of points together with `settings.seed`.
        reference: uint8 [height, width].
        settings: Seed, extraction settings and how to cut.
        contrast: Least contrast of points, relative to that of HPatches'.

    Returns:
        Frames, float64 [N, 3, 3], half-width coordinates to pixels, in random order.
    """
    half_width = settings.extraction.half_width
    rng = generator(settings.seed, name, "points")
    positions = points.find(reference, half_width, settings.cut.min_sigma, rng, contrast)
    angles = detection.orientations(reference, positions)
    return frames.from_detections(positions, angles, half_width)


def _jitters(name: str, count: int, settings: DataSettings) -> np.ndarray:
    """Disturbances float64 [N, 3 noises, 5 targets, 3, 3]."""
    drawn = []
    for noise in NOISES:
        rng = generator(settings.seed, name, f"jitter {NOISE_NAMES[noise]}")
        spread = disturbances.JITTERS[noise]
        each = disturbances.draw(count * TARGETS, spread, rng, settings.cut.jitter)
        drawn.append(each.reshape(count, TARGETS, 3, 3))
    return np.stack(drawn, axis=1)


def _sample(
    pictures: Sequence[np.ndarray],
    places: Sequence[np.ndarray],
    half_width: float,
    smoothing: float,
) -> np.ndarray:
    """Cuts the patches of points whose frames are known in all images: uint8 [N, 16, 65, 65].

    Args:
        pictures: Reference and five targets.
        places: Frames in them, float64 [N, 3, 3] in the reference, [N, 3 noises, 3, 3] in targets.
        half_width: Half the side of a square in sigmas.
        smoothing: So many sigmas of a point an image is blurred by before.
    """
    cut = []
    for picture, squares in zip(pictures, places, strict=True):
        flat = squares.reshape(-1, 3, 3)
        area = np.linalg.det(homography.jacobian(flat, np.zeros((len(flat), 2))))
        sigmas = np.sqrt(np.abs(area)) / half_width
        patches = ImageSampler(picture).sample_smoothed(flat, sigmas, smoothing)
        cut.append(patches.reshape(len(squares), -1, PATCH_SIZE, PATCH_SIZE))
    targets = np.stack(cut[1:], axis=2)  # [N, noises, targets, ...]
    return np.concatenate([cut[0], targets.reshape(len(targets), -1, PATCH_SIZE, PATCH_SIZE)], 1)


def _jitter_statistics(
    positions: np.ndarray, disturbed: np.ndarray, jitters: np.ndarray
) -> dict[str, float]:
    statistics = {}
    for n, noise in enumerate(NOISES):
        overlap = frames.overlaps(jitters[:, n].reshape(-1, 3, 3))
        statistics[f"overlap_{NOISE_NAMES[noise]}"] = float(np.median(overlap))
    count = len(positions)
    centres = disturbed[..., :2, 2].reshape(count, -1, 2)
    astray = frames.nearer_to_another(centres, positions)
    by_noise = astray.reshape(count, len(NOISES), TARGETS).mean((0, 2))
    for n, noise in enumerate(NOISES):
        statistics[f"nearer_to_another_{NOISE_NAMES[noise]}"] = float(by_noise[n])
    statistics["nearer_to_another"] = float(by_noise.mean())
    return statistics


FORMAT = Format(
    title="image sequences with homographies",
    expected=f"a folder per image sequence with {layouts.EXPECTED}",
    pattern="*/*",
    find=find,
    check=check,
    load=load,
    read=read_images,
    thumbnail=copies.thumbnail,
    left_out=left_out,
)
