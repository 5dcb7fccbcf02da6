"""The network as an ONNX file that onnxruntime and OpenCV's DNN module run.

Operations and opset are those that OpenCV's importer knows: no shape is computed in the graph,
reductions have their axes as attributes, and a stride pads in an operation of its own, as
OpenCV refuses convolutions that pad on one side.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, checker, helper, numpy_helper

from components.core.area_resize import overlaps
from components.descriptor_evaluator.descriptors.exported import METADATA
from components.model_export.network import Network
from trainer.core.variants import INPUT_SIZE
from trainer.model.names import LEAST_SQUARED_NORM, OUTPUT, PATCHES_INPUT

OPSET = 11
_IR_VERSION = 7


def build(network: Network, size: int) -> bytes:
    """Returns the content of the ONNX file, without metadata.

    Args:
        network: What it computes, from uint8 `patches` [N, size, size] to float32
            `descriptors` [N, D].
        size: Pixels on a side of a patch.
    """
    graph = _Graph()
    values = graph.add("Cast", PATCHES_INPUT, to=TensorProto.FLOAT)
    if size != INPUT_SIZE:
        values = _resized(graph, values, size)
    # Not Unsqueeze, which OpenCV applies to the batch it assumed when it read the file.
    shape = np.array([-1, 1, INPUT_SIZE, INPUT_SIZE], np.int64)
    values = graph.add("Reshape", values, graph.constant(shape))
    values = _normalised(graph, values, network)
    for convolution in network.convolutions:
        before, after = convolution.padding
        if before != after:
            pads = np.array([0, 0, before, before, 0, 0, after, after], np.int64)
            values = graph.add("Pad", values, graph.constant(pads))
            before = after = 0
        values = graph.add(
            "Conv",
            values,
            graph.constant(convolution.kernel.transpose(3, 2, 0, 1)),
            graph.constant(convolution.bias),
            kernel_shape=list(convolution.kernel.shape[:2]),
            strides=[convolution.stride] * 2,
            pads=[before, before, after, after],
        )
        values = graph.add("Relu", values)
    side = network.projection.shape[0]
    values = graph.add(
        "Conv",
        values,
        graph.constant(network.projection.transpose(3, 2, 0, 1)),
        graph.constant(network.bias),
        kernel_shape=[side, side],
    )
    values = graph.add("Flatten", values, axis=1)
    if network.unit_length:
        squared = graph.add("ReduceSumSquare", values, axes=[1], keepdims=1)
        least = graph.add("Max", squared, graph.number(LEAST_SQUARED_NORM))
        values = graph.add("Div", values, graph.add("Sqrt", least))
    graph.add("Identity", values, output=OUTPUT)
    return _file(graph, network.dimension, size)


def with_metadata(content: bytes, metadata: dict[str, Any]) -> bytes:
    """Returns the file with what it says of itself, as JSON under the key `descriptor`."""
    model = onnx.load_from_string(content)
    helper.set_model_props(model, {METADATA: json.dumps(metadata, sort_keys=True)})
    return model.SerializeToString()


def _resized(graph: _Graph, values: str, size: int) -> str:
    """Resizes [N, size, size] by area to [N, 32, 32], rounding as the SavedModel does.

    The sums are whole numbers below 2^24, so exact in float32.
    """
    matrix = graph.constant(overlaps(size, INPUT_SIZE))
    for _ in range(2):  # columns, then what were rows
        values = graph.add("MatMul", values, matrix)
        values = graph.add("Transpose", values, perm=[0, 2, 1])
    return graph.add("Round", graph.add("Div", values, graph.number(size * size)))


def _normalised(graph: _Graph, values: str, network: Network) -> str:
    how = network.normalisation
    if how.kind == "dataset":
        centred = graph.add("Sub", values, graph.number(how.mean))
        return graph.add("Div", centred, graph.number(how.deviation))
    mean = graph.add("ReduceMean", values, axes=[2, 3], keepdims=1)
    centred = graph.add("Sub", values, mean)
    squares = graph.add("Mul", centred, centred)
    variance = graph.add("ReduceMean", squares, axes=[2, 3], keepdims=1)
    least = graph.add("Max", variance, graph.number(how.floor**2))
    return graph.add("Div", centred, graph.add("Sqrt", least))


def _file(graph: _Graph, dimension: int, size: int) -> bytes:
    given = helper.make_tensor_value_info(PATCHES_INPUT, TensorProto.UINT8, ["N", size, size])
    gives = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", dimension])
    body = helper.make_graph(graph.nodes, "descriptor", [given], [gives], graph.constants)
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="hpatches"
    )
    model.ir_version = _IR_VERSION
    checker.check_model(model, full_check=True)
    return model.SerializeToString()


class _Graph:
    """Nodes in order, and the arrays that they use."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array: np.ndarray) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def number(self, value: float) -> str:
        return self.constant(np.array([value], np.float32))

    def add(self, operation: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{operation.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [name], name, **attributes))
        return name


def with_opencv(content: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what describes with OpenCV's DNN module, uint8 [N, size, size] to float32 [N, D]."""
    import cv2

    network = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))

    def describe(patches: np.ndarray) -> np.ndarray:
        network.setInput(patches)
        return network.forward().copy()

    return describe
