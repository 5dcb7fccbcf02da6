"""A line per image sequence with a dot per descriptor, sorted by the change.

Below them, published matching mAP on the image sequences that HPatches has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from components.core.names import MATCHING, RETRIEVAL
from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.published.matching import SHOWN, SOURCE, published_on
from components.evaluation_report import figures
from components.evaluation_report.material import CANDIDATE, PRODUCTION, Material, NotShownError

_TASKS = (MATCHING, RETRIEVAL)  # verification pairs cross image sequences
_METRIC = "ap"


def section(material: Material) -> dict[str, Any]:
    """Returns `plots` (`task`, `against`, `lines`), `legend` and `published`.

    Raises:
        NotShownError: When nothing was scored by image sequence.
    """
    names = list(material.rows)
    looks = figures.looks(names)
    plots, published = [], None
    for task in _TASKS:
        means = {name: means_by_sequence(rows, task) for name, rows in material.rows.items()}
        against = opponent(means)
        if means.get(CANDIDATE):
            plots.append({"task": task, "against": against, "lines": lines(means, against)})
        if task == MATCHING:
            published = beside_published({looks[name].label: means[name] for name in names})
    if not plots:
        raise NotShownError("nothing was scored by image sequence")
    return {"plots": plots, "legend": list(looks.values()), "published": published}


def beside_published(means: Mapping[str, Mapping[str, float]]) -> dict[str, Any] | None:
    """Returns a table of matching mAP beside published ones, mean over the noise levels.

    Args:
        means: By label of what was scored and image sequence, 0..1; a sequence may be missing.

    Returns:
        `source`, `headings` and `rows` of numbers (NaN where there is none), the mean's last;
        None where HPatches has none of the image sequences.
    """
    results = published_on({name for by_sequence in means.values() for name in by_sequence}, SHOWN)
    if not results:
        return None
    sequences = sorted(results[0].by_sequence)
    columns = {
        label: [by_sequence.get(name, math.nan) for name in sequences]
        for label, by_sequence in means.items()
    }
    for result in results:
        columns[f"{result.method}, published"] = [result.mean(name) for name in sequences]
    rows = list(zip(sequences, zip(*columns.values(), strict=True), strict=True))
    rows.append(("mean", tuple(float(np.mean(values)) for values in columns.values())))
    return {"source": SOURCE, "headings": list(columns), "rows": rows}


def means_by_sequence(rows: Sequence[UnitScore], task: str) -> dict[str, float]:
    """Returns the mean average precision of each image sequence over the noise levels.

    Each noise level counts the same, whatever the number of its units.
    """
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row.task == task:
            values.setdefault(row.sequence, {}).setdefault(row.noise, []).append(
                row.metrics[_METRIC]
            )
    return {
        sequence: float(np.mean([np.mean(scores) for scores in by_noise.values()]))
        for sequence, by_noise in values.items()
    }


def opponent(means: Mapping[str, Mapping[str, float]]) -> str:
    """Returns what changes are against: production, or without it the best baseline.

    Args:
        means: By descriptor and image sequence.

    Returns:
        A descriptor's name; "" when the candidate was scored alone.
    """
    if means.get(PRODUCTION):
        return PRODUCTION
    others = {
        name: float(np.mean(list(by_sequence.values())))
        for name, by_sequence in means.items()
        if name != CANDIDATE and by_sequence
    }
    return max(others, key=lambda name: others[name], default="")


def lines(means: Mapping[str, Mapping[str, float]], against: str) -> list[dict[str, Any]]:
    """Returns a line per image sequence, the greatest loss first.

    Args:
        means: By descriptor and image sequence.
        against: What changes are against; "" sorts by the candidate's own value.

    Returns:
        For each `sequence` its `change` (candidate - against; NaN when unknown), and `dots`
        (descriptor and place in per cent).
    """
    shown = []
    for sequence, value in means[CANDIDATE].items():
        change = value - means[against].get(sequence, math.nan) if against else math.nan
        dots = [
            (name, 100 * of_name[sequence])
            for name, of_name in means.items()
            if math.isfinite(of_name.get(sequence, math.nan))
        ]
        shown.append({"sequence": sequence, "change": change, "value": value, "dots": dots})

    def order(line: dict[str, Any]) -> tuple[bool, float, str]:
        key = line["change"] if against else line["value"]
        return math.isnan(key), key if not math.isnan(key) else 0.0, line["sequence"]

    return sorted(shown, key=order)
