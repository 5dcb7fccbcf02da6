"""What a patch is to a model: the region it shows, how it is turned, and how it was resampled.

A model describes only what it was trained on. Who cuts patches elsewhere needs these values;
they travel in the model's identity under `patch` and `matching`. Reads and writes without
TensorFlow.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from trainer.core.settings import Settings
from trainer.core.variants import PATCH_SIZE

PATCH = "patch"
MATCHING = "matching"
LICENCE = "licence"
KEYPOINT_SIZE_PER_SIGMA = 2 ** (5 / 6)
"""`cv2.KeyPoint.size` of a SIFT keypoint with sigma 1. OpenCV tells twice the smaller sigma of the
two Gaussians that differ most there; the blob lies between both, a sixth of an octave above."""
_REGION = 5.0  # sigmas; HPatches', and of all models that do not say it
CAMERA_BLUR = 0.5  # pixels, that an image is taken to have by itself (Lowe, IJCV 2004, section 3.3)
LEAST_BLUR = 0.3  # pixels; less is not worth an image of its own
BLUR_SIGMAS = (0.0, 0.7, 1.6, 3.2, 6.4, 12.8)
"""Measured on official patches: steps from 1 to 2 pixels agree best with 0.7, from 2 to 4 with 1.6,
beyond with 3.2; smaller ones with none."""


class Orientation(Settings):
    """Which way a patch's x axis points.

    Attributes:
        rule: The highest bin of a histogram of gradient directions around the point, refined by
            a parabola (Lowe, IJCV 2004, section 5). One orientation per point.
        bins: Bins of the histogram over the full circle.
        radius: Of the disc that votes, in sigmas.
        weight_sigma: Deviation of the Gaussian that weights the votes, in sigmas.
        unit: Of an angle; OpenCV's keypoints have degrees.
        sense: An angle of a quarter turn points downwards, as OpenCV's.
    """

    rule: Literal["dominant_gradient"] = "dominant_gradient"
    bins: Literal[36] = 36
    radius: float = Field(default=4.5, gt=0)
    weight_sigma: float = Field(default=1.5, gt=0)
    unit: Literal["radians"] = "radians"
    sense: Literal["x_towards_y_down"] = "x_towards_y_down"


class PatchIdentity(Settings):
    """The square of an image that one patch shows, and how its pixels come about.

    The half side of the square is `measurement_region * sigma` pixels of the image, where
    `sigma = keypoint_size / keypoint_size_per_sigma` for OpenCV's SIFT keypoints.

    Attributes:
        size: Pixels on a side.
        measurement_region: Half the side of the square, in sigmas of the detection.
        keypoint_size_per_sigma: `cv2.KeyPoint.size` of a detection with sigma 1.
        orientation: Which way the patch's x axis points in the image.
        pixel_centres: Whole coordinates of an image are the centres of its pixels. The outermost
            samples of a patch lie on the square's sides: sample i is at 2 i / (size - 1) - 1
            half sides from the centre.
        resampling: Between the image's pixels.
        smoothing: Before all else, the image is blurred to so many sigmas of the point, which are
            rounded to half octaves: by a Gaussian of sqrt((smoothing * sigma)^2 - `CAMERA_BLUR`^2)
            pixels, where that is at least `LEAST_BLUR`. 0 for none, as HPatches' patches.
        blur: A patch whose samples are s > 1 image pixels apart (the mean of both directions) is
            taken from the image blurred by a Gaussian.
        blur_sigmas: Of that, in image pixels: for s up to 1, 2, 4, 8, 16 and beyond.
        border: What lies outside the image.
    """

    size: int = Field(default=PATCH_SIZE, ge=1)
    measurement_region: float = Field(default=_REGION, gt=0)
    keypoint_size_per_sigma: float = Field(default=KEYPOINT_SIZE_PER_SIGMA, gt=0)
    orientation: Orientation = Orientation()
    pixel_centres: Literal["whole_coordinates"] = "whole_coordinates"
    resampling: Literal["bilinear"] = "bilinear"
    smoothing: float = Field(default=0.0, ge=0)
    blur: Literal["gaussian_by_octave"] = "gaussian_by_octave"
    blur_sigmas: tuple[float, ...] = BLUR_SIGMAS
    border: Literal["replicate"] = "replicate"


class MatchingRule(Settings):
    """Which nearest neighbours of a model's descriptors are taken for matches.

    Attributes:
        ratio: Largest distance relative to that of the second nearest; None when not chosen.
        max_distance: Largest Euclidean distance; None when not chosen.
    """

    ratio: float | None = Field(default=None, gt=0, le=1)
    max_distance: float | None = Field(default=None, gt=0)


def describe_patches(
    extraction: dict[str, Any],
    matching: MatchingRule = MatchingRule(),  # noqa: B008 - frozen
) -> dict[str, Any]:
    """Returns the part of a model's identity that says what its patches are.

    Args:
        extraction: Data settings of the examples it was trained on (`Manifest.settings`).
        matching: Which nearest neighbours are taken for matches.
    """
    return {
        PATCH: _of_extraction(extraction).model_dump(),
        MATCHING: matching.model_dump(),
        LICENCE: _licence(extraction),
    }


def read_patch(identity: dict[str, Any]) -> PatchIdentity:
    """Returns what a model's patches are.

    Args:
        identity: Of the model. One without `patch` is of an earlier version, whose cut had the
            default values; the region is that of its data settings.

    Raises:
        pydantic.ValidationError: When patches are cut as this version does not know.
    """
    if PATCH in identity:
        return PatchIdentity.model_validate(identity[PATCH])
    return _of_extraction(identity.get("extraction"))


def read_matching(identity: dict[str, Any]) -> MatchingRule:
    """Returns how a model's descriptors are matched.

    Raises:
        pydantic.ValidationError: When the values are none.
    """
    return MatchingRule.model_validate(identity.get(MATCHING, {}))


def _of_extraction(settings: Any) -> PatchIdentity:
    rules = settings.get("extraction") if isinstance(settings, dict) else None
    if not isinstance(rules, dict):
        return PatchIdentity()
    # Examples of earlier versions say nothing of photographs that are matched.
    region = rules["region"] if "region" in rules else rules.get("half_width", _REGION)
    return PatchIdentity(measurement_region=region, smoothing=rules.get("smoothing", 0.0))


def _licence(settings: dict[str, Any]) -> str:
    kind = settings.get("format", "unknown format")
    return (
        f"Code: Apache-2.0. Weights: computed from image data ({kind}) given by whoever trained "
        f"the model; the terms of those images apply."
    )
