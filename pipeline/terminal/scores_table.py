"""The numbers of `hpatches evaluate` as a table."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.core.names import MATCHING, RETRIEVAL, VERIFICATION
from components.descriptor_evaluator.protocol.metrics import other_metrics
from pipeline.terminal.tables import (
    KINDS,
    make_table,
    percent,
    print_fitting,
    print_remarks,
    print_table,
)
from trainer.core.variants import NOISE_NAMES, NOISES

_TIE_SAFE = "ties counted against"
_Row = tuple[str, Mapping[str, float | None], float | None]


def print_scores(console: Console, results: Sequence[Mapping[str, Any]]) -> Table:
    """Prints the tasks' numbers in per cent, and remarks on the data.

    Args:
        console: Console to print on.
        results: As `evaluate_release` returns them.

    Returns:
        The table: of one descriptor with all measures, of several with the mAP of each.
    """
    several = len(results) > 1
    table = _beside(results) if several else _all_measures(results[0])
    if several:
        print_fitting(console, table, functools.partial(_beside, results, brief=True))
    else:
        print_table(console, table)
    for result in results:
        name = f"{name_of(result)}: " if several else ""
        health = f"{name}{_health(result['data']['degeneracy'])}"
        console.print(Text(health), soft_wrap=True)
    notes = [note for result in results for note in result["data"].get("notes", ())]
    print_remarks(console, dict.fromkeys(notes))
    return table


def _all_measures(result: Mapping[str, Any]) -> Table:
    table = make_table(_title(result["data"]), ("task", "measure"), (*NOISE_NAMES.values(), "mean"))
    for task, rows in _ROWS.items():
        if result.get(task) is None:
            continue
        for number, (measure, by_noise, mean) in enumerate(rows(result[task])):
            cells = (*(percent(by_noise.get(noise)) for noise in NOISES), percent(mean))
            table.add_row(task if number == 0 else "", measure, *cells)
        of_noise = _intervals(result, task)
        if any(of_noise.values()):
            cells = (*(of_noise.get(noise, "") for noise in NOISES), of_noise.get("", ""))
            table.add_row("", f"mAP, 95 % over {_scenes(result, task)} scenes", *cells)
        table.add_section()
    return table


def _beside(results: Sequence[Mapping[str, Any]], brief: bool = False) -> Table:
    """Returns the mAP of each task, and unless `brief` of matching's noise levels."""
    tasks = [task for task in _ROWS if results[0].get(task) is not None]
    levels = list(NOISES) if MATCHING in tasks and not brief else []
    headings = (*tasks, *(f"{MATCHING}\n{NOISE_NAMES[noise]}" for noise in levels))
    title = f"{_title(results[0]['data'])}; mAP with 95 % intervals over scenes"
    table = make_table(title, ("descriptor",), headings)
    for result in results:
        parts = [(task, "") for task in tasks] + [(MATCHING, noise) for noise in levels]
        means = {(item["task"], item["noise"]): item["mean"] for item in _whole(result)}
        cells = [
            f"{percent(means.get(part))}\n{_intervals(result, part[0]).get(part[1], '')}".strip()
            for part in parts
        ]
        table.add_row(Text(name_of(result)), *cells)
    return table


def _whole(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns the intervals over both kinds of image sequences."""
    return [item for item in result["intervals"] if not item["kind"]]


def _intervals(result: Mapping[str, Any], task: str) -> dict[str, str]:
    """Returns the interval of a task's mAP by noise level; "" is all of them."""
    return {
        item["noise"]: f"{percent(item['low'])}..{percent(item['high'])}"
        for item in _whole(result)
        if item["task"] == task and item["low"] is not None
    }


def _scenes(result: Mapping[str, Any], task: str) -> int:
    return max(item["scenes"] for item in _whole(result) if item["task"] == task)


def name_of(result: Mapping[str, Any]) -> str:
    """Returns what was scored, as the user gave it."""
    scored = result["data"]["scored"]
    return scored["model"] or scored["descriptors"] or scored["baseline"]


def _title(data: Mapping[str, Any]) -> str:
    distance = "" if data.get("distance", "l2") == "l2" else f"distance {data['distance']}, "
    return (
        f"{len(data['sequences'])} image sequences, {data['points']} points, "
        f"{data['tasks']['origin']}; {distance}in per cent"
    )


def _health(measures: Mapping[str, Any]) -> str:
    """Says what the degeneracy check measured, and against what."""
    limits = measures["thresholds"]
    parts = [
        f"{measures['dimension']} numbers",
        f"{100 * measures['distinct_share']:.1f} % distinct and "
        f"{100 * measures['distinct_share_float16']:.1f} % as float16 (at least "
        f"{100 * limits['min_distinct']:g} %)",
        f"spread {measures['spread']:.3g} of their length (at least {limits['min_spread']:g})",
        f"{100 * measures['non_finite_share']:.3g} % not finite (at most "
        f"{100 * limits['max_non_finite']:g} %)",
    ]
    if measures["matching_ap"]:
        kept = measures["matching_ap_float16"] / measures["matching_ap"]
        parts.append(
            f"float16 keeps {100 * kept:.1f} % of a matching mAP (at least "
            f"{100 * limits['min_kept']:g} %)"
        )
        if measures["matching_ap_uint8"] is not None:
            kept = measures["matching_ap_uint8"] / measures["matching_ap"]
            parts.append(f"uint8 {100 * kept:.1f} %")
    return f"Descriptors: {', '.join(parts)}."


def _verification(scores: Mapping[str, Any]) -> Iterator[_Row]:
    for balance, measure in (("imbalanced", "AP"), ("balanced", "AUC")):
        for pair_set, by_noise in scores[balance].items():
            yield f"{measure} {pair_set} ({balance})", by_noise or {}, None
    for name in other_metrics(VERIFICATION):
        for pair_set, by_noise in scores[name].items():
            yield f"{name} {pair_set}", by_noise or {}, None
    yield "mean AP (imbalanced)", {}, scores["mean"]
    yield f"mean AP, {_TIE_SAFE}", {}, scores["tie_safe"]["mean"]


def _matching(scores: Mapping[str, Any]) -> Iterator[_Row]:
    yield "mAP", scores, scores["mean"]
    yield from _apart(scores)
    yield "success rate", scores["success_rate"], scores["success_rate"].get("mean")
    yield from _others(MATCHING, scores)


def _retrieval(scores: Mapping[str, Any]) -> Iterator[_Row]:
    for size in scores[NOISES[0]]:
        yield f"mAP, pool of {size}", {noise: scores[noise][size] for noise in NOISES}, None
    yield "mAP", scores["by_noise"], scores["mean"]
    yield from _apart(scores)
    yield from _others(RETRIEVAL, scores)


def _apart(scores: Mapping[str, Any]) -> Iterator[_Row]:
    for kind, by_noise in scores["by_kind"].items():
        yield f"mAP {KINDS.get(kind, kind)}", by_noise, by_noise.get("mean")
    yield f"mAP, {_TIE_SAFE}", scores["tie_safe"], scores["tie_safe"]["mean"]


def _others(task: str, scores: Mapping[str, Any]) -> Iterator[_Row]:
    for name in other_metrics(task):
        yield name, scores[name], scores[name]["mean"]


_ROWS = {VERIFICATION: _verification, MATCHING: _matching, RETRIEVAL: _retrieval}
