"""Photographs made into image sequences: a moving camera (`v_`) and a changing light (`i_`).

The reference is the photograph made at least twice smaller, while targets are rendered from
the photograph itself, so a target is not merely a resampled reference. Every image, the
reference included, passes through a camera model of its own: shading, exposure, contrast,
tone curve, blur, noise, JPEG. Both keep cutting through the true homography from undoing all
that was done to the target.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import PurePosixPath

import cv2
import numpy as np

from components.core import files
from components.example_gen.formats import copies, images, layouts, left_out, sequences
from components.example_gen.formats.base import Format, PatchSet, SequenceInput, generator
from components.example_gen.geometry import homography, occlusion
from components.example_gen.registry import PHOTOS
from components.example_gen.settings import DataSettings, PhotographSettings
from trainer.core.errors import UserError
from trainer.core.variants import ILLUMINATION, TARGETS, VIEWPOINT

_OVERSAMPLING = 2
_SHAKE = 0.02
"""Camera movement within `i_` sequences, as a share of the image's width."""
# References are shrunk, so detail that was worth finding has become smaller.
_MIN_SIGMA = 1.0
_MORE_JITTER = 1.4
"""Where patches are cut as those that are matched: a larger region bears more, and with half of
the jitter of the others a model matched fewer points of real photographs than RootSIFT."""
_OCCLUDED = 0.65
"""Share of the same patches that something else reaches into, as it does where there is depth."""
_MIN_SIDE = 65  # of a reference image in pixels; less cannot hold useful regions


@dataclass(frozen=True)
class Light:
    """What the camera and the light do to one image; each value is drawn uniformly.

    Attributes:
        blur: Sigma of a Gaussian blur in pixels, lowest and highest.
        noise: Sigma of Gaussian noise in grey levels, lowest and highest.
        exposure: Stops by which the image is brighter or darker (up to plus or minus).
        contrast: Logarithm of the contrast factor about middle grey (plus or minus).
        gamma: Logarithm of the exponent of the tone curve (plus or minus).
        shading: Stops between opposite edges of a linear light gradient.
        jpeg: JPEG quality, lowest and highest.
        reference: Share of every disturbance that the reference image gets.
    """

    blur: tuple[float, float]
    noise: tuple[float, float]
    exposure: float
    contrast: float
    gamma: float
    shading: float
    jpeg: tuple[int, int]
    reference: float = 0.5


LIGHT = {
    VIEWPOINT: Light((0.3, 1.0), (2.0, 6.0), 0.3, 0.15, 0.15, shading=0.3, jpeg=(50, 95)),
    ILLUMINATION: Light((0.3, 1.5), (2.0, 8.0), 1.5, 0.4, 0.5, shading=1.0, jpeg=(20, 90)),
}
"""Light and camera by the kind of the sequence."""


def find(root: str) -> dict[str, tuple[str, ...]]:
    """Lists the photographs of a folder by stem: stem -> files of that stem.

    Raises:
        UserError: When it is an image sequence: its images would be taken for photographs.
    """
    by_stem: dict[str, list[str]] = {}
    names = files.list_folder(root)
    format = layouts.of_sequence(names)
    if format is not None:
        raise UserError(
            f"{root}: is itself an image sequence, expected photographs of different things; give "
            f"the folder above with --format {format}"
        )
    for name in filter(layouts.is_photograph, names):
        by_stem.setdefault(PurePosixPath(name).stem, []).append(files.join(root, name))
    return {stem: tuple(paths) for stem, paths in sorted(by_stem.items())}


def check(name: str, paths: tuple[str, ...], scene: str) -> list[SequenceInput]:
    """Names the two image sequences of a photograph, `i_<name>` and `v_<name>`.

    Raises:
        UserError: When two photographs have one stem, or a file is no image by its header.
    """
    if len(paths) > 1:
        listed = " and ".join(PurePosixPath(path).name for path in paths)
        raise UserError(
            f"{paths[0]}: {listed} would make two sequences of one name (v_{name}), "
            f"expected photographs with different names; rename one"
        )
    images.check_header(paths[0])
    return [SequenceInput(f"{kind}_{name}", scene, kind, PHOTOS, paths) for kind in "iv"]


