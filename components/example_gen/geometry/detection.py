"""Finding points: Hessian, Harris and DoG, each with a scale, and a dominant orientation.

Hessian and Harris run on a Gaussian scale space of three levels an octave. The first two octaves
have the image's resolution, each further one half of that before: a blob is then at least three
pixels wide where it is located. DoG is OpenCV's SIFT detector.

Sources: Mikolajczyk and Schmid, IJCV 2004 (Hessian- and Harris-Laplace); Lowe, IJCV 2004
(DoG, orientation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from components.example_gen.settings import ExtractionSettings
from trainer.model.patch_identity import KEYPOINT_SIZE_PER_SIGMA

_LEVELS = 3  # per octave
_CAMERA_BLUR = 0.5
_INTEGRATION = 1.4  # of the second-moment matrix, relative to the derivative scale
_SMALLEST_SIDE = 16
_BINS = 36
_ORIENTATION_RADIUS = 4.5  # sigmas; the weight's own sigma is 1.5 (Lowe, section 5)
_ORIENTATION_SIZE = 27
_DOG_LAYERS = 3  # per octave, OpenCV's default
_THRESHOLDS = {"hessian": 2e-4, "harris": 2e-4, "dog": 0.03}


def detect(image: np.ndarray, settings: ExtractionSettings) -> np.ndarray:
    """Finds points at all scales whose measurement region can fit into the image.

    Args:
        image: uint8 [height, width].
        settings: Detectors and bounds.

    Returns:
        float32 [N, 3]: x, y and sigma in pixels, ordered by (y, x, sigma). Points may
        overlap, also between detectors.
    """
    return detect_rated(image, settings)[0]


def detect_rated(image: np.ndarray, settings: ExtractionSettings) -> tuple[np.ndarray, np.ndarray]:
    """Finds the points of `detect`, and says how strong each is.

    Args:
        image: uint8 [height, width].
        settings: Detectors and bounds.

    Returns:
        The points, float32 [N, 3], and their strengths, float32 [N]: contrast relative to
        what the detector's threshold asks for, so at least 1. Responses of Hessian and
        Harris grow with the square of the contrast; their root is taken.
    """
    max_sigma = min(image.shape) / (2 * settings.half_width)
    parts = [np.empty((0, 4), np.float32)]
    if "dog" in settings.detectors:
        parts.append(difference_of_gaussians(image))
    found: dict[str, Callable] = {"hessian": _hessian_maxima, "harris": _harris_maxima}
    responses = [
        (maxima, _THRESHOLDS[name]) for name, maxima in found.items() if name in settings.detectors
    ]
    if responses:
        for step, sigmas, stack in _octaves(image, settings.min_sigma, max_sigma):
            for maxima, threshold in responses:
                places = maxima(stack, sigmas, threshold)
                strength = np.sqrt(places[:, 3:] / np.float32(threshold))
                parts.append(np.hstack([places[:, :3] * np.float32(step), strength]))
    points = np.concatenate(parts)
    points = points[(points[:, 2] >= settings.min_sigma) & (points[:, 2] <= max_sigma)]
    points = points[np.lexsort((points[:, 2], points[:, 0], points[:, 1]))]
    return np.ascontiguousarray(points[:, :3]), points[:, 3].copy()


def orientations(image: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Returns the dominant gradient direction around each point.

    A histogram of 36 directions over a disc, weighted by gradient magnitude and a Gaussian
    of 1.5 sigma, smoothed; the highest bin, refined by a parabola.

    Args:
        image: uint8 [height, width].
        positions: float [N, 3]: x, y, sigma.

    Returns:
        float64 [N], radians from the x-axis towards the y-axis (downwards).

    Source: Lowe, IJCV 2004, section 5.
    """
    size = _ORIENTATION_SIZE
    pixels = np.empty((len(positions), size, size), np.float32)
    steps = np.linspace(-_ORIENTATION_RADIUS, _ORIENTATION_RADIUS, size, dtype=np.float32)
    dx, dy = (grid.ravel() for grid in np.meshgrid(steps, steps))
    level = np.round(2 * np.log2(positions[:, 2]))
    source = image.astype(np.float32)
    for value in np.unique(level):
        members = np.flatnonzero(level == value)
        blur = np.sqrt(max(2.0**value - _CAMERA_BLUR**2, 0.01))
        smooth = cv2.GaussianBlur(source, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
        for start in range(0, len(members), 4096):  # cv2.remap takes at most 32766 rows
            block = members[start : start + 4096]
            x, y, sigma = positions[block].astype(np.float32).T[:, :, None]
            pixels[block] = cv2.remap(
                smooth, x + sigma * dx, y + sigma * dy, cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            ).reshape(-1, size, size)  # fmt: skip
    return _dominant(pixels, steps)


def _dominant(pixels: np.ndarray, steps: np.ndarray) -> np.ndarray:
    gx = pixels[:, 1:-1, 2:] - pixels[:, 1:-1, :-2]
    gy = pixels[:, 2:, 1:-1] - pixels[:, :-2, 1:-1]
    squared = steps[1:-1, None] ** 2 + steps[None, 1:-1] ** 2
    weight = np.exp(-squared / (2 * 1.5**2)) * (squared <= _ORIENTATION_RADIUS**2)
    strength = np.hypot(gx, gy) * weight
    place = np.arctan2(gy, gx) * (_BINS / (2 * np.pi))
    low = np.floor(place)
    share = place - low
    row = np.arange(len(pixels))[:, None, None] * _BINS
    bins = np.concatenate([row + low % _BINS, row + (low + 1) % _BINS]).astype(np.int64)
    votes = np.concatenate([strength * (1 - share), strength * share])
    total = np.bincount(bins.ravel(), votes.ravel(), minlength=len(pixels) * _BINS)
    histogram = total.reshape(-1, _BINS)
    for _ in range(2):
        before, after = np.roll(histogram, 1, 1), np.roll(histogram, -1, 1)
        histogram = (before + 2 * histogram + after) / 4
    rows, peak = np.arange(len(pixels)), histogram.argmax(1)
    shift = _parabola(
        histogram[rows, (peak - 1) % _BINS],
        histogram[rows, peak],
        histogram[rows, (peak + 1) % _BINS],
    )
    return (peak + shift) * (2 * np.pi / _BINS)


def difference_of_gaussians(image: np.ndarray) -> np.ndarray:
    """Finds maxima of the difference of Gaussians: float32 [N, 4], x, y, sigma, strength.

    Args:
        image: uint8 [height, width].
    """
    threshold = _THRESHOLDS["dog"]
    # Without the precise doubling of the image, places come out a quarter of a pixel off.
    detector = cv2.SIFT.create(
        contrastThreshold=threshold, nOctaveLayers=_DOG_LAYERS, enable_precise_upscale=True
    )
    keypoints = detector.detect(image)
    if not keypoints:
        return np.empty((0, 4), np.float32)
    points = np.array([(*k.pt, k.size / KEYPOINT_SIZE_PER_SIGMA) for k in keypoints], np.float32)
    # A second orientation is the same point once more.
    points, first = np.unique(points, axis=0, return_index=True)
    # OpenCV compares a response times the number of layers with the threshold.
    strength = np.array([k.response for k in keypoints], np.float32) * _DOG_LAYERS / threshold
    return np.hstack([points, strength[first, None]]).astype(np.float32)


def _octaves(
    image: np.ndarray, min_sigma: float, max_sigma: float
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields (pixel step, sigmas [L], grey levels 0..1 float32 [L, h, w]) per octave.

    The first and last levels only serve as neighbours of those between. Sigmas are in
    pixels of the octave.
    """
    sigmas = min_sigma * 2 ** (np.arange(-1, _LEVELS + 1) / _LEVELS)
    base = image.astype(np.float32) / 255
    blur, step = _CAMERA_BLUR, 1
    while min(base.shape) >= _SMALLEST_SIDE and sigmas[1] * step <= max_sigma:
        stack = np.empty((len(sigmas), *base.shape), np.float32)
        current = base
        for level, sigma in enumerate(sigmas):
            extra = np.sqrt(max(sigma**2 - blur**2, 0))
            if extra > 1e-3:
                current = cv2.GaussianBlur(current, (0, 0), extra, borderType=cv2.BORDER_REPLICATE)
            stack[level] = current
            blur = sigma
        yield step, sigmas, stack
        if sigmas[1] < 2 * min_sigma:  # the second octave keeps the resolution
            base, blur, sigmas = stack[0], sigmas[0], 2 * sigmas
        else:  # the level at twice the first sigma, at half the resolution, starts the next
            base, blur, step = stack[_LEVELS][::2, ::2], sigmas[_LEVELS] / 2, step * 2


def _hessian_maxima(stack: np.ndarray, sigmas: np.ndarray, threshold: float) -> np.ndarray:
    """Maxima of the scale-normalised determinant over place and scale: float32 [N, 4]."""
    response = np.empty_like(stack)
    for level, smooth in enumerate(stack):
        xx, yy, xy = second_derivatives(smooth)
        response[level] = sigmas[level] ** 4 * (xx * yy - xy**2)
    by_level = []
    for level in range(1, len(stack) - 1):
        here = response[level]
        y, x = _spatial_maxima(here, threshold)
        below, above = (_neighbourhood(response[k])[y, x] for k in (level - 1, level + 1))
        top = (here[y, x] > below) & (here[y, x] > above)
        y, x = y[top], x[top]
        shift = _parabola(response[level - 1][y, x], here[y, x], response[level + 1][y, x])
        sigma = sigmas[level] * 2 ** (shift / _LEVELS)
        by_level.append(_refined(here, y, x, sigma))
    return np.concatenate(by_level)


def _harris_maxima(stack: np.ndarray, sigmas: np.ndarray, threshold: float) -> np.ndarray:
    """Corners at the scale where the Laplacian is strongest: float32 [N, 4]."""
    laplacian = np.empty_like(stack)
    for level, smooth in enumerate(stack):
        xx, yy, _ = second_derivatives(smooth)
        laplacian[level] = np.abs(sigmas[level] ** 2 * (xx + yy))
    by_level = []
    for level in range(1, len(stack) - 1):
        response = _corner_strength(stack[level], sigmas[level])
        y, x = _spatial_maxima(response, threshold)
        below, here, above = (laplacian[k][y, x] for k in (level - 1, level, level + 1))
        top = (here >= below) & (here >= above)
        y, x = y[top], x[top]
        sigma = sigmas[level] * 2 ** (_parabola(below[top], here[top], above[top]) / _LEVELS)
        by_level.append(_refined(response, y, x, sigma))
    return np.concatenate(by_level)


def _corner_strength(smooth: np.ndarray, sigma: float) -> np.ndarray:
    """Determinant over trace of the scale-normalised second-moment matrix (Noble 1988)."""
    xx, yy, xy = second_moments(smooth, sigma)
    return (xx * yy - xy**2) / (xx + yy + 1e-9)


def second_moments(smooth: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns xx, yy and xy of the scale-normalised second-moment matrix.

    Args:
        smooth: float32 [height, width], an image at the derivative scale.
        sigma: That scale in pixels; the products are integrated over 1.4 times as much.

    Returns:
        float32 [height, width] each.
    """
    gx = sigma * cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    gy = sigma * cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
    xx, yy, xy = (
        cv2.GaussianBlur(product, (0, 0), _INTEGRATION * sigma, borderType=cv2.BORDER_REPLICATE)
        for product in (gx * gx, gy * gy, gx * gy)
    )
    return xx, yy, xy


def second_derivatives(smooth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns xx, yy and xy of an image float32 [height, width], each of its shape."""
    xx = cv2.filter2D(smooth, cv2.CV_32F, np.array([[1, -2, 1]], np.float32))
    yy = cv2.filter2D(smooth, cv2.CV_32F, np.array([[1], [-2], [1]], np.float32))
    cross = np.array([[1, 0, -1], [0, 0, 0], [-1, 0, 1]], np.float32) / 4
    return xx, yy, cv2.filter2D(smooth, cv2.CV_32F, cross)


def _neighbourhood(response: np.ndarray) -> np.ndarray:
    return cv2.dilate(response, np.ones((3, 3), np.uint8))


def _spatial_maxima(response: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of local maxima above the threshold, without the image's rim."""
    top = (response >= _neighbourhood(response)) & (response > threshold)
    top[[0, -1]] = False
    top[:, [0, -1]] = False
    rows, columns = np.nonzero(top)
    return rows, columns


def _refined(response: np.ndarray, y: np.ndarray, x: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Places to a fraction of a pixel: float32 [N, 4], x, y, sigma, response."""
    dx, dy, _ = fit_maxima(response, y, x)
    return np.stack([x + dx, y + dy, sigma, response[y, x]], axis=1).astype(np.float32)


def fit_maxima(
    response: np.ndarray, y: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fits a quadric through the nine values around each maximum.

    Args:
        response: float32 [height, width].
        y: int64 [N], rows, none on the rim.
        x: int64 [N], columns.

    Returns:
        The quadric's maximum relative to x and to y, within half a pixel, float64 [N] each, and
        the ratio of its curvatures, at least 1 (infinite on a ridge), float64 [N].
    """
    around = {
        (i, j): response[y + i, x + j].astype(np.float64) for i in (-1, 0, 1) for j in (-1, 0, 1)
    }
    here = around[0, 0]
    gx, gy = (around[0, 1] - around[0, -1]) / 2, (around[1, 0] - around[-1, 0]) / 2
    xx = around[0, -1] - 2 * here + around[0, 1]
    yy = around[-1, 0] - 2 * here + around[1, 0]
    xy = (around[1, 1] + around[-1, -1] - around[1, -1] - around[-1, 1]) / 4
    determinant, trace = xx * yy - xy**2, xx + yy
    round_ = determinant > 1e-6 * trace**2
    safe = np.where(round_, determinant, 1)
    dx = np.where(round_, (xy * gy - yy * gx) / safe, 0)
    dy = np.where(round_, (xy * gx - xx * gy) / safe, 0)
    half = trace**2 / (2 * safe) - 1  # (r + 1 / r) / 2 of the ratio r of the curvatures
    ratio = np.where(round_, half + np.sqrt(np.maximum(half**2 - 1, 0)), np.inf)
    return np.clip(dx, -0.5, 0.5), np.clip(dy, -0.5, 0.5), ratio


def _parabola(before: np.ndarray, here: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Place of the maximum of a parabola through three values, within half a step."""
    curve = before - 2 * here + after
    flat = np.abs(curve) < 1e-12
    shift = np.where(flat, 0, 0.5 * (before - after) / np.where(flat, 1, curve))
    return np.clip(shift, -0.5, 0.5)
