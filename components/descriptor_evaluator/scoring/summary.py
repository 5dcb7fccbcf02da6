"""Unit scores condensed into the result that `hpatches evaluate --json` writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from components.core.names import MATCHING, PAIR_SETS, RETRIEVAL, VERIFICATION
from components.descriptor_evaluator.protocol.metrics import other_metrics
from components.descriptor_evaluator.protocol.scores import POOL, TIE_SAFE, UnitScore
from trainer.core.variants import KINDS, NOISES

Value = float | None  # None where there is nothing to average, or NaN within


def summarise(rows: Iterable[UnitScore]) -> dict[str, Any]:
    """Averages unit scores as HPatches reports them.

    Verification: `mean` is over the imbalanced precisions of all pair sets and noise levels.
    Matching: flat means over image pairs per noise level, then their mean. Retrieval: means
    over queries per noise level and pool size, then their mean. `by_kind` holds means over
    illumination and viewpoint sequences apart, `tie_safe` what is left when ties count against
    the descriptors.

    Returns:
        `{"verification": {"balanced": {"inter": {"e", "h", "t"}, "intra": {...}},
        "imbalanced": {...}, "mean", "tie_safe": {"balanced", "imbalanced", "mean"}},
        "matching": {"e", "h", "t", "mean", "success_rate": {"e", "h", "t", "mean"},
        "by_kind": {"i": {"e", "h", "t", "mean"}, ...}, "tie_safe": {"e", "h", "t", "mean",
        "success_rate", "by_kind"}}, "retrieval": {"e": {"100": ..., ...}, "h", "t", "mean",
        "by_noise": {"e", "h", "t", "mean"}, "by_kind", "tie_safe": {"e", "h", "t", "mean",
        "by_pool": {"e": {"100": ..., ...}, "h", "t"}, "by_kind"}}}` with only the tasks and
        kinds that have rows.
        Metrics beyond these stand beside `success_rate` or `imbalanced` under their own names.
        Fractions; None in the place of NaN and of an absent pair set.
    """
    by_task: dict[str, list[UnitScore]] = {}
    for row in rows:
        by_task.setdefault(row.task, []).append(row)
    makers: dict[str, Callable[[list[UnitScore]], dict[str, Any]]] = {
        VERIFICATION: _verification,
        MATCHING: _matching,
        RETRIEVAL: _retrieval,
    }
    return {task: make(by_task[task]) for task, make in makers.items() if task in by_task}


def _verification(rows: Sequence[UnitScore]) -> dict[str, Any]:
    def by_set(metric: str) -> dict[str, Any]:
        sets = {name: [row for row in rows if row.unit == name] for name in PAIR_SETS}
        return {
            name: _by_noise(chosen, metric, mean=False) if chosen else None
            for name, chosen in sets.items()
        }

    def part(suffix: str) -> dict[str, Any]:
        imbalanced = by_set(f"ap{suffix}")
        values = [value for part in imbalanced.values() if part for value in part.values()]
        return {
            "balanced": by_set(f"auc{suffix}"),
            "imbalanced": imbalanced,
            **{name: by_set(f"{name}{suffix}") for name in other_metrics(VERIFICATION)},
            "mean": _mean(values),
        }

    return part("") | {"tie_safe": part(TIE_SAFE)}


def _matching(rows: Sequence[UnitScore]) -> dict[str, Any]:
    def part(suffix: str) -> dict[str, Any]:
        return _by_noise(rows, f"ap{suffix}") | {
            "success_rate": _by_noise(rows, f"success_rate{suffix}"),
            **{name: _by_noise(rows, f"{name}{suffix}") for name in other_metrics(MATCHING)},
            "by_kind": _by_kind(rows, f"ap{suffix}"),
        }

    return part("") | {"tie_safe": part(TIE_SAFE)}


def _retrieval(rows: Sequence[UnitScore]) -> dict[str, Any]:
    by_pool = _by_pool(rows, "")
    others = other_metrics(RETRIEVAL)
    safe = _by_noise(rows, f"ap{TIE_SAFE}") | {
        "by_pool": _by_pool(rows, TIE_SAFE),
        "by_kind": _by_kind(rows, f"ap{TIE_SAFE}"),
        **{name: _by_noise(rows, f"{name}{TIE_SAFE}") for name in others},
    }
    return by_pool | {
        "mean": _mean(value for noise in NOISES for value in by_pool[noise].values()),
        "by_noise": _by_noise(rows, "ap"),
        "by_kind": _by_kind(rows, "ap"),
        **{name: _by_noise(rows, name) for name in others},
        "tie_safe": safe,
    }


def _by_pool(rows: Sequence[UnitScore], suffix: str) -> dict[str, dict[str, Value]]:
    """Returns means per noise level and pool size, of metrics that end in `suffix`."""
    sizes = [
        name.removeprefix(POOL)
        for name in rows[0].metrics
        if name.startswith(POOL) and not name.endswith(TIE_SAFE)
    ]
    result: dict[str, dict[str, Value]] = {}
    for noise in NOISES:
        chosen = [row.metrics for row in rows if row.noise == noise]
        table = np.array([[metrics[f"{POOL}{k}{suffix}"] for k in sizes] for metrics in chosen])
        means = table.mean(axis=0) if len(chosen) else np.full(len(sizes), np.nan)
        result[noise] = {k: _number(value) for k, value in zip(sizes, means, strict=True)}
    return result


def _by_kind(rows: Sequence[UnitScore], metric: str) -> dict[str, dict[str, Value]]:
    kinds = {kind: [row for row in rows if row.kind == kind] for kind in KINDS}
    return {kind: _by_noise(chosen, metric) for kind, chosen in kinds.items() if chosen}


def _by_noise(rows: Sequence[UnitScore], metric: str, mean: bool = True) -> dict[str, Value]:
    values: dict[str, Value] = {
        noise: _mean(row.metrics[metric] for row in rows if row.noise == noise) for noise in NOISES
    }
    return values | {"mean": _mean(values.values())} if mean else values


def _mean(values: Iterable[Value]) -> Value:
    numbers = [math.nan if value is None else value for value in values]
    return _number(float(np.mean(numbers))) if numbers else None


def _number(value: float) -> Value:
    return float(value) if math.isfinite(value) else None
