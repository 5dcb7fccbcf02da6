"""Handcrafted descriptors that a learned one has to beat.

* `sift`: Lowe's descriptor at the centre of the patch (OpenCV; keypoint size 65/6, angle 0).
* `rootsift`: the same, L1-normalised, then the square root (Arandjelovic and Zisserman,
  Three things everyone should know to improve object retrieval, CVPR 2012).
* `sift-smoothed`, `rootsift-smoothed`: the same at their best: after a Gaussian blur, which
  real scenes reward, and with the keypoint size and the border (`SiftRecipe`) that match best
  on validation data.
* `pixels`: the patch shrunk to 8 x 8 by area, brought to mean 0 and deviation 1.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

import cv2
import numpy as np

from components.descriptor_evaluator.protocol import matching
from components.example_gen.formats.patch_set import PatchSet
from trainer.core import progress
from trainer.core.errors import UserError

NAMES = ("rootsift", "rootsift-smoothed", "sift", "sift-smoothed", "pixels")
CHOSEN = ("rootsift-smoothed", "sift-smoothed")  # those whose recipe is chosen on data
_SIFT_SIZE = 128
_PIXELS_SIDE = 8
_CHUNK = 256  # patches per task: OpenCV lets other threads run while it computes


@dataclass(frozen=True)
class SiftRecipe:
    """How a patch is given to SIFT.

    Attributes:
        sigma: Deviation in pixels of the Gaussian blur before; 0 for none.
        size: Keypoint size as OpenCV counts it, as a part of the patch's side. At 1/6 the
            window that is weighed in reaches beyond the patch's corners.
        padding: Border of repeated edge pixels on each side, as a part of the patch's side.
    """

    sigma: float = 0.0
    size: float = 1 / 6
    padding: float = 0.0


PUBLISHED = SiftRecipe()
SMOOTHED = SiftRecipe(sigma=3.0)


@dataclass(frozen=True)
class RecipeChoices:
    """What a recipe is chosen from; the first values are taken for those not looked at yet."""

    sigmas: tuple[float, ...] = (2.5, 3.0, 3.5)
    sizes: tuple[float, ...] = (1 / 6, 1 / 5, 1 / 4)
    paddings: tuple[float, ...] = (0.0, 1 / 4)


def describe(name: str, patches: np.ndarray, recipe: SiftRecipe = SMOOTHED) -> np.ndarray:
    """Describes patches.

    Args:
        name: One of `NAMES`.
        patches: uint8 [M, h, h].
        recipe: Of those in `CHOSEN`.

    Returns:
        float32 [M, D]; D is 64 for `pixels` and 128 otherwise.

    Raises:
        UserError: When there is no baseline of that name.
    """
    if name not in NAMES:
        raise UserError(f"there is no baseline '{name}', expected one of {', '.join(NAMES)}")
    if name == "pixels":
        return _normalised_pixels(patches)
    found = _sift(patches, recipe if name in CHOSEN else PUBLISHED)
    return _root(found) if name.startswith("root") else found


def describe_sequence(name: str, patches: np.ndarray, recipe: SiftRecipe = SMOOTHED) -> np.ndarray:
    """Describes uint8 [N, 16, h, h] as float32 [16, N, D]."""
    count, variants = patches.shape[:2]
    found = describe(name, patches.reshape(count * variants, *patches.shape[2:]), recipe)
    return np.ascontiguousarray(found.reshape(count, variants, -1).swapaxes(0, 1))


def recipe_sentences(recipes: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Says which recipe each handcrafted descriptor was given.

    Args:
        recipes: Values of a `SiftRecipe` by the descriptor's name.
    """
    return [f"{name}: {in_words(SiftRecipe(**values))}." for name, values in recipes.items()]


def in_words(recipe: SiftRecipe) -> str:
    """Says what a recipe does.

    Example:
        >>> in_words(SiftRecipe(3.5, 0.2, 0.25)), in_words(SMOOTHED)
        ('blur 3.5 px, size 1/5, border 0.25', 'blur 3 px, size 1/6, no border')
    """
    border = f"border {recipe.padding:.3g}" if recipe.padding else "no border"
    return f"blur {recipe.sigma:g} px, size 1/{1 / recipe.size:.3g}, {border}"


