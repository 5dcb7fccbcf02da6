"""Whether descriptors tell which point they are of by something else than the patch.

A CSV that was written with its index, an identifier or the place of the point among the numbers,
or a code of the row in several of them: each would be matched without a look at any patch.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from trainer.core.errors import UserError

_ALIKE = 0.99  # least correlation of a column with the number of the row, or with itself elsewhere
_LEAST_ROWS = 20  # of fewer, chance makes such columns ...
_EXACTLY = 1 - 1e-9  # ... unless they count without any noise,
_LEAST_COUNTED = 5  # in so many rows
_DECIDES = 0.5  # share of the points that one column alone finds again
_FOLLOWS = 0.3  # share of the rows whose nearest is the row of that number in another sequence
_ROWS_COMPARED = 300


def refuse_columns(place: str, descriptors: np.ndarray) -> None:
    """Refuses a column that tells which point a row is of, as an index written along does.

    Args:
        place: Folder of the image sequence, for the message.
        descriptors: float32 [16, N, D].

    Raises:
        UserError: When a column is (nearly) the row number in most files, or alone finds most
            points again in most files, as hardly another column does.
    """
    count = descriptors.shape[1]
    if count < _LEAST_COUNTED:
        return
    many = count >= _LEAST_ROWS
    numbers = np.arange(count, dtype=np.float64)[:, None]
    correlations = [_correlation(values, numbers) for values in descriptors]
    counted = np.median(correlations, axis=0) > (_ALIKE if many else _EXACTLY)
    named = _naming(descriptors) if many else np.zeros_like(counted)
    for column in np.flatnonzero(counted | named):
        what = "is (nearly) the row number" if counted[column] else "names the points"
        raise UserError(
            f"{place}: column {column + 1} {what}, so that it alone would decide the nearest "
            f"neighbours; expected descriptors alone. Write the files without an index"
        )


def refuse_order(
    descriptors: Mapping[str, np.ndarray], scenes: Mapping[str, str], name: str
) -> None:
    """Refuses descriptors that follow the order of the rows.

    Rows of one number in image sequences of different scenes show different things. Where they
    are nearest to each other nevertheless, something tells the number of the row: a code of it in
    the numbers, or a model that looks at the place of a patch in its batch.

    Args:
        descriptors: float32 [16, N, D] by image sequence.
        scenes: Scene of each image sequence.
        name: What holds or makes them, for the message.

    Raises:
        UserError: When they do.
    """
    names = [key for key in sorted(descriptors) if descriptors[key].shape[1] >= _LEAST_ROWS]
    pairs = [(a, b) for a, b in pairwise(names) if scenes[a] != scenes[b]]
    if not pairs:
        return
    shares = [_share_of_same_row(descriptors[a][0], descriptors[b][0]) for a, b in pairs]
    if np.median(shares) > _FOLLOWS:
        first, second = pairs[int(np.argmax(shares))]
        raise UserError(
            f"{name}: descriptors follow the order of the rows: {max(shares):.0%} of those of "
            f"{first} are nearest to that of the same row in {second}, which shows another scene; "
            f"expected descriptors of the patches alone"
        )


def _naming(descriptors: np.ndarray) -> np.ndarray:
    """Returns which columns find most points again on their own; bool [D].

    Where most columns nearly do so, the patches differ by hardly anything, and only a column that
    is the same in all files is one.
    """
    reference = descriptors[0]
    fixed = (descriptors == descriptors[:1]).all(axis=(0, 1))
    same = np.median([_correlation(values, reference) for values in descriptors[1:]], axis=0)
    near = same > _ALIKE
    candidates = near if near.mean() < 0.5 else near & fixed
    naming = np.zeros_like(near)
    for column in np.flatnonzero(candidates):
        naming[column] = _found_again(descriptors[:, :, column]) > _DECIDES
    return naming


def _found_again(column: np.ndarray) -> float:
    """Share of the points whose values in other files are nearest to their own, median of 15.

    Args:
        column: float32 [16, N].
    """
    reference = column[0].astype(np.float64)
    values = np.unique(reference)
    if len(values) < len(reference) / 4:  # a class, not a name
        return 0.0
    between = (values[1:] + values[:-1]) / 2
    nearest = values[np.searchsorted(between, column[1:].astype(np.float64))]
    return float(np.median((nearest == reference).mean(axis=1)))


def _correlation(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns how columns correlate with others, regardless of the sign; float64 [D].

    Args:
        values: float32 [N, D].
        others: [N, D] or [N, 1].
    """
    with np.errstate(all="ignore"):  # constant columns, NaN and infinity, which count as 0
        first = values - values.mean(axis=0, dtype=np.float64)
        second = others - others.mean(axis=0, dtype=np.float64)
        lengths = np.linalg.norm(first, axis=0) * np.linalg.norm(second, axis=0)
        return np.nan_to_num(np.abs((first * second).sum(axis=0) / lengths))


def _share_of_same_row(first: np.ndarray, second: np.ndarray) -> float:
    """Share of the rows of one table nearest to the row of the same number of another one."""
    count = min(len(first), len(second), _ROWS_COMPARED)
    a, b = (values[:count].astype(np.float64) for values in (first, second))
    with np.errstate(all="ignore"):  # NaN and infinity, which are near to nothing
        squared = (b**2).sum(axis=1) - 2 * a @ b.T
        farther = squared > np.diag(squared)[:, None]
    return float(np.mean(farther.sum(axis=1) == count - 1))
