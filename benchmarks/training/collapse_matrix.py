"""The collapse matrix: its cells, what counts as collapsed, and what the results show."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table
from scipy import stats

from benchmarks.harness.ledger import Ledger
from trainer.core.config import StageConfig, TrainerConfig

SEEDS, PAIRED_SEEDS = (1, 2, 3), (1, 2, 3, 4, 5)
RATES = (1e-2, 1e-3)
LOSSES, DISTANCES = ("hinge", "soft_margin"), ("euclidean", "squared")
NORMALISATIONS = ("none", "l2", "batch_norm", "batch_norm_l2")
COLLAPSED_DISTANCE = 0.1  # of the start
PIXELS = "normalised pixels"
_WORST_COST = -1.5  # mAP, that the bound of the controller's cost may reach

STEPS = {1e-2: 120, 1e-3: 200}
WIDTH = 0.125
POINTS_PER_BATCH, PATCHES_PER_POINT = 64, 8
MARGINS = {"hinge": 1.0, "soft_margin": 0.0}
HALF = 0.5  # probe distance, relative to the start, under which an onset has begun
WARM_UP_STEPS, CLIP_NORM = 50, 1.0

Result = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A setting of the matrix, with a seed.

    Attributes:
        loss: Name of the loss; its margin is that of `MARGINS`.
        distance: `euclidean` or `squared`.
        normalisation: What follows the last convolution.
        rate: Adam's.
        seed: Of weights, batches and augmentation.
    """

    loss: str
    distance: str
    normalisation: str
    rate: float
    seed: int

    @property
    def setting(self) -> str:
        """All but the seed."""
        return f"{self.loss} {self.distance} {self.normalisation} {self.rate:g}"

    @property
    def key(self) -> str:
        """Its place in the ledger."""
        return f"{self.setting} seed {self.seed}"

    def config(self, *, gentle: bool = False) -> TrainerConfig:
        """Returns its training: one hard stage, warmed up and clipped where `gentle`."""
        stage = StageConfig(
            points_per_batch=POINTS_PER_BATCH,
            patches_per_point=PATCHES_PER_POINT,
            learning_rate=self.rate,
            warm_up_steps=WARM_UP_STEPS if gentle else 0,
            max_steps=STEPS[self.rate],
        )
        tree: dict[str, Any] = {
            "seed": self.seed,
            "threads": 1,
            "model": {"width": WIDTH, "final_normalisation": self.normalisation},
            "loss": {
                "name": self.loss,
                "distance": self.distance,
                "margin": MARGINS[self.loss],
            },
            "stages": (stage,),
        }
        if gentle:
            tree["clip_norm"] = CLIP_NORM
        return TrainerConfig.model_validate(tree)


def matrix(seeds: Iterable[int]) -> list[Cell]:
    """Returns all cells, one seed after the other."""
    settings = list(itertools.product(RATES, NORMALISATIONS, LOSSES, DISTANCES))
    return [
        Cell(loss, distance, normalisation, rate, seed)
        for seed in seeds
        for rate, normalisation, loss, distance in settings
    ]


def collapsed(result: Result, pixels: float) -> bool:
    """Tells whether a run ended collapsed.

    That is with matching mAP below normalised pixels, or with the distances of the probe batch
    below a tenth of those before the first step.
    """
    return bool(result["map"] < pixels or not result["distance"] >= COLLAPSED_DISTANCE)


def healthy(runs: list[Result], pixels: float) -> bool:
    """Tells whether plain training collapsed with no seed."""
    return bool(runs) and not any(collapsed(run["plain"], pixels) for run in runs)


def cells_table(ledger: Ledger) -> Table:
    """Returns a row per setting."""
    table = Table(title="Collapse at S 64, K 8 (matching mAP, means over seeds)")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in _COLUMNS[:4] else "right")
    for row in _rows(ledger):
        table.add_row(*row)
    return table


_COLUMNS = (
    "loss",
    "distance",
    "final normalisation",
    "rate",
    "plain: collapsed",
    "mAP",
    "warm-up + clipping (seed 1): mAP",
    "controller: collapsed",
    "mAP",
    "onset, detected (step)",
    "rollbacks",
)


def markdown(ledger: Ledger) -> str:
    """Returns the table for docs/benchmarks.md."""
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    lines += ["| " + " | ".join(row) + " |" for row in _rows(ledger)]
    return "\n".join(lines)