def choose_recipe(
    name: str,
    patch_sets: Sequence[PatchSet],
    choices: RecipeChoices | None = None,
    points: int = 100,
) -> SiftRecipe:
    """Chooses the recipe of a descriptor by matching mAP, never on held-out data.

    One value after the other: the blur, with it the size, with both the border.

    Args:
        name: One of `CHOSEN`.
        patch_sets: Image sequences to choose on (validation).
        choices: What to choose from; of equally good ones the first is taken.
        points: Most points used of each image sequence (the first ones).
    """
    choices = choices or RecipeChoices()
    best = SiftRecipe(choices.sigmas[0], choices.sizes[0], choices.paddings[0])
    total = sum(map(len, asdict(choices).values())) - 2
    known: dict[SiftRecipe, float] = {}

    def score(recipe: SiftRecipe) -> float:
        if recipe not in known:
            progress.report(f"choosing the recipe of {name}", len(known), total)
            known[recipe] = matching.mean_average_precision(
                {
                    item.name: describe_sequence(name, item.patches[:points], recipe)
                    for item in patch_sets
                }
            )["mean"]
        return known[recipe]

    best = max((replace(best, sigma=value) for value in choices.sigmas), key=score)
    best = max((replace(best, size=value) for value in choices.sizes), key=score)
    best = max((replace(best, padding=value) for value in choices.paddings), key=score)
    progress.report(f"choosing the recipe of {name}", total, total)
    return best


def _sift(patches: np.ndarray, recipe: SiftRecipe) -> np.ndarray:
    """Returns OpenCV's SIFT of each patch, float32 [M, 128] of values 0..255."""
    result = np.empty((len(patches), _SIFT_SIZE), np.float32)
    side = patches.shape[-1]
    border = round(recipe.padding * side)
    centre = side // 2 + border
    keypoint = [cv2.KeyPoint(centre, centre, recipe.size * side, 0.0)]

    def work(start: int) -> None:
        # One layer per octave: the descriptor only reads the first image of the pyramid, and
        # with fewer layers OpenCV computes fewer of those that nobody looks at.
        extractor = cv2.SIFT_create(nOctaveLayers=1)  # type: ignore[attr-defined]
        for place in range(start, min(start + _CHUNK, len(patches))):
            patch = patches[place]
            if recipe.sigma > 0:
                patch = cv2.GaussianBlur(patch, (0, 0), recipe.sigma)
            if border:
                patch = cv2.copyMakeBorder(
                    patch, border, border, border, border, cv2.BORDER_REPLICATE
                )
            result[place] = extractor.compute(patch, keypoint)[1][0]

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(work, range(0, len(patches), _CHUNK)))
    return result


def _root(descriptors: np.ndarray) -> np.ndarray:
    total = np.abs(descriptors).sum(axis=1, keepdims=True)
    return np.sqrt(descriptors / np.maximum(total, 1e-12))


def _normalised_pixels(patches: np.ndarray) -> np.ndarray:
    side = patches.shape[-1]
    # Overlap of each small pixel with each pixel, in pixels: area resizing as two products.
    edges = np.linspace(0, side, _PIXELS_SIDE + 1)
    low, high = np.arange(side)[:, None], np.arange(1, side + 1)[:, None]
    weight = np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None)
    weight = (weight * _PIXELS_SIDE / side).astype(np.float32)
    small = np.empty((len(patches), _PIXELS_SIDE**2), np.float32)
    for start in range(0, len(patches), 1024):
        block = patches[start : start + 1024].astype(np.float32)
        small[start : start + 1024] = (weight.T @ block @ weight).reshape(len(block), -1)
    small -= small.mean(axis=1, keepdims=True)
    return small / np.maximum(small.std(axis=1, keepdims=True), 1e-6)
