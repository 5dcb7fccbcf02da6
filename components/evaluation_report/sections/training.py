"""The training timeline: curves with stages, promotions and rollbacks, and the events in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from components.evaluation_report import figures
from components.evaluation_report.material import Material
from components.evaluation_report.sections import training_logs

_LOSS, _DISTANCE = "train/loss", "probe/pair_distance"
_MOST_POINTS = 400  # of a curve: more cannot be told apart
# What the controller did, as it is marked in the figure: label, colour, marker.
_MARKS = {
    "promote": ("promotion", figures.GREEN, "^"),
    "rollback": ("rollback", figures.RED, "X"),
    "insert": ("smaller stage inserted", figures.PURPLE, "P"),
    "give_up": ("gave up", figures.RED, "s"),
    "suspect": ("signs of collapse", figures.ORANGE, "o"),
    "resume": ("went on after an interruption", "#8a8a8a", ">"),
}
_NOT_TOLD = ("good",)  # that a stage goes well is seen in its curves
_NUMBERS = {
    "S": "S", "K": "K", "rate": "learning rate", "mean": "val mAP",
    "normalized_loss": "normalized loss", "smoothed_normalized_loss": "normalized loss",
    "next_normalized_loss": "next stage's", "pair_distance": "pair distance",
    "relative_distance": "distance left", "relative_rank": "rank left",
    "effective_rank": "effective rank", "points": "points", "replicas": "replicas",
}  # fmt: skip
_FRACTIONS = ("mean",)


def section(material: Material) -> dict[str, Any]:
    """Returns `figure`, `events`, `result` (what came of it, in pairs), `stages` and `ended`.

    Raises:
        NotShownError: When there is no timeline.
    """
    events = material.timeline
    curves = training_logs.read_curves(material.model_run, (_LOSS, _DISTANCE))
    result = material.training_result
    return {
        "figure": draw(events, curves),
        "events": told(events),
        "facts": facts(result),
        "stages": result.get("stages", []),
        "planned": result.get("planned", []),
        "shortfall": result.get("shortfall", ""),
        "gave_up": bool(result.get("gave_up")),
    }


def spans(events: Sequence[dict[str, Any]], end: int) -> list[tuple[int, int, int, str]]:
    """Returns begin, end, number and shape of the stages in the order in which they ran.

    A stage that was entered again after a rollback is a span of its own.

    Example:
        >>> stages = [{"event": "stage", "step": 0, "stage": 0, "S": 8, "K": 2},
        ...           {"event": "stage", "step": 50, "stage": 1, "S": 16, "K": 2}]
        >>> spans(stages, 80)
        [(0, 50, 0, '8 x 2'), (50, 80, 1, '16 x 2')]
    """
    begun = [event for event in events if event["event"] == "stage"]
    ends = [*(event["step"] for event in begun), end][1:]
    return [
        (event["step"], last, event["stage"], f"{event.get('S', '?')} x {event.get('K', '?')}")
        for event, last in zip(begun, ends, strict=True)
    ]


def draw(
    events: Sequence[dict[str, Any]], curves: dict[str, tuple[np.ndarray, np.ndarray]]
) -> Markup:
    """Draws loss, distance of random pairs and validation mAP over the steps."""
    last_steps = [int(steps[-1]) for steps, _ in curves.values() if len(steps)]
    end = max([event["step"] for event in events] + last_steps + [1])
    figure, (loss, distance, score) = figures.panel(7.0, 4.6, rows=3)
    for axes, tag, label in ((loss, _LOSS, "loss"), (distance, _DISTANCE, "pair distance")):
        if tag in curves:
            axes.plot(*_thinned(*curves[tag]), color=figures.BLUE)
        axes.set_ylabel(label)
    distance.set_ylim(bottom=0)
    validated = [event for event in events if event["event"] == "validate"]
    score.plot(
        [event["step"] for event in validated],
        [100 * event.get("mean", math.nan) for event in validated],
        "o-", color=figures.BLUE, markersize=3,
    )  # fmt: skip
    score.set_ylabel("val mAP (%)")
    score.set_xlabel("step")
    for axes in (loss, distance, score):
        _shade_stages(axes, events, end)
        axes.set_xlim(0, end)
    for begin, last, number, shape in spans(events, end):
        if last - begin > 0.08 * end:  # narrower ones have no room for words
            loss.text(
                (begin + last) / 2, 1.02, f"stage {number + 1}: {shape}",
                transform=loss.get_xaxis_transform(), ha="center", va="bottom", fontsize=8,
            )  # fmt: skip
    _mark_events(loss, distance, events)
    return figures.to_svg(figure, "Loss, distance of random pairs and validation over the steps")


def _shade_stages(axes: Axes, events: Sequence[dict[str, Any]], end: int) -> None:
    for place, (begin, last, _, _) in enumerate(spans(events, end)):
        if place % 2:
            axes.axvspan(begin, last, color=figures.BLUE, alpha=0.08, linewidth=0)


def _mark_events(loss: Axes, distance: Axes, events: Sequence[dict[str, Any]]) -> None:
    named: set[str] = set()
    for event in events:
        if event["event"] not in _MARKS:
            continue
        label, colour, marker = _MARKS[event["event"]]
        for axes in (loss, distance):
            axes.axvline(event["step"], color=colour, linewidth=0.8, linestyle=":")
        loss.plot(
            [event["step"]], [0.94], marker, color=colour, markersize=6, clip_on=False,
            transform=loss.get_xaxis_transform(), label="" if label in named else label,
        )  # fmt: skip
        named.add(label)
    if named:
        loss.legend(frameon=False, fontsize=7.5, loc="lower left", ncols=3)


def told(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the events for a table: `step`, `stage`, `event`, `kind`, `reason`, `numbers`."""
    rows = []
    for event in events:
        if event["event"] in _NOT_TOLD:
            continue
        values = [
            f"{words} {_number(event[key], key)}"
            for key, words in _NUMBERS.items()
            if isinstance(event.get(key), int | float)
        ]
        if event["event"] == "start":
            values = []  # absolute signals, which mean nothing beside the relative ones
        rows.append(
            {
                "step": event["step"],
                "stage": event["stage"] + 1,
                "kind": event["event"],
                "event": event["event"].replace("_", " "),
                "reason": event["reason"],
                "numbers": ", ".join(values),
            }
        )
    return rows


def facts(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns what came of the training run as pairs of name and value."""
    if not result:
        return []
    pairs = [
        ("ended", str(result["ended"])),
        ("steps", f"{result['steps']:,}"),
        ("patches seen", f"{result['patches']:,}"),
        ("exported from step", f"{result['best_step']:,}"),
        ("rollbacks", str(result["rollbacks"])),
        ("wall time", f"{result['wall_seconds']:.0f} s"),
        ("processor time", f"{result['cpu_seconds']:.0f} s"),
        ("patches per second", f"{result['patches_per_second']:,.0f}"),
        ("waited for batches", f"{100 * result['input_wait']:.1f} %"),
    ]
    if result.get("validation"):
        pairs.append(("val mAP", f"{100 * result['validation']['mean']:.1f}"))
    return pairs


def _thinned(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.linspace(0, len(steps) - 1, min(len(steps), _MOST_POINTS)).round().astype(int)
    return steps[rows], values[rows]


def _number(value: float, key: str) -> str:
    return f"{100 * value:.1f}" if key in _FRACTIONS else f"{value:.3g}"
