"""The network as a TFLite file: float32, float16, or int8 calibrated on patches."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from components.model_export.graph import Graph
from components.model_export.network import Network
from trainer.model.names import IDENTITY_NAME

Precision = Literal["float32", "float16", "int8"]
# What stays in float32: grey levels are 8 bits already, whose mean and deviation 8 bits do not
# hold, and the last division would round descriptors to 1/128.
_NOT_QUANTISED = [
    "MEAN", "SUB", "MUL", "DIV", "RSQRT", "SQUARE", "MAXIMUM", "ROUND", "SUM", "FULLY_CONNECTED",
    "TRANSPOSE", "RESHAPE", "L2_NORMALIZATION",
]  # fmt: skip


def build(network: Network, size: int, precision: Precision, calibration: np.ndarray) -> bytes:
    """Returns the content of the TFLite file, without metadata.

    Args:
        network: What it computes, from uint8 `patches` [N, size, size] to float32
            `descriptors` [N, D].
        size: Pixels on a side of a patch.
        precision: Of the weights; `int8` computes the convolutions in int8 as well.
        calibration: uint8 [M, size, size], patches whose range of values fixes the steps of
            int8; not used otherwise.
    """
    graph = Graph(network, size)
    function = graph.describe.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], graph)
    if precision == "float32":
        return converter.convert()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
        return converter.convert()

    def one_by_one() -> Any:
        return ([patch[np.newaxis]] for patch in calibration)

    converter.representative_dataset = one_by_one
    # TensorFlow offers the choice of operations through its debugger alone.
    chosen = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=_NOT_QUANTISED)
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=one_by_one, debug_options=chosen
    )
    return debugger.get_nondebug_quantized_model()


def with_metadata(content: bytes, metadata: dict[str, Any]) -> bytes:
    """Returns the file with what it says of itself: `descriptor.json` in a ZIP archive behind it.

    So TFLite's own metadata library packs files; interpreters pass over what follows a model.
    """
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        entry = zipfile.ZipInfo(IDENTITY_NAME)  # dated 1980: the same model has the same bytes
        archive.writestr(entry, json.dumps(metadata, indent=1, sort_keys=True))
    return file.getvalue()
