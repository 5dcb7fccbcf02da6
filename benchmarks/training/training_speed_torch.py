"""The training step in PyTorch with pytorch-metric-learning: a worker of `training_speed`.

Runs in `.venv-bench` and imports nothing of this project but `benchmarks.harness.timing`. The
layers, the settings and the numbers are ours; the code is what the libraries recommend:
`BatchHardMiner` and `TripletMarginLoss` on Euclidean distances, channels last in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np
import torch
from pytorch_metric_learning import distances, losses, miners, reducers

from benchmarks.harness.timing import Job, Part, serve

_CONVOLUTIONS = ((32, 1), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1))
_DIMENSION = 128


def network(width: float) -> torch.nn.Sequential:
    """Returns the network: patches [N, 1, 32, 32] to embeddings [N, 128] before the L2 norm."""
    layers: list[torch.nn.Module] = []
    before = 1
    for full, stride in _CONVOLUTIONS:
        channels = max(1, round(full * width))
        layers += [
            torch.nn.Conv2d(before, channels, 3, stride, padding=1, bias=False),
            torch.nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1, affine=False),
            torch.nn.ReLU(inplace=True),
        ]
        before = channels
    layers += [
        torch.nn.Conv2d(before, _DIMENSION, 8, bias=False),
        torch.nn.Flatten(),
        torch.nn.BatchNorm1d(_DIMENSION, eps=1e-5, momentum=0.1, affine=False),
    ]
    return torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)


class Training:
    """Network, loss and optimizer of a job.

    Args:
        job: What to train.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._network = network(job.width)
        self._load(job.weights)
        # Adam's epsilon is TensorFlow's default.
        self._optimizer = torch.optim.Adam(self._network.parameters(), 1e-3, eps=1e-7)
        distance = distances.LpDistance(normalize_embeddings=False, p=2)
        self._miner = miners.BatchHardMiner(distance=distance)
        self._loss = losses.TripletMarginLoss(
            margin=1.0, distance=distance, reducer=reducers.MeanReducer()
        )
        self._labels = torch.arange(job.batch) // job.patches_per_point
        # Half a turn makes our padding of even sizes, which is at the end, PyTorch's.
        self._batches = torch.from_numpy(np.load(job.batches)[:, :, ::-1, ::-1].copy())
        self._taken = 0

    def steps(self, count: int) -> list[float]:
        """Takes steps and returns their losses."""
        losses = []
        for _ in range(count):
            patches = self._batches[self._taken % len(self._batches)]
            self._taken += 1
            losses.append(self._step(patches))
        return [float(loss) for loss in losses]

    def _step(self, patches: torch.Tensor) -> torch.Tensor:
        if self._job.augment:
            patches = _flip_and_turn(patches, self._job.patches_per_point)
        embeddings = self._network(_normalise(patches))
        embeddings = torch.nn.functional.normalize(embeddings, eps=1e-6)
        loss = self._loss(embeddings, self._labels, self._miner(embeddings, self._labels))
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return loss.detach()

    def _load(self, path: str) -> None:
        """Takes our weights, turned by half a turn like the patches."""
        kernels = list(np.load(path).values())
        layers = [layer for layer in self._network if isinstance(layer, torch.nn.Conv2d)]
        with torch.no_grad():
            for layer, kernel in zip(layers, kernels, strict=True):
                turned = kernel[::-1, ::-1].transpose(3, 2, 0, 1).copy()
                layer.weight.copy_(torch.from_numpy(turned))


def _flip_and_turn(patches: torch.Tensor, patches_per_point: int) -> torch.Tensor:
    grouped = patches.view(-1, patches_per_point, *patches.shape[1:])
    flip, flop, turn = torch.randint(0, 2, (3, len(grouped), 1, 1, 1)).bool()
    grouped = torch.where(flip, grouped.flip(3), grouped)
    grouped = torch.where(flop, grouped.flip(2), grouped)
    grouped = torch.where(turn, grouped.transpose(2, 3), grouped)
    return grouped.reshape(patches.shape)


def _normalise(patches: torch.Tensor) -> torch.Tensor:
    values = patches.float().unsqueeze(1)
    centred = values - values.mean((2, 3), keepdim=True)
    variance = centred.square().mean((2, 3), keepdim=True)
    values = centred * torch.rsqrt(variance.clamp(min=1.0))
    return values.contiguous(memory_format=torch.channels_last)


def _prepare(job: Job) -> Mapping[str, Part]:
    return {"step": Training(job).steps}


def main() -> None:
    """Serves on as many threads as the first argument says."""
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(0)
    serve(_prepare)


if __name__ == "__main__":
    main()
