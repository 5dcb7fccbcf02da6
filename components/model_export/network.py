"""The network of a SavedModel as plain arrays, with its batch norms folded in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from components.core import files
from components.descriptor_evaluator.descriptors import saved_model
from trainer.core.config import ModelConfig
from trainer.core.errors import UserError
from trainer.core.validation_messages import first_problem
from trainer.core.variants import INPUT_SIZE
from trainer.model.names import IDENTITY_FILE


@dataclass(frozen=True)
class Convolution:
    """A convolution whose output is as large as its input over the stride, and a ReLU.

    Attributes:
        kernel: float32 [k, k, channels in, channels out].
        bias: float32 [channels out].
        stride: Pixels from one output to the next.
        padding: Rows (and columns) of zeros before the first and after the last; TensorFlow
            puts an odd one after the last.
    """

    kernel: np.ndarray
    bias: np.ndarray
    stride: int
    padding: tuple[int, int]


@dataclass(frozen=True)
class Network:
    """From grey levels of 32 x 32 pixels to descriptors.

    Attributes:
        identity: What the SavedModel says of itself.
        normalisation: Grey levels to input: `kind`, `mean`, `deviation` and `floor` as
            `trainer.data.image.Normalisation` has them.
        convolutions: In order.
        projection: float32 [h, h, channels, D], applied to the whole last map.
        bias: float32 [D], added to its products.
        unit_length: Whether descriptors are divided by their length.
    """

    identity: dict[str, Any]
    normalisation: Any
    convolutions: tuple[Convolution, ...]
    projection: np.ndarray
    bias: np.ndarray
    unit_length: bool

    @property
    def dimension(self) -> int:
        """Numbers of a descriptor."""
        return len(self.bias)


def load(path: str) -> Network:
    """Reads the network of a SavedModel that this project has trained.

    Args:
        path: Folder of the SavedModel, local or `gs://`.

    Raises:
        UserError: When there is none, or it is not one of this project or of this version.
    """
    saved_model.check_folder(path)
    identity = saved_model.read_identity(path)
    if identity is None:
        raise UserError(
            f"{path}: does not say what it is ({IDENTITY_FILE} is missing), expected a SavedModel "
            f"that this project has trained"
        )
    # TensorFlow, ten seconds: what can be refused without it has been.
    from trainer.data.image import Normalisation
    from trainer.model import export, l2net

    place = files.join(path, IDENTITY_FILE)
    try:
        # `name` alone says it in models of earlier versions.
        architecture = dict(identity["architecture"])
        architecture.setdefault("network", architecture.pop("name", None))
        architecture.pop("name", None)
        config = ModelConfig.model_validate(architecture)
        normalisation = Normalisation.model_validate(identity["preprocessing"]["normalisation"])
    except (KeyError, TypeError, ValueError) as error:
        told = first_problem(error) if isinstance(error, ValidationError) else f"{error} is missing"
        raise UserError(
            f"{place}: does not describe a network of this version ({told}); use the version that "
            f"trained the model"
        ) from error
    network = l2net.build(config, seed=0)
    export.load_weights(network, path)
    layers = {layer.name: layer for layer in network.layers}
    convolutions = []
    side = INPUT_SIZE
    for number, layer in enumerate(l2net.CONVOLUTIONS[config.network], start=1):
        kernel, bias = _folded(layers, f"conv{number}", f"norm{number}", l2net)
        padding = _padding(side, len(kernel), layer.stride)
        convolutions.append(Convolution(kernel, bias, layer.stride, padding))
        side = -(-side // layer.stride)
    projection, bias = _folded(layers, f"conv{len(convolutions) + 1}", "final_norm", l2net)
    unit_length = l2net.on_unit_sphere(config.final_normalisation)
    return Network(identity, normalisation, tuple(convolutions), projection, bias, unit_length)


def _padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Returns TensorFlow's padding `same` of a side: zeros before and after it."""
    outputs = -(-side // stride)
    total = max((outputs - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def _folded(
    layers: dict[str, Any], convolution: str, norm: str, l2net: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Returns a convolution's kernel and bias, float32, with its batch norm (if any) inside."""
    kernel = layers[convolution].kernel.numpy().astype(np.float64)
    if norm not in layers:
        return kernel.astype(np.float32), np.zeros(kernel.shape[-1], np.float32)
    mean = layers[norm].moving_mean.numpy().astype(np.float64)
    variance = layers[norm].moving_variance.numpy().astype(np.float64)
    scale = 1 / np.sqrt(variance + l2net.BATCH_NORM_EPSILON)
    return (kernel * scale).astype(np.float32), (-mean * scale).astype(np.float32)
