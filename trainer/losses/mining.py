"""What every way of mining triplets shares: their form, tiles of rows, gradients.

Mining only chooses, and is not differentiated; the distances to what was chosen are
computed anew from the differences, exactly where the matrix product is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

LARGEST_TILE = 2**23  # distances in memory at a time


class Triplets(NamedTuple):
    """The descriptors of the mined triplets, float32 [T, D] each, differentiable.

    Attributes:
        anchor: Descriptors of the anchors.
        positive: Descriptors of the same points as the anchors'.
        pivot: The one of the two that the negative is near to: the anchor, or, after an
            anchor swap, the positive.
        negative: Descriptors of other points.
    """

    anchor: tf.Tensor
    positive: tf.Tensor
    pivot: tf.Tensor
    negative: tf.Tensor


def by_tiles(
    choose: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    rows: tf.Tensor,
    total: int,
    offset: tf.Tensor | int,
    spec: tf.TensorSpec,
) -> tf.Tensor:
    """Chooses for every row, for a tile of rows at a time where all would not fit in memory.

    Args:
        choose: From a tile [R, D] and the number of its first row to what is chosen for its
            rows, of shape [R, ...].
        rows: [A, D], static.
        total: Distances that each row takes.
        offset: Number of the first row.
        spec: Shape without the rows, and type, of what is chosen.

    Returns:
        [A, ...].
    """
    count = rows.shape[0]
    tile = tile_rows(count, total)
    if tile == count:
        return choose(rows, tf.convert_to_tensor(offset))
    tiles = tf.reshape(rows, [-1, tile, rows.shape[-1]])
    starts = offset + tf.range(0, count, tile)
    signature = tf.TensorSpec([tile, *spec.shape], spec.dtype)
    chosen = tf.map_fn(
        lambda part: choose(*part),
        (tiles, starts),
        fn_output_signature=signature,
        parallel_iterations=1,
    )
    return tf.reshape(chosen, [count, *spec.shape])


def tile_rows(count: int, total: int) -> int:
    """Returns the most rows, a divisor of `count`, whose distances fit in a tile."""
    tiles = 1
    while count % tiles or count // tiles * total > LARGEST_TILE:
        tiles += 1
        if tiles >= count:
            return 1
    return count // tiles


def rows_of(values: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Gathers rows; the sparse gradient becomes dense, as collectives need it."""
    return tf.gather(_with_dense_gradient(values), rows)


@tf.custom_gradient
def _with_dense_gradient(values: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
    return tf.identity(values), tf.convert_to_tensor
