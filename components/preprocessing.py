"""The Transform step: what a record becomes before it is learned from."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trainer.data import records, resizing


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, Any]:
    """Decodes and shrinks the patches.

    Args:
        inputs: One batch of records (`trainer.data.records.feature_spec`), tensors of shape [B].
        custom_config: Only there so that `code_fingerprint` is part of the cache key.

    Returns:
        `patches`, float32 [B, 16, 32, 32]: whole grey values 0..255.
    """
    del custom_config
    serialized = tf.reshape(inputs[records.PATCHES], [-1])
    return {records.PATCHES: resizing.patches_from_bytes(serialized)}
