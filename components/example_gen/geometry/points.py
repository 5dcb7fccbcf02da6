"""Points whose patches are cut: as those of HPatches lie, at sampled scales, one of each cluster.

What the official frames of v_graffiti say (measured, see `docs/protocol.md`):

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

MAX_OVERLAP = 0.5
SHARE = 0.6  # of the detections that are clustered
_FIRST_SIGMA = 1.6
_CAMERA_BLUR = 0.5
_HESSIAN = 1.8e-3  # scale-normalised, grey levels in 0..1, as the next
_HARRIS = 2e-6  # VLFeat's default
_TRACE = 0.05
_EDGE = 10.0  # largest ratio of a maximum's two curvatures, Lowe's and VLFeat's default


def find(
    image: np.ndarray,
    half_width: float,
    min_sigma: float,
    rng: np.random.Generator,
    contrast: float = 1.0,
) -> np.ndarray:
    """Finds points of which one of each cluster stays.

    Args:
        image: uint8 [height, width].
        half_width: Half the side of a region, in sigmas.
        min_sigma: Smallest scale in pixels.
        rng: Source of randomness.
        contrast: Least contrast, relative to that of HPatches' points.

    Returns:
        float64 [N, 3], x, y and sigma in pixels, in random order; the disc of the region lies
        inside the image.
    """
    height, width = image.shape
    positions = detect(image, min_sigma, min(image.shape) / (2 * half_width), contrast)
    positions = positions[rng.random(len(positions)) < SHARE]
    positions = positions[frames.discs_inside(positions, half_width, width, height)]
    regions = positions * np.array([1, 1, half_width])
    return positions[one_of_each(regions, MAX_OVERLAP, rng)]


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


def levels(smallest: float, largest: float) -> np.ndarray:
    """Returns the sampled sigmas, 1.6 * 2^(k/3) without those of k a multiple of 3.

    Args:
        smallest: Lower bound in pixels.
        largest: Upper bound in pixels.

    Example:
        >>> levels(1.6, 5.0).round(2).tolist()
        [2.02, 2.54, 4.03]
    """
    k = np.arange(-6, 64)
    sigmas = _FIRST_SIGMA * 2 ** (k[k % 3 > 0] / 3)
    return sigmas[(sigmas >= smallest) & (sigmas <= largest)]


def detect(image: np.ndarray, smallest: float, largest: float, contrast: float = 1.0) -> np.ndarray:
    """Finds all detections, float64 [N, 3]: x, y, sigma in pixels.

    Args:
        image: uint8 [height, width].
        smallest: Lower bound of sigma in pixels.
        largest: Upper bound of sigma in pixels.
        contrast: Least contrast of blobs and corners, relative to that of HPatches' points.
    """
    base = image.astype(np.float32) / 255
    positions = []
    for sigma in levels(smallest, largest):
        blur = float(np.sqrt(max(sigma**2 - _CAMERA_BLUR**2, 0.01)))
        smooth = cv2.GaussianBlur(base, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
        hessian = _hessian(smooth, sigma)
        for response, least, power in (
            (hessian, _HESSIAN, 2),
            (-hessian, _HESSIAN, 2),
            (_harris(smooth, sigma), _HARRIS, 4),
        ):
            places = maxima(response, least * contrast**power)
            positions.append(np.column_stack([places, np.full(len(places), sigma)]))
    dog = detection.difference_of_gaussians(image)[:, :3].astype(np.float64)
    fits = (dog[:, 2] >= smallest) & (dog[:, 2] <= largest)
    return np.concatenate([*positions, dog[fits]])


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
    dx, dy, ratio = detection.fit_maxima(response, y, x)
    return np.column_stack([x + dx, y + dy])[ratio < _EDGE]


def _hessian(smooth: np.ndarray, sigma: float) -> np.ndarray:
    xx, yy, xy = detection.second_derivatives(smooth)
    return sigma**4 * (xx * yy - xy**2)


def _harris(smooth: np.ndarray, sigma: float) -> np.ndarray:
    xx, yy, xy = detection.second_moments(smooth, sigma)
    return xx * yy - xy**2 - _TRACE * (xx + yy) ** 2
