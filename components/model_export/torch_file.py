"""The network for PyTorch: weights as safetensors, and one file of code that runs them."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import numpy as safetensors

from components.model_export.network import Network

_MODULE = Path(__file__).with_name("hpatches_descriptor.py")  # is not imported: needs PyTorch
METADATA, STRIDES = "descriptor", "strides"


def module() -> bytes:
    """Returns the file of code: it reads the safetensors file of its own name beside it."""
    return _MODULE.read_bytes()


def weights(network: Network, metadata: dict[str, Any]) -> bytes:
    """Returns the safetensors file, named as the module's state is.

    Args:
        network: Its convolutions have kernels [out, in, h, w] there.
        metadata: What the file says of itself, as JSON under the key `descriptor`; the
            convolutions' strides are under `strides`.
    """
    tensors: dict[str, np.ndarray] = {}
    for number, convolution in enumerate(network.convolutions):
        tensors[f"convolutions.{number}.weight"] = _transposed(convolution.kernel)
        tensors[f"convolutions.{number}.bias"] = convolution.bias
    tensors["projection.weight"] = _transposed(network.projection)
    tensors["projection.bias"] = network.bias
    strides = json.dumps([convolution.stride for convolution in network.convolutions])
    told = {METADATA: json.dumps(metadata, sort_keys=True), STRIDES: strides}
    return safetensors.save(tensors, told)


def in_pytorch(content: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what describes with the exported code: uint8 [N, h, h] to float32 [N, D].

    Args:
        content: The safetensors file.

    Raises:
        ModuleNotFoundError: When PyTorch is not installed.
    """
    import torch

    with tempfile.TemporaryDirectory(prefix="hpatches-export-") as folder:
        (Path(folder) / "weights.safetensors").write_bytes(content)
        spec = importlib.util.spec_from_file_location(_MODULE.stem, _MODULE)
        assert spec is not None and spec.loader is not None
        code = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(code)
        descriptor = code.HPatchesDescriptor(Path(folder) / "weights.safetensors")

    def describe(patches: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return descriptor(torch.from_numpy(patches[:, None])).numpy()

    return describe


def in_tensorflow(content: bytes, network: Network, size: int) -> Callable[[np.ndarray], Any]:
    """Returns what describes with the exported weights, where there is no PyTorch.

    Args:
        content: The safetensors file.
        network: Where its normalisation and ending are taken from.
        size: Pixels on a side of a patch.
    """
    from components.model_export.graph import Graph

    tensors = safetensors.load(content)
    stored = replace(
        network,
        convolutions=tuple(
            replace(
                convolution,
                kernel=tensors[f"convolutions.{number}.weight"].transpose(2, 3, 1, 0),
                bias=tensors[f"convolutions.{number}.bias"],
            )
            for number, convolution in enumerate(network.convolutions)
        ),
        projection=tensors["projection.weight"].transpose(2, 3, 1, 0),
        bias=tensors["projection.bias"],
    )
    graph = Graph(stored, size)
    return lambda patches: graph.describe(patches)["descriptors"].numpy()


def _transposed(kernel: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
