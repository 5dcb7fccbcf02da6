"""A descriptor small enough to be saved in a test: an 8x8 thumbnail, normalised."""

import json
from pathlib import Path

import tensorflow as tf

from trainer.data.records import PATCHES

IDENTITY = {"dimension": 64, "architecture": {"final_normalisation": "l2"}}


class Thumbnail(tf.Module):
    """The interface of an exported descriptor around 64 area means."""

    def __init__(self):
        super().__init__()
        self.gain = tf.Variable(1.0)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.uint8, name="patches")])
    def describe(self, patches):
        pixels = tf.cast(patches, tf.float32)[..., tf.newaxis]
        small = tf.reshape(tf.image.resize(pixels, (8, 8), "area"), (-1, 64))
        centred = small - tf.reduce_mean(small, axis=1, keepdims=True)
        return {"descriptors": self.gain * tf.math.l2_normalize(centred, axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="records")])
    def describe_records(self, records):
        parsed = tf.io.parse_example(records, {PATCHES: tf.io.FixedLenFeature([], tf.string)})
        pixels = tf.reshape(tf.io.decode_raw(parsed[PATCHES], tf.uint8), (-1, 65, 65))
        return {"descriptors": tf.reshape(self.describe(pixels)["descriptors"], (-1, 16, 64))}


def save(folder):
    """Writes the model as a SavedModel and returns its path."""
    module = Thumbnail()
    signatures = {
        "serving_default": module.describe,
        "serialized_records": module.describe_records,
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)
    extra = Path(folder, "assets.extra")
    extra.mkdir()
    (extra / "descriptor.json").write_text(json.dumps(IDENTITY))
    return str(folder)