def for_training(item: SequenceInput, settings: DataSettings) -> list[SequenceInput]:
    """Returns the image sequence at each size that is trained on, the first under its own name.

    The others are cut as photographs that are matched are, so that training shows both.
    """
    first, *others = settings.photographs.training_sizes
    further = [
        dataclasses.replace(item, name=f"{item.name}_{size:g}x", size=size, as_matched=True)
        for size in others
    ]
    return [dataclasses.replace(item, size=first), *further]


def load(item: SequenceInput, settings: DataSettings) -> PatchSet:
    """Makes an image sequence of a photograph and cuts its patches.

    Raises:
        UserError: When the photograph cannot be decoded, is too small or shows no texture.
    """
    photograph = read_photograph(item)
    rules = settings.photographs
    factor = shrinkage(photograph.shape, rules) / item.size
    if min(photograph.shape) / factor < _MIN_SIDE:
        height, width = photograph.shape
        raise UserError(
            f"{item.files[0]}: is {width}x{height} pixels, expected at least "
            f"{math.ceil(_MIN_SIDE * factor)} on the shorter side (it is shrunk "
            f"{factor:g} times, see photographs.shrink)"
        )
    pictures, matrices = make_sequence(item, photograph, settings)
    small = min(_MIN_SIGMA, settings.cut.min_sigma)
    cut = settings.cut.model_copy(update={"min_sigma": small})
    extraction = settings.extraction
    if item.as_matched:
        extraction = extraction.model_copy(update={"half_width": extraction.region})
        cut = cut.model_copy(update={"jitter": _MORE_JITTER * cut.jitter})
    settings = settings.model_copy(update={"cut": cut, "extraction": extraction})
    squares = sequences.squares_of(item.name, pictures[0], settings, cut.photograph_contrast)
    cut_here = sequences.cut(item, pictures, matrices, settings, squares, flat=True)
    if not item.as_matched:
        return cut_here
    rng = generator(settings.seed, item.name, "occlusion")
    patches = occlusion.occlude(cut_here.patches, _OCCLUDED, rng)
    return dataclasses.replace(cut_here, patches=patches)


def read_photograph(item: SequenceInput) -> np.ndarray:
    """Reads the photograph of an image sequence: uint8 [height, width].

    Raises:
        UserError: When it cannot be decoded.
    """
    return images.read_grey(item.files[0])


def shrinkage(shape: tuple[int, ...], rules: PhotographSettings) -> float:
    """How many times smaller than the photograph its reference image is."""
    return max(rules.shrink, max(shape) / rules.max_side)


