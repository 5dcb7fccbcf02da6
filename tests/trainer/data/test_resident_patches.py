"""Patches in the memory of the devices that train."""

import numpy as np
import tensorflow as tf

from tests.support.synthetic import START, packed
from trainer.data import resident_patches
from trainer.data.batches import Sampler
from trainer.data.resident_patches import ResidentPatches

_DATA = packed([20, 20], [0, 1])


def test_a_device_gathers_what_the_host_would_send():
    resident = ResidentPatches(_DATA, tf.distribute.OneDeviceStrategy("/cpu:0"))
    sent, rows = (Sampler(_DATA, 8, 3, ("e", "h", "t"), START) for _ in range(2))
    for _ in range(6):  # more than an epoch
        patches = resident.gather(tf.constant(rows.rows()))
        assert patches.dtype == tf.uint8
        np.testing.assert_array_equal(patches, next(sent))


def test_an_eighth_of_a_devices_memory_may_hold_them():
    size = 40 * 16 * 32 * 32
    assert resident_patches.fit(_DATA, 8 * size)
    assert not resident_patches.fit(_DATA, 8 * size - 1)
