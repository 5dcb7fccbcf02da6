"""Precision-recall and ROC curves and histograms of distances, a small figure per noise level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from components.core.names import INTER, INTRA, MATCHING, RETRIEVAL, VERIFICATION
from components.descriptor_evaluator.report_data.curves import FALSE_RATE, RECALL
from components.evaluation_report import figures
from components.evaluation_report.figures import Look
from components.evaluation_report.material import CANDIDATE, Material, in_order
from trainer.core.variants import NOISE_NAMES, NOISES

_SETS = {INTER: "pairs across sequences", INTRA: "pairs within a sequence"}
_LOWEST_RATE = 1e-4

Exhibits = Mapping[str, Mapping[str, Any]]


def section(material: Material) -> dict[str, Any]:
    """Returns the strips of figures: `legend` and `strips`, each with `title` and `figures`.

    Raises:
        NotShownError: When the evaluation chose none.
    """
    exhibits = material.exhibits
    shown = figures.looks(in_order(list(exhibits)))
    strips = [
        *_strip(
            "Matching: precision and recall",
            precisions(exhibits, MATCHING),
            shown,
            draw_precision,
        ),
        *_strip(_retrieval_title(exhibits), precisions(exhibits, RETRIEVAL), shown, draw_precision),
    ]
    for name, words in _SETS.items():
        strips += _verification_strips(exhibits, shown, name, words)
    strips += _histogram_strip(exhibits)
    return {"legend": list(shown.values()), "strips": strips}


def precisions(exhibits: Exhibits, task: str, pair_set: str = "") -> dict[str, dict[str, Any]]:
    """Returns the precision of every descriptor at `RECALL`, by noise level and name.

    Args:
        exhibits: Curves by the name of what was scored.
        task: Matching, retrieval or verification.
        pair_set: Of verification, which negative pairs.
    """
    found: dict[str, dict[str, Any]] = {noise: {} for noise in NOISES}
    for name, content in exhibits.items():
        of_task = content.get(task, {})
        of_task = of_task.get(pair_set, {}) if pair_set else of_task
        for noise in NOISES:
            if of_task.get(noise):
                curve = of_task[noise]
                found[noise][name] = curve["precision"] if pair_set else curve
    return found


def _verification_strips(
    exhibits: Exhibits, shown: Mapping[str, Look], pair_set: str, words: str
) -> list[dict[str, Any]]:
    rates = {
        noise: {
            name: content[VERIFICATION][pair_set][noise]["true_rate"]
            for name, content in exhibits.items()
            if pair_set in content.get(VERIFICATION, {})
        }
        for noise in NOISES
    }
    precision = precisions(exhibits, VERIFICATION, pair_set)
    return [
        *_strip(f"Verification ROC, {words}", rates, shown, _draw_roc),
        *_strip(f"Verification: precision and recall, {words}", precision, shown, draw_precision),
    ]


def _histogram_strip(exhibits: Exhibits) -> list[dict[str, Any]]:
    """Shows the candidate's distances alone: those of others are in other units."""
    sets = exhibits.get(CANDIDATE, {}).get(VERIFICATION, {})
    if not sets:
        return []
    drawn = []
    for noise in NOISES:
        counts = {name: content[noise] for name, content in sets.items() if content[noise]["edges"]}
        if counts:
            figure, (axes,) = figures.panel()
            _draw_histograms(axes, counts)
            axes.set_title(NOISE_NAMES[noise])
            description = f"Distances of positive and negative pairs, {NOISE_NAMES[noise]}"
            drawn.append(figures.to_svg(figure, description))
    title = "Distances of positive and negative pairs (this model)"
    return [{"title": title, "figures": drawn}] if drawn else []


def _strip(
    title: str,
    lines: Mapping[str, Mapping[str, Any]],
    shown: Mapping[str, Look],
    draw: Callable[[Axes, Any, Look], None],
) -> list[dict[str, Any]]:
    """Draws a figure per noise level; none when nothing was measured."""
    drawn: list[Markup] = []
    for noise, of_noise in lines.items():
        if not of_noise:
            continue
        figure, (axes,) = figures.panel()
        for name in reversed(in_order(list(of_noise))):  # the model on top
            draw(axes, of_noise[name], shown[name])
        axes.set_title(NOISE_NAMES[noise])
        drawn.append(figures.to_svg(figure, f"{title}, {NOISE_NAMES[noise]}"))
    return [{"title": title, "figures": drawn}] if drawn else []


def draw_precision(axes: Axes, precision: list[float], look: Look) -> None:
    """Draws precision at `RECALL`, both axes in per cent."""
    axes.plot(RECALL, precision, look.dash, color=look.colour, label=look.label)
    figures.percent_axis(axes, "x")
    figures.percent_axis(axes, "y")
    axes.set_xlabel("recall (%)")
    axes.set_ylabel("precision (%)")


def _draw_roc(axes: Axes, true_rate: list[float], look: Look) -> None:
    # The first rate is 0, which a logarithmic axis cannot show: it stands at its left end.
    axes.semilogx(np.maximum(FALSE_RATE, _LOWEST_RATE), true_rate, look.dash, color=look.colour)
    axes.set_xlim(_LOWEST_RATE, 1)
    axes.set_xticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["0.01", "0.1", "1", "10", "100"])
    axes.minorticks_off()
    figures.percent_axis(axes, "y")
    axes.set_xlabel("false positives (%)")
    axes.set_ylabel("true positives (%)")


def _draw_histograms(axes: Axes, counts: Mapping[str, Mapping[str, list[float]]]) -> None:
    """Draws positive pairs and the negative ones of each pair set."""
    first = next(iter(counts.values()))
    curves = [("positive", first, "positive", figures.GREEN, "-")]
    dashes = {INTER: "-", INTRA: "--"}
    words = {INTER: "negative, across", INTRA: "negative, within"}
    curves += [
        (words[name], counts[name], "negative", figures.RED, dashes[name]) for name in counts
    ]
    for label, content, key, colour, dash in curves:
        # A bin narrower than another set's holds less: shares per unit of distance compare.
        edges, shares = np.array(content["edges"]), np.array(content[key])
        density = shares / np.maximum(np.diff(edges), 1e-12)
        axes.stairs(
            density, edges, color=colour, linestyle=dash, fill=False, label=label, linewidth=1.4
        )
        if dash == "-":
            axes.stairs(density, edges, color=colour, fill=True, alpha=0.18)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.set_xlabel("distance")
    axes.set_ylabel("share of pairs")
    axes.legend(frameon=False, fontsize=7.5, handlelength=1.4, borderaxespad=0.1)


def _retrieval_title(exhibits: Exhibits) -> str:
    pools = {content[RETRIEVAL]["pool"] for content in exhibits.values() if content.get(RETRIEVAL)}
    pool = f", {max(pools):,} patches in the pool" if pools else ""
    return f"Retrieval: precision and recall{pool}"