def make_sequence(
    item: SequenceInput, photograph: np.ndarray, settings: DataSettings
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Renders the six images of a sequence.

    Args:
        item: Its name seeds the random choices together with `settings.seed`; its kind `v` moves
            the camera, `i` changes the light (and shakes the camera slightly).
        photograph: uint8 [height, width].
        settings: Seed and photograph settings.

    Returns:
        Six uint8 images, the reference first, and five float64 [3, 3] homographies that map
        reference pixels to target pixels.
    """
    rules = settings.photographs
    light = LIGHT[item.kind]
    factor = shrinkage(photograph.shape, rules) / item.size
    height, width = (round(side / factor) for side in photograph.shape)
    rng = generator(settings.seed, item.name, "photograph")
    reference = cv2.resize(photograph, (width, height), interpolation=cv2.INTER_AREA)
    pictures = [expose(reference, light, light.reference, rng)]
    matrices = []
    for target in range(1, TARGETS + 1):
        degree = target / TARGETS
        if item.kind == VIEWPOINT:
            matrix = draw_viewpoint(width, height, degree, rules, rng)
        else:
            matrix = draw_shake(width, rng)
        matrix, size = homography.fit(matrix, width, height)
        matrices.append(matrix)
        pictures.append(
            expose(render(photograph, matrix, (width, height), size), light, degree, rng)
        )
    return pictures, matrices


def draw_viewpoint(
    width: int, height: int, degree: float, rules: PhotographSettings, rng: np.random.Generator
) -> np.ndarray:
    """Draws a homography of a `v_` sequence; its strength grows with the degree (0..1].

    Returns:
        float64 [3, 3]; see `homography.viewpoint`.
    """
    octaves = rng.uniform(*rules.zoom) * degree
    return homography.viewpoint(
        width,
        height,
        tilt=math.radians(rules.tilt) * degree * rng.uniform(0.3, 1),
        azimuth=rng.uniform(0, 2 * math.pi),
        rotation=math.radians(rules.rotation) * degree * rng.uniform(-1, 1),
        zoom=2.0**octaves,
    )


def draw_shake(width: int, rng: np.random.Generator) -> np.ndarray:
    """Draws the small similarity of an `i_` sequence: float64 [3, 3]."""
    dx, dy, turn, grow = rng.uniform(-1, 1, 4) * _SHAKE
    c, s = (1 + grow) * math.cos(turn), (1 + grow) * math.sin(turn)
    return np.array([[c, -s, dx * width], [s, c, dy * width], [0, 0, 1]])


def render(
    photograph: np.ndarray, matrix: np.ndarray, reference: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Renders a target image from the photograph without aliasing.

    The photograph is brought to about twice the target's resolution by area averaging,
    warped onto a target of twice the size, and averaged down.

    Args:
        photograph: uint8 [height, width].
        matrix: float64 [3, 3], reference pixels to target pixels.
        reference: Width and height of the reference image.
        size: Width and height of the target image.

    Returns:
        uint8 [size[1], size[0]]; beyond the photograph it repeats the rim.
    """
    centre = np.array([[(reference[0] - 1) / 2, (reference[1] - 1) / 2]])
    magnification = np.linalg.svd(homography.jacobian(matrix, centre)[0], compute_uv=False).max()
    scale = _OVERSAMPLING * max(magnification, 0.1)
    sides = [
        min(full, max(1, round(side * scale)))
        for full, side in zip(photograph.shape[::-1], reference, strict=True)
    ]
    shrunk = cv2.resize(photograph, sides, interpolation=cv2.INTER_AREA)
    large = (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING)
    to_reference = homography.rescaling(np.array(reference) / sides)
    to_large = homography.rescaling(np.array([_OVERSAMPLING, _OVERSAMPLING], float))
    warped = cv2.warpPerspective(
        shrunk,
        to_large @ matrix @ to_reference,
        large,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cv2.resize(warped, size, interpolation=cv2.INTER_AREA)


def expose(image: np.ndarray, light: Light, degree: float, rng: np.random.Generator) -> np.ndarray:
    """Takes a picture of a picture: light, lens, sensor, JPEG; uint8 [height, width].

    Args:
        image: uint8 [height, width].
        light: Sizes of the disturbances.
        degree: Share of exposure, contrast, tone and shading that applies, 0..1; blur,
            noise and JPEG are drawn from the part of their range up to that share.
        rng: Source of randomness.
    """
    height, width = image.shape
    stops, log_contrast, log_gamma = rng.uniform(-1, 1, 3) * degree
    angle = rng.uniform(0, 2 * math.pi)
    blur, noise = (
        low + (high - low) * degree * rng.uniform() for low, high in (light.blur, light.noise)
    )
    quality = light.jpeg[1] - (light.jpeg[1] - light.jpeg[0]) * degree * rng.uniform()

    grey = image.astype(np.float32) / 255
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32) * math.cos(angle)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32) * math.sin(angle)
    slope = light.shading * degree * rng.uniform()
    grey *= np.exp2(light.exposure * stops + slope * (x[None] + y[:, None]))
    grey = np.clip(grey, 0, 1) ** np.float32(math.exp(light.gamma * log_gamma))
    grey = 0.5 + (grey - 0.5) * np.float32(math.exp(light.contrast * log_contrast))
    if blur > 0.05:
        grey = cv2.GaussianBlur(grey, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
    grey = grey * 255 + noise * rng.standard_normal(grey.shape, dtype=np.float32)
    pixels = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    decoded = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if done else None
    if decoded is None:
        raise ValueError(f"cannot encode {pixels.shape} as JPEG")
    return decoded


FORMAT = Format(
    title="photographs to make image sequences of",
    expected="png, jpg, tif, bmp, ppm, pgm or webp photographs right in this folder",
    pattern="*",
    find=find,
    check=check,
    load=load,
    read=read_photograph,
    thumbnail=copies.thumbnail,
    left_out=left_out.remarks,
    for_training=for_training,
)
