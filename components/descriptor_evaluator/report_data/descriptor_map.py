"""A map of descriptors in the plane: near on the map means near in the code, mostly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from components.descriptor_evaluator.protocol import distances
from components.descriptor_evaluator.report_data.curves import rounded
from trainer.core.variants import NOISES, TARGETS, VARIANTS, variant_index

_POINTS = 56
_PERPLEXITY = 8.0  # about the neighbours of a patch: its other views and what looks like it
_STEPS = 500
_FEW = 12  # descriptors: t-SNE of fewer says nothing


def lay_out(descriptors: Mapping[str, np.ndarray], seed: int = 0) -> dict[str, Any]:
    """Lays a sample of descriptors out in the plane.

    Some points, spread over the image sequences, with four views each: the reference and
    one target of every noise level. Layout by t-SNE (van der Maaten and Hinton, JMLR 2008),
    exact and started from the principal components, so that it depends on the seed alone.

    Args:
        descriptors: float32 [16, N, D] per image sequence.
        seed: Seed of the sample and of t-SNE.

    Returns:
        `method` and `points`: of each `sequence`, `index`, `variants` (four names) and
        their places `x` and `y` within 0..1. Points with a descriptor that is not finite
        are left out; with too few or identical descriptors, or those of one dimension,
        there are no points.
    """
    chosen = _sample(descriptors, seed)
    empty: dict[str, Any] = {"method": "t-SNE", "points": []}
    if not chosen:
        return empty
    values = np.concatenate([descriptors[name][places, index] for name, index, places in chosen])
    views = len(chosen[0][2])
    spread = np.ptp(values, axis=0).max()
    if len(values) < _FEW or values.shape[1] < 2 or not spread > 0:
        return empty
    placed = _embed(values / spread, seed).reshape(len(chosen), views, 2)
    return {
        "method": "t-SNE",
        "points": [
            {
                "sequence": name,
                "index": index,
                "variants": [VARIANTS[place] for place in places],
                "x": rounded(placed[number, :, 0]),
                "y": rounded(placed[number, :, 1]),
            }
            for number, (name, index, places) in enumerate(chosen)
        ],
    }


def _sample(descriptors: Mapping[str, np.ndarray], seed: int) -> list[tuple[str, int, list[int]]]:
    """Returns name, point and variants of what is shown."""
    rng = np.random.default_rng([seed, 4])
    names = sorted(descriptors)
    shares = np.diff(np.linspace(0, _POINTS, len(names) + 1).round().astype(int))
    chosen = []
    for name, share in zip(names, shares.tolist(), strict=True):
        count = descriptors[name].shape[1]
        for index in np.sort(rng.choice(count, min(share, count), replace=False)).tolist():
            targets = rng.integers(1, TARGETS + 1, len(NOISES)).tolist()
            places = [0, *(variant_index(*pair) for pair in zip(NOISES, targets, strict=True))]
            if distances.finite_rows(descriptors[name][places, index]).all():
                chosen.append((name, index, places))
    return chosen


def _embed(values: np.ndarray, seed: int) -> np.ndarray:
    """Returns places float64 [n, 2] within 0..1."""
    from sklearn.manifold import TSNE  # a second that not every caller needs

    layout = TSNE(
        2,
        perplexity=min(_PERPLEXITY, (len(values) - 1) / 3),
        init="pca",
        method="exact",
        max_iter=_STEPS,
        random_state=seed,
        n_jobs=1,
    )
    placed = layout.fit_transform(values.astype(np.float64)).astype(np.float64)
    low, high = placed.min(axis=0), placed.max(axis=0)
    return (placed - low) / np.maximum(high - low, 1e-12)
