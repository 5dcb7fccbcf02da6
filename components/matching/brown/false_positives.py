"""FPR95: how many different points pass for the same one where 95 % of the same ones do."""

from __future__ import annotations

import numpy as np

_RECALL = 95  # per cent


def false_positive_rate(distances: np.ndarray, match: np.ndarray) -> float:
    """Returns the share of non-matching pairs that are as near as 95 % of the matching ones.

    The threshold is the smallest distance that at least 95 % of the matching pairs are within;
    non-matching pairs exactly at it count as false positives, so that equal descriptors gain
    nothing.

    Args:
        distances: float [P]; NaN and infinity are never within a threshold, but where fewer
            than 95 % of the matching pairs have a distance, all other pairs pass.
        match: bool [P].

    Returns:
        0..1.

    Raises:
        ValueError: When there is no matching or no other pair.

    Source: Brown, Hua and Winder, PAMI 2011, section 4 (error rate at 95 % recall).

    Example:
        Twenty matches at 1..20: nineteen lie within 19, and so do two of four other pairs.

        >>> values = np.concatenate([np.arange(1.0, 21.0), [5.0, 19.0, 19.5, 30.0]])
        >>> false_positive_rate(values, np.arange(24) < 20)
        0.5
    """
    if match.all() or not match.any():
        raise ValueError("expected pairs of both kinds")
    known = np.where(np.isfinite(distances), distances, np.inf)
    same, different = np.sort(known[match]), known[~match]
    needed = -(-_RECALL * len(same) // 100)  # rounded up, in integers
    return float((different <= same[needed - 1]).mean())