def _rows(ledger: Ledger) -> list[list[str]]:
    pixels = ledger.get(PIXELS)
    rows = []
    for first in matrix(SEEDS[:1]):
        runs = _of_setting(ledger, first, SEEDS)
        if not runs:
            continue
        plain, controlled = ([run[arm] for run in runs] for arm in ("plain", "controller"))
        gentle = ledger.get(gentle_key(first))
        rows.append(
            [
                first.loss.replace("_", " "),
                first.distance,
                first.normalisation.replace("_", " ").replace("l2", "L2").replace("m L", "m + L"),
                f"{first.rate:g}",
                _count(plain, pixels),
                _mean_map(plain),
                map_of(gentle, pixels),
                _count(controlled, pixels),
                _mean_map(controlled),
                "; ".join(detection(run) for run in controlled),
                ", ".join(str(len(run["attempts"])) for run in controlled),
            ]
        )
    return rows


def _of_setting(ledger: Ledger, cell: Cell, seeds: Iterable[int]) -> list[Result]:
    keys = (Cell(*_axes(cell), seed).key for seed in seeds)
    return [result for result in map(ledger.get, keys) if result]


def _axes(cell: Cell) -> tuple[str, str, str, float]:
    return cell.loss, cell.distance, cell.normalisation, cell.rate


def _count(runs: list[Result], pixels: float) -> str:
    return f"{sum(collapsed(run, pixels) for run in runs)}/{len(runs)}"


def _mean_map(runs: list[Result]) -> str:
    return f"{100 * np.mean([run['map'] for run in runs]):.1f}"


def map_of(run: Result | None, pixels: float) -> str:
    """Returns a run's matching mAP, and whether it collapsed, as a cell of a table."""
    if run is None:
        return ""
    return f"{100 * run['map']:.1f}" + (" (collapsed)" if collapsed(run, pixels) else "")


def detection(run: Result) -> str:
    """Returns onset and detection of a run's first rollback."""
    if not run["attempts"]:
        return "-"
    first = run["attempts"][0]
    onset = "rank" if first["onset"] is None else first["onset"]
    return f"{onset}, {first['steps']}"


def sentences(ledger: Ledger) -> list[str]:
    """Returns what the table shows, in words."""
    pixels = ledger.get(PIXELS)
    results = list(filter(None, (ledger.get(cell.key) for cell in matrix(SEEDS))))
    if not results:
        return ["nothing measured yet"]
    plain = sum(collapsed(run["plain"], pixels) for run in results)
    ended = sum(collapsed(run["controller"], pixels) for run in results)
    gave_up = sum(run["controller"]["ended"].startswith("gave up") for run in results)
    told = [
        f"normalised pixels: {100 * pixels:.1f} mAP",
        f"plain training ended collapsed in {plain} of {len(results)} runs, the controller in "
        f"{ended} (it gave up in {gave_up})",
    ]
    tried = [run["controller"]["attempts"] for run in results]
    told += _delays([attempts[:1] for attempts in tried], "at the hard batch")
    told += _delays([attempts[1:] for attempts in tried], "in stages made easier by a rollback")
    told += _rank_alarms(results, pixels)
    return [*told, *_alarms_and_cost(ledger, pixels)]


def _delays(attempts: list[list[dict[str, Any]]], where: str) -> list[str]:
    """Returns how long after its onset a collapse was detected."""
    flat = itertools.chain.from_iterable(attempts)
    delays = [item["steps"] - item["onset"] for item in flat if item["onset"] is not None]
    if not delays:
        return []
    return [
        f"{len(delays)} collapses {where} detected by distance, {max(delays)} steps after the "
        f"first observation of the onset at most, {np.median(delays):.0f} in the median (observed "
        f"every 10 steps)"
    ]


def _rank_alarms(results: list[Result], pixels: float) -> list[str]:
    """Returns how often the rank alone gave alarm, and what became of the plain twins."""
    first = [run for run in results if _by_rank(run["controller"]["attempts"][:1])]
    later = sum(_by_rank(run["controller"]["attempts"][1:]) for run in results)
    if not first and not later:
        return []
    ended = sum(collapsed(run["plain"], pixels) for run in first)
    return [
        f"{len(first)} alarms at the hard batch by rank, {ended} of whose plain twins ended "
        f"collapsed; {later} later ones by rank in stages made easier by a rollback"
    ]


