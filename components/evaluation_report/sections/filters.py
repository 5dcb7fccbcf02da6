"""The first layer's filters as a picture."""

from __future__ import annotations

import math
import posixpath
from typing import Any

import numpy as np
import tensorflow as tf

from components.evaluation_report import patch_album
from components.evaluation_report.material import Material, NotShownError

_PREFIX = "network/conv1_kernel"  # as `trainer.model.export` names the variables
_SCALE = 14  # a weight is drawn so many pixels wide
_GAP = 6
_PAPER = 255


def section(material: Material) -> dict[str, Any]:
    """Returns `picture` (a data URI), `count` and `size`.

    Raises:
        NotShownError: When the model has no variables of that name.
    """
    kernel = read_kernel(material.model)
    return {
        "picture": patch_album.data_uri(sheet(kernel)),
        "count": kernel.shape[-1],
        "size": f"{kernel.shape[0]} x {kernel.shape[1]}",
    }


def read_kernel(model: str) -> np.ndarray:
    """Reads the first convolution's kernel from a SavedModel, float32 [h, w, 1, filters].

    Raises:
        NotShownError: When there is none.
    """
    if not model:
        raise NotShownError("the model is not known")
    try:
        reader = tf.train.load_checkpoint(posixpath.join(model, "variables", "variables"))
    except (ValueError, tf.errors.OpError) as error:
        raise NotShownError("the model carries no variables") from error
    names = [name for name in reader.get_variable_to_shape_map() if name.startswith(_PREFIX)]
    if len(names) != 1:
        raise NotShownError("the model is of an architecture whose first layer is not known")
    return reader.get_tensor(names[0])


def sheet(kernel: np.ndarray) -> np.ndarray:
    """Lays filters out in a grid, each stretched to its own largest weight.

    Args:
        kernel: float32 [h, w, channels, filters]; channels are averaged.

    Returns:
        uint8 [H, W], middle grey for 0.
    """
    filters = np.nan_to_num(kernel.mean(axis=2)).transpose(2, 0, 1)
    largest = np.abs(filters).max(axis=(1, 2), keepdims=True)
    grey = np.rint(127.5 + 127.5 * filters / np.maximum(largest, 1e-12)).astype(np.uint8)
    large = grey.repeat(_SCALE, 1).repeat(_SCALE, 2)
    count, height, width = large.shape
    columns = min(count, 8)
    rows = math.ceil(count / columns)
    picture = np.full(
        (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP), _PAPER, np.uint8
    )
    for number, one in enumerate(large):
        top, left = number // columns * (height + _GAP), number % columns * (width + _GAP)
        picture[top : top + height, left : left + width] = one
    return picture
