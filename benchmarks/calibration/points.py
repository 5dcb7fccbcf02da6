"""Points as those of HPatches' v_graffiti lie: at sampled scales, one of each cluster.

What the official frames say (`v_graffiti_frames.csv` of the shared data, measured):

* 94 % have a sampled scale, 1.6 * 2^(k/3), k no multiple of 3. Of those, seven in ten lie within a
  tenth of sigma of a maximum of |det Hessian| over place at that scale (blobs and saddles; scales
  beside it are not asked), none of which is below 0.0018. Some others are Harris corners.
* The others, of scales between, have little contrast, as DoG's refined points.
* No two overlap by more than half, counted on discs of the whole measurement region. Clusters of
  detections that overlap, up to twenty members, hold one of them or none: one stays of each
  chain, not one of each place. So weak, lonely points remain as likely as strong, crowded ones.
* The chains of all detections below are longer than the official ones: their points would be 690,
  small and hard. Of 60 % of the detections, drawn at random, as many points as there should be
  are left (870 to 990), of the right sizes (71 to 70 % of the two smallest) and as hard.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from components.example_gen.geometry import detection, frames
from components.example_gen.settings import ExtractionSettings

HALF_WIDTH = 5.0  # half the side of a region, in sigmas
MAX_OVERLAP = 0.5
SHARE = 0.6  # of the detections that are clustered
_FIRST_SIGMA = 1.6
_CAMERA_BLUR = 0.5
_HESSIAN = 1.8e-3  # scale-normalised, grey levels in 0..1, as the next
_HARRIS = 2e-6  # VLFeat's default
_TRACE = 0.05
_EDGE = 10.0  # largest ratio of a maximum's two curvatures, Lowe's and VLFeat's default


def find(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Finds points of which one of each cluster stays.

    Args:
        image: uint8 [height, width].
        rng: Source of randomness.

    Returns:
        float64 [N, 3, 3], frames (half-width coordinates to pixels) wholly inside the image,
        square, x along the dominant gradient, in random order.
    """
    height, width = image.shape
    positions = detect(image)
    positions = positions[rng.random(len(positions)) < SHARE]
    positions = positions[frames.discs_inside(positions, HALF_WIDTH, width, height)]
    regions = positions * np.array([1, 1, HALF_WIDTH])
    positions = positions[one_of_each(regions, MAX_OVERLAP, rng)]
    angles = detection.orientations(image, positions)
    found = frames.from_detections(positions, angles, HALF_WIDTH)
    return found[frames.inside(found, width, height)]


def one_of_each(discs: np.ndarray, max_overlap: float, rng: np.random.Generator) -> np.ndarray:
    """Chooses one at random of each cluster of discs that overlap, if only through others.

    Args:
        discs: float [N, 3]: x, y, radius.
        max_overlap: Intersection over union above which two discs share a cluster.
        rng: Source of randomness.

    Returns:
        int64 [M], indices in random order.
    """
    count = len(discs)
    first, second = frames.overlapping_pairs(discs, max_overlap)
    links = coo_matrix((np.ones(len(first)), (first, second)), shape=(count, count))
    cluster = connected_components(links, directed=False)[1]
    turn = rng.permutation(count)
    chosen = np.unique(cluster[turn], return_index=True)[1]
    return rng.permutation(turn[chosen])


def levels(largest: float) -> np.ndarray:
    """Returns the sampled sigmas, 1.6 * 2^(k/3) without those of k a multiple of 3.

    Args:
        largest: Upper bound in pixels.

    Example:
        >>> levels(5.0).round(2).tolist()
        [2.02, 2.54, 4.03]
    """
    k = np.arange(1, 64)
    sigmas = _FIRST_SIGMA * 2 ** (k[k % 3 > 0] / 3)
    return sigmas[sigmas <= largest]


def detect(image: np.ndarray) -> np.ndarray:
    """Finds all detections, float64 [N, 3]: x, y, sigma in pixels.

    Args:
        image: uint8 [height, width].
    """
    base = image.astype(np.float32) / 255
    found = []
    for sigma in levels(min(image.shape) / (2 * HALF_WIDTH)):
        blur = float(np.sqrt(sigma**2 - _CAMERA_BLUR**2))
        smooth = cv2.GaussianBlur(base, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
        hessian = _hessian(smooth, sigma)
        for response, least in (
            (hessian, _HESSIAN),
            (-hessian, _HESSIAN),
            (_harris(smooth, sigma), _HARRIS),
        ):
            places = maxima(response, least)
            found.append(np.column_stack([places, np.full(len(places), sigma)]))
    dog = ExtractionSettings(detectors=("dog",), min_sigma=_FIRST_SIGMA)
    return np.concatenate([*found, detection.detect(image, dog)])


def maxima(response: np.ndarray, least: float) -> np.ndarray:
    """Finds local maxima above a bound that are no ridges, to a fraction of a pixel.

    Args:
        response: float32 [height, width].
        least: Bound.

    Returns:
        float64 [N, 2], x and y; none on the rim.
    """
    top = (response >= cv2.dilate(response, np.ones((3, 3), np.uint8))) & (response > least)
    top[[0, -1]] = False
    top[:, [0, -1]] = False
    y, x = np.nonzero(top)
    around = {
        (i, j): response[y + i, x + j].astype(np.float64) for i in (-1, 0, 1) for j in (-1, 0, 1)
    }
    here = around[0, 0]
    xx = around[0, -1] - 2 * here + around[0, 1]
    yy = around[-1, 0] - 2 * here + around[1, 0]
    xy = (around[1, 1] + around[-1, -1] - around[1, -1] - around[-1, 1]) / 4
    kept = (xx + yy) ** 2 * _EDGE < (xx * yy - xy**2) * (_EDGE + 1) ** 2
    dx = 0.5 * (around[0, -1] - around[0, 1]) / np.minimum(xx, -1e-12)
    dy = 0.5 * (around[-1, 0] - around[1, 0]) / np.minimum(yy, -1e-12)
    places = np.column_stack([x + np.clip(dx, -0.5, 0.5), y + np.clip(dy, -0.5, 0.5)])
    return places[kept]


def _hessian(smooth: np.ndarray, sigma: float) -> np.ndarray:
    xx, yy, xy = detection.second_derivatives(smooth)
    return sigma**4 * (xx * yy - xy**2)


def _harris(smooth: np.ndarray, sigma: float) -> np.ndarray:
    xx, yy, xy = detection.second_moments(smooth, sigma)
    return xx * yy - xy**2 - _TRACE * (xx + yy) ** 2
