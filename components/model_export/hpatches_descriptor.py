"""A patch descriptor for PyTorch: this file, and a safetensors file of the same name beside it.

    from hpatches_descriptor import HPatchesDescriptor
    descriptors = HPatchesDescriptor()(patches)          # [B, 1, h, w] -> float32 [B, D]

Patches are grey, float in 0..1 or uint8 in 0..255, of any size that is square; they are resized
to 32 pixels by area, and normalised, inside. In kornia:

    describe = kornia.feature.LAFDescriptor(HPatchesDescriptor(), patch_size=32)
    descriptors = describe(image, lafs)                  # image [B, 1, H, W] in 0..1

`HPatchesDescriptor().identity["patch"]` says what a patch has to show. Its half side is
`measurement_region` times sigma, and sigma is the size of an OpenCV keypoint divided by
`keypoint_size_per_sigma`; that half side is the scale of kornia's local affine frames (LAFs), and
minus the keypoint's angle their orientation. The photograph is blurred to `smoothing` times sigma
before. `identity` also says what the model was trained on.

Needs torch and safetensors.
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

WEIGHTS = Path(__file__).with_suffix(".safetensors")
SIDE = 32  # pixels of the network's input


class HPatchesDescriptor(nn.Module):
    """Convolutions with their batch norms folded in, and a projection of the last map.

    Args:
        weights: The safetensors file.

    Attributes:
        identity: What the model says of itself (the file's metadata `descriptor`).
        dimension: Numbers of a descriptor.
    """

    def __init__(self, weights: str | Path = WEIGHTS) -> None:
        super().__init__()
        with safe_open(str(weights), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self.identity = json.loads(file.metadata()["descriptor"])
            strides = json.loads(file.metadata()["strides"])
        architecture = self.identity["architecture"]
        self.unit_length = architecture["final_normalisation"].endswith("l2")
        self.normalisation = self.identity["preprocessing"]["normalisation"]
        layers = []
        for number, stride in enumerate(strides):
            outputs, inputs, kernel, _ = tensors[f"convolutions.{number}.weight"].shape
            layers.append(nn.Conv2d(inputs, outputs, kernel, stride))
        self.convolutions = nn.ModuleList(layers)
        self.dimension, inputs, last, _ = tensors["projection.weight"].shape
        self.projection = nn.Conv2d(inputs, self.dimension, last)
        self.load_state_dict(tensors)
        self.eval()

    def forward(self, patches: Tensor) -> Tensor:
        """Describes patches.

        Args:
            patches: Grey, [B, 1, h, h], uint8 in 0..255 or floating point in 0..1.

        Returns:
            float32 [B, dimension], of length 1 where the model was trained so.
        """
        values = self._normalised(self._resized(patches))
        for convolution in self.convolutions:
            before, after = self._padding(values.shape[-1], convolution)
            values = functional.pad(values, (before, after, before, after))
            values = functional.relu(convolution(values))
        descriptors = self.projection(values).flatten(1)
        if not self.unit_length:
            return descriptors
        squared = descriptors.square().sum(1, keepdim=True)
        return descriptors * torch.rsqrt(squared.clamp_min(1e-12))

    @staticmethod
    def _padding(side: int, convolution: nn.Conv2d) -> tuple[int, int]:
        """Zeros before and after a side, as TensorFlow pads: an odd one after it."""
        stride, kernel = convolution.stride[0], convolution.kernel_size[0]
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        return total // 2, total - total // 2

    @staticmethod
    def _resized(patches: Tensor) -> Tensor:
        """Returns grey levels 0..255 of 32 x 32 pixels; uint8 is rounded as in training."""
        whole = patches.dtype == torch.uint8
        values = patches.float() if whole else patches.float() * 255
        size = values.shape[-1]
        if size != SIDE:
            # Overlap of input and output pixels, in units of 1/32 input pixel.
            pixel = torch.arange(size, device=values.device)[:, None] * SIDE
            cell = torch.arange(SIDE, device=values.device)[None, :] * size
            overlap = torch.minimum(pixel + SIDE, cell + size) - torch.maximum(pixel, cell)
            overlap = overlap.clamp_min(0).float()
            values = overlap.T @ values @ overlap / size**2
        return values.round() if whole else values

    def _normalised(self, values: Tensor) -> Tensor:
        how = self.normalisation
        if how["kind"] == "dataset":
            return (values - how["mean"]) / how["deviation"]
        centred = values - values.mean((2, 3), keepdim=True)
        variance = centred.square().mean((2, 3), keepdim=True)
        return centred * torch.rsqrt(variance.clamp_min(how["floor"] ** 2))
