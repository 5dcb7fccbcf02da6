"""The training step beside the same network in PyTorch with pytorch-metric-learning.

Both sides run in processes of their own on the same batches with as many threads, in turns
of about a second, so that what else the machine does slows both alike. PyTorch gets what is
best for it: channels last in memory, an allocator that keeps large blocks instead of
returning them to the system at every step (`MALLOC_*`, 1.3-1.5 times as fast), and threads
that sleep while they wait (`OMP_WAIT_POLICY`; spinning costs several times that where other
processes want the processor). Ours runs as users get it.

A third process trains as ours with oneDNN's kernels off, which is what TensorFlow itself would
do on a processor without AVX-512 VNNI (`trainer.cpu_kernels`). `ONEDNN_MAX_CPU_ISA=AVX2` makes
a processor with AVX-512 one without, for all of them. On a processor that multiplies in bfloat16 a
fourth one trains as ours with `training.bfloat16`.

PyTorch is needed for this alone: `make bench-env` installs it apart.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from rich.table import Table

from benchmarks.harness.timing import ROOT, Job, Spread, Timing, Worker, ratios
from benchmarks.training import training_data
from trainer import cpu_kernels
from trainer.core.config import ModelConfig, StageConfig, TrainerConfig
from trainer.core.variants import INPUT_SIZE
from trainer.model.l2net import CONVOLUTIONS

WIDTHS, BATCHES, PATCHES_PER_POINT = (0.25, 0.5, 1.0), (256, 512, 1024), 4
BATCH_ON_TWO_THREADS = BATCH_BESIDE_OTHERS = 512
ROUNDS = 5
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
_BLOCK_PATCHES = {0.25: 3072, 0.5: 1024, 1.0: 512}  # about a second, by width
_BEST_FOR_TORCH = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    "OMP_WAIT_POLICY": "PASSIVE",
}
_OURS = "benchmarks.training.training_speed_ours"
_SAME_STEPS = 3
_LOSS_REPEATS = 20
_VERSION = re.compile(r"info,oneDNN (v[\d.]+)")
_ISA = re.compile(r"info,cpu,isa:(.+)")
_CONVOLUTION = re.compile(r"exec,cpu,convolution,([^,]+),")


@dataclass(frozen=True)
class Sides:
    """The worker processes.

    Attributes:
        ours: The training step as users get it.
        eigen: The same without oneDNN.
        bfloat16: The same in bfloat16; None where the processor does not have it.
        torch: PyTorch's step; None without PyTorch.
    """

    ours: Worker
    eigen: Worker
    bfloat16: Worker | None
    torch: Worker | None


@dataclass(frozen=True)
class Measured:
    """One size on one number of threads.

    Attributes:
        threads: Number of threads of each side.
        job: The size.
        patches: In a block of steps.
        ours: The blocks of our step.
        torch: The blocks of PyTorch's, in turn with ours; empty without it.
        eigen: The blocks of ours without oneDNN, in turn too; empty where not measured.
        bfloat16: The blocks of ours in bfloat16, in turn too; empty where not measured.
        without_loss: The blocks of forward, backward and update alone, in turn too.
        loss: Mining, loss and its gradient alone: share of the CPU time of our step.
        kinds: Share of each kind of operation in our step; empty where not profiled.
    """

    threads: int
    job: Job
    patches: int
    ours: list[Timing]
    torch: list[Timing]
    eigen: list[Timing]
    bfloat16: list[Timing]
    without_loss: list[Timing]
    loss: float | None
    kinds: dict[str, float]


def run(work: str) -> Table:
    """Returns patches a second of both sides and their ratio, with what bounds ours."""
    measured: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        with _sides(1) as sides:
            notes = [onednn_kernels(_log_of_a_step(folder)), _same_losses(sides, folder)]
            for width, batch in itertools.product(WIDTHS, BATCHES):
                measured.append(_measure(sides, 1, _job(folder, width, batch)))
            peak = _peak(sides.ours)
        with _sides(2) as sides:
            for width in WIDTHS:
                measured.append(_measure(sides, 2, _job(folder, width, BATCH_ON_TWO_THREADS)))
    loop = _loop(training_data.demo_examples(work))
    return _table(measured, peak, [*notes, *_shares(measured), loop])


def training_operations(width: float) -> float:
    """Floating-point operations that the convolutions need per patch and step.

    Twice the multiplications forward, for the gradient of the kernels and, but for the first
    layer, for that of the input.
    """
    side, before, total = INPUT_SIZE, 1, 0.0
    for number, layer in enumerate(CONVOLUTIONS["l2net"]):
        side, filters = side // layer.stride, layer.filters(width)
        products = 9.0 * before * filters * side**2
        total += 2 * products * (3 if number else 2)
        before = filters
    return total + 6.0 * side**2 * before * ModelConfig().dimension


def block_steps(width: float, batch: int) -> int:
    """Returns the steps of a block, which takes about a second."""
    return max(1, math.ceil(_BLOCK_PATCHES[width] / batch))


def has_bfloat16(flags: Collection[str]) -> bool:
    """Tells whether a processor multiplies in bfloat16.

    Args:
        flags: Extensions of the processor by Linux's names (`trainer.cpu_kernels.cpu_flags`).
    """
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)


@contextlib.contextmanager
def _sides(threads: int) -> Iterator[Sides]:
    with contextlib.ExitStack() as stack:
        ours = Worker(sys.executable, _OURS, threads, {})
        eigen = Worker(sys.executable, _OURS, threads, {cpu_kernels.VARIABLE: "0"})
        bfloat16 = torch = None
        stack.enter_context(ours)
        stack.enter_context(eigen)
        if has_bfloat16(cpu_kernels.cpu_flags()):
            bfloat16 = stack.enter_context(Worker(sys.executable, _OURS, threads, {}))
        if PYTHON.exists():
            torch = Worker(
                str(PYTHON), "benchmarks.training.training_speed_torch", threads, _BEST_FOR_TORCH
            )
            stack.enter_context(torch)
        yield Sides(ours, eigen, bfloat16, torch)


def _job(folder: str, width: float, batch: int, augment: bool = True, steps: int = 0) -> Job:
    """Writes a block of batches and returns the job they are for."""
    path, weights = (str(Path(folder) / name) for name in ("batches.npy", "weights.npz"))
    shape = (steps or block_steps(width, batch), batch, 32, 32)
    np.save(path, np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    return Job(width, batch, PATCHES_PER_POINT, path, weights, augment)


def _open(sides: Sides, job: Job) -> None:
    sides.ours.open(job)  # first: it writes the weights
    if sides.torch:
        sides.torch.open(job)


def _log_of_a_step(folder: str) -> str:
    """Returns what oneDNN tells of the primitives that a step of ours computes with."""
    with Worker(sys.executable, _OURS, 1, {"ONEDNN_VERBOSE": "1"}) as worker:
        worker.open(_job(folder, 0.25, 256, steps=1))
        worker.take("step", 1)
        return worker.log()


def onednn_kernels(log: str) -> str:
    """Says which kernels convolve, as oneDNN itself tells.

    Args:
        log: What was printed with `ONEDNN_VERBOSE=1`.
    """
    kernels = sorted(set(_CONVOLUTION.findall(log)))
    if not kernels:
        return "Kernels: Eigen's; oneDNN's are off."
    version, isa = (pattern.search(log) for pattern in (_VERSION, _ISA))
    assert version and isa, "told before anything else"
    return f"Kernels: oneDNN {version[1]} for {isa[1]}, convolutions by {', '.join(kernels)}."


def _same_losses(sides: Sides, folder: str) -> str:
    """Says how far the losses of both sides are apart over the first steps."""
    if not sides.torch:
        return "PyTorch is not there: `make bench-env` installs it into .venv-bench."
    _open(sides, _job(folder, 0.25, 256, augment=False, steps=_SAME_STEPS))
    ours = sides.ours.take("losses", _SAME_STEPS).value
    torch = sides.torch.take("step", _SAME_STEPS).value
    apart = max(abs(our - their) for our, their in zip(ours, torch, strict=True))
    return (
        f"The same training: from the same weights, without flips and turns, the losses of the "
        f"first {_SAME_STEPS} steps differ by at most {apart:.0e}."
    )


def _measure(sides: Sides, threads: int, job: Job) -> Measured:
    """Lets the sides take turns."""
    _open(sides, job)
    beside_others = threads == 1 and job.batch == BATCH_BESIDE_OTHERS
    bfloat16 = sides.bfloat16 if beside_others else None
    if beside_others:
        sides.eigen.open(job)
    if bfloat16:
        bfloat16.open(dataclasses.replace(job, bfloat16=True))
    steps = block_steps(job.width, job.batch)
    alone = threads == 1 and job.batch == max(BATCHES)
    blocks: dict[str, list[Timing]] = {
        "ours": [],
        "torch": [],
        "eigen": [],
        "bfloat16": [],
        "without_loss": [],
    }
    for number in range(1 + ROUNDS):
        taken = {"ours": sides.ours.take("step", steps)}
        if sides.torch:
            taken["torch"] = sides.torch.take("step", steps)
        if beside_others:
            taken["eigen"] = sides.eigen.take("step", steps)
        if bfloat16:
            taken["bfloat16"] = bfloat16.take("step", steps)
        if alone:
            taken["without_loss"] = sides.ours.take("without_loss", steps)
        if number:  # the first is for warming up
            for side, timing in taken.items():
                blocks[side].append(timing)
    loss = None
    if alone:
        sides.ours.take("loss", _LOSS_REPEATS)
        each = sides.ours.take("loss", _LOSS_REPEATS).cpu / _LOSS_REPEATS
        loss = each * steps / Spread.of(timing.cpu for timing in blocks["ours"]).median
    kinds = sides.ours.take("profile", steps).value if threads == 1 else {}
    return Measured(threads, job, steps * job.batch, **blocks, loss=loss, kinds=kinds)


def _peak(ours: Worker) -> float:
    """Returns the operations per CPU-second of a matrix product, the best of three."""
    timings = [ours.take("product", 8) for _ in range(4)][1:]
    return max(timing.value / timing.cpu for timing in timings)


def _table(measured: list[Measured], peak: float, notes: list[str]) -> Table:
    table = Table(
        title="Training step, patches per CPU-second; ratio: median (least-largest)",
        caption="\n".join(notes),
        caption_justify="left",
    )
    names = ("threads", "width", "batch", "ours", "PyTorch", "ratio, CPU", "ratio, wall")
    for name in (*names, "times oneDNN off", "bfloat16, times ours"):
        table.add_column(name, justify="right")
    table.add_column("what takes the time of ours")
    for one in measured:
        per_second = [
            f"{one.patches / Spread.of(timing.cpu for timing in side).median:,.0f}" if side else "-"
            for side in (one.ours, one.torch)
        ]
        both = [_ratio(one.ours, one.torch, clock) for clock in ("cpu", "wall")]
        both.append(_ratio(one.ours, one.eigen, "cpu"))
        both.append(_ratio(one.bfloat16, one.ours, "cpu") if one.bfloat16 else "-")
        size = (str(one.threads), f"{one.job.width:g}", str(one.job.batch))
        table.add_row(*size, *per_second, *both, _bound(one, peak))
    return table


def _ratio(ours: list[Timing], theirs: list[Timing], clock: str) -> str:
    """Says how many times faster ours is, or `-` where theirs was not measured."""
    if not theirs:
        return "-"
    return str(ratios(*([getattr(timing, clock) for timing in side] for side in (ours, theirs))))


def _bound(one: Measured, peak: float) -> str:
    """Says where our step spends its time and how far its convolutions are from the peak."""
    if not one.kinds:
        return ""
    seconds = Spread.of(timing.cpu for timing in one.ours).median / one.patches
    rate = training_operations(one.job.width) / (seconds * one.kinds["convolutions"])
    kinds = ", ".join(f"{kind} {share:.0%}" for kind, share in one.kinds.items())
    return f"{kinds}; convolutions at {rate / peak:.0%} of a matrix product"


def _shares(measured: list[Measured]) -> list[str]:
    """Says what loss and mining take, and how far the step is from the network alone."""
    lines = []
    for one in measured:
        if one.loss is None:
            continue
        alone = ratios([t.cpu for t in one.ours], [t.cpu for t in one.without_loss])
        lines.append(
            f"Width {one.job.width:g}, batch {one.job.batch}: loss and mining take {one.loss:.1%} "
            f"of the step; the step runs at {alone} of forward, backward and update alone."
        )
    return lines


def _loop(examples: str) -> str:
    """Says what a whole run loses besides its steps, from `python -m trainer`."""
    stage = StageConfig(points_per_batch=128, patches_per_point=4, max_steps=200)
    settings = TrainerConfig(stages=(stage,)).model_dump(mode="json")
    with tempfile.TemporaryDirectory() as folder:
        config, output = Path(folder) / "config.yaml", Path(folder) / "output"
        config.write_text(yaml.safe_dump(settings))
        command = [sys.executable, "-m", "trainer", "--config", str(config), "--data", examples]
        subprocess.run([*command, "--output", str(output)], check=True, capture_output=True)
        result = json.loads((output / "training_result.json").read_text())
    stepping = result["patches"] / result["patches_per_second"]
    return (
        f"A whole run of {result['steps']} steps (batch {stage.batch}, width .25): waiting for "
        f"batches {result['input_wait']:.2%} of the stepping time; steps {stepping:.0f} s of "
        f"{result['wall_seconds']:.0f} s from start to export."
    )
