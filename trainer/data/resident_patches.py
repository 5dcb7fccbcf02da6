"""Patches that lie in the memory of a TPU, which gathers its batches itself.

A step of a TPU takes a few milliseconds, about as long as one thread of the host needs to copy its
batch together. Where the patches fit, they are therefore sent once, and each step gets
four bytes a patch: its row.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from trainer.data.packing import PackedPatches

_MOST_SHARE = 1 / 8  # of a device's memory; the rest is for the network's feature maps


def fit(data: PackedPatches, memory: int) -> bool:
    """Tells whether patches may lie in a device of so many bytes."""
    return data.patches.nbytes <= _MOST_SHARE * memory


class ResidentPatches:
    """All patches of a split, a copy in the memory of each device of a strategy.

    Args:
        data: The split; read whole.
        placement: Strategy whose devices hold them.
    """

    def __init__(self, data: PackedPatches, placement: tf.distribute.Strategy) -> None:
        self._shape = data.patches.shape[2:]
        # A row a patch: of [N, 32, 32] the compiler for TPUs puts N into the lanes, and gathering
        # 2,048 patches reads and writes 1,093 MB in place of 46 (docs/cloud.md).
        flat = np.asarray(data.patches).reshape(-1, int(np.prod(self._shape)))
        with placement.scope():
            self._pixels = tf.Variable(flat, trainable=False, name="patches")

    def gather(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns the patches uint8 [A, 32, 32] of rows int32 [A], in a replica."""
        return tf.reshape(tf.gather(self._pixels, rows), [-1, *self._shape])
