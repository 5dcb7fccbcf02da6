"""The Transform step: what a record becomes before it is learned from."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from trainer.core.variants import PATCH_SIZE, VARIANTS
from trainer.data import image, records

CONTRAST_BUCKETS = 10


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, Any]:
    """Decodes and shrinks the patches, numbers the sequences and measures the data set.

    Args:
        inputs: One batch of records (`trainer.data.records.feature_spec`), tensors of shape [B].
        custom_config: Only there so that `code_fingerprint` is part of the cache key.

    Returns:
        `patches` float32 [B, 16, 32, 32] (whole grey values 0..255), `sequence_id` and
        `source_id` int64 [B] (place in the training vocabulary, -1 outside it), `index`
        int64 [B], `kind` string [B], `contrast_decile` int64 [B], and `pixel_mean` and
        `pixel_deviation` float32 [B], the training split's, the same in every row.
    """
    del custom_config
    pixels = tf.io.decode_raw(
        tf.reshape(inputs[records.PATCHES], [-1]), tf.uint8, fixed_length=records.PATCH_BYTES
    )
    pixels = tf.reshape(pixels, [-1, PATCH_SIZE, PATCH_SIZE])
    small = image.resize_area(pixels)
    small = tf.reshape(small, [-1, len(VARIANTS), image.INPUT_SIZE, image.INPUT_SIZE])

    # Means of means are exact here, because all patches have the same number of pixels.
    mean = tft.mean(tf.reduce_mean(small, axis=[1, 2, 3]))
    mean_square = tft.mean(tf.reduce_mean(tf.square(small), axis=[1, 2, 3]))
    deviation = tf.sqrt(tf.maximum(mean_square - tf.square(mean), 0.0))
    contrast = tf.reshape(inputs[records.CONTRAST], [-1])
    ones = tf.ones_like(contrast)
    return {
        "patches": small,
        "sequence_id": _number(inputs[records.SEQUENCE], "sequences"),
        "source_id": _number(inputs[records.SOURCE], "sources"),
        "index": tf.reshape(inputs[records.INDEX], [-1]),
        "kind": tf.reshape(inputs[records.KIND], [-1]),
        "contrast_decile": tft.bucketize(contrast, CONTRAST_BUCKETS),
        "pixel_mean": mean * ones,
        "pixel_deviation": deviation * ones,
    }


def _number(names: Any, vocabulary: str) -> Any:
    return tft.compute_and_apply_vocabulary(
        tf.reshape(names, [-1]), vocab_filename=vocabulary, default_value=-1
    )