def _by_rank(attempts: list[dict[str, Any]]) -> int:
    return sum(item["onset"] is None for item in attempts)


def _alarms_and_cost(ledger: Ledger, pixels: float) -> list[str]:
    """Returns false alarms and the controller's cost where plain training is healthy."""
    calm: list[Result] = []
    gaps: list[float] = []
    for first in matrix(SEEDS[:1]):
        pairs = _of_setting(ledger, first, PAIRED_SEEDS)
        calm += [pair for pair in pairs if not collapsed(pair["plain"], pixels)]
        if healthy(pairs, pixels):
            gaps += [_gap(pair) for pair in pairs]
    alarms = [pair for pair in calm if pair["controller"]["attempts"]]
    by_rank = [pair for pair in alarms if pair["controller"]["attempts"][0]["onset"] is None]
    told = [
        f"false alarms: in the {len(calm)} runs whose plain twin ended healthy, "
        f"{len(alarms) - len(by_rank)} rollbacks by distance and {len(by_rank)} by rank"
    ]
    if by_rank:
        told.append(_of_rank_alarms([pair["plain"] for pair in by_rank], pixels))
    if alarms:
        differences = ", ".join(f"{_gap(pair):+.1f}" for pair in alarms)
        told.append(f"controller - plain in those with a rollback: {differences} mAP")
    if len(gaps) > 1:
        half = stats.t.ppf(0.95, len(gaps) - 1) * np.std(gaps, ddof=1) / math.sqrt(len(gaps))
        low = np.mean(gaps) - half
        told.append(
            f"where plain training is healthy with every seed, controller - plain is "
            f"{np.mean(gaps):+.2f} mAP over {len(gaps)} pairs, 95 % bound {low:+.2f} (at least "
            f"{_WORST_COST:+.1f} asked for), worst pair {min(gaps):+.2f}"
        )
    return told


def _of_rank_alarms(plain: list[Result], pixels: float) -> str:
    """Returns how healthy the plain runs were in which the rank gave alarm."""
    ranks = sorted(run["rank"] for run in plain)
    above = sorted(100 * (run["map"] - pixels) for run in plain)
    return (
        f"the plain twins of those by rank ended with {ranks[0]:.2f} to {ranks[-1]:.2f} of the "
        f"start's effective rank (the descriptors lie close to a line), {above[0]:.1f} to "
        f"{above[-1]:.1f} mAP above normalised pixels"
    )


def _gap(pair: Result) -> float:
    """Returns what the controller gains over plain training, in mAP."""
    return 100 * (pair["controller"]["map"] - pair["plain"]["map"])


def missing(ledger: Ledger) -> list[tuple[str, Cell]]:
    """Returns (arm, cell) of what has not been measured, all that one seed needs first.

    The seeds beyond the matrix are run only where the others are healthy, to pair more runs.
    """
    wanted = [("pair", cell) for cell in matrix(SEEDS[:1])]
    wanted += [("gentle", cell) for cell in matrix(SEEDS[:1])]
    wanted += [("pair", cell) for cell in matrix(SEEDS[1:])]
    todo = [(arm, cell) for arm, cell in wanted if ledger.get(key_of(arm, cell)) is None]
    pixels = ledger.get(PIXELS)
    if todo or pixels is None:
        return todo
    for cell in matrix(PAIRED_SEEDS[len(SEEDS) :]):
        calm = healthy(_of_setting(ledger, cell, SEEDS), pixels)
        if calm and ledger.get(cell.key) is None:
            todo.append(("pair", cell))
    return todo


def key_of(arm: str, cell: Cell) -> str:
    """Returns where the ledger keeps the result of an arm (`pair` or `gentle`)."""
    return gentle_key(cell) if arm == "gentle" else cell.key


def gentle_key(cell: Cell) -> str:
    """Returns where the ledger keeps the run with a warm-up and clipped gradients."""
    return f"{cell.key} warm-up + clipping"


def onset(observed: list[tuple[int, float]]) -> int | None:
    """Returns the first step after which the relative distance stays below half, if it does.

    Args:
        observed: (step, relative probe distance) in order.

    Example:
        >>> onset([(10, 0.4), (20, 0.6), (30, 0.45), (40, 0.2)])
        30
    """
    first = None
    for step, distance in reversed(observed):
        if distance >= HALF:
            break
        first = step
    return first
