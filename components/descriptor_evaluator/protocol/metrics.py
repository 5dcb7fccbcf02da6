"""Registry of the numbers that a unit of each task gets: a new one is one file and one line here.

A metric is a pure function of what its task ranks, named as `module:function`, so that settings
are checked without its imports:

* matching: (distance float64 [n], right bool [n], ties) -> float, for the n matches of an
  image pair; `ties` as in `trainer.core.average_precision`;
* verification: (`verification.PairRanking`) -> float, for a pair set at a noise level;
* retrieval: (before int [..., 5], retrieved bool [..., 5]) -> float64 [...], from the
  distractors ranked before each of a query's five positives, for many queries and pool sizes
  at once.

Each gets a second, tie-safe value for rankings in which ties count against the descriptors.
`ap` is what the gate compares by default; floors may name any.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from typing import Any

from components.core.names import MATCHING, RETRIEVAL, VERIFICATION

_HERE = "components.descriptor_evaluator.protocol"

METRICS: dict[str, dict[str, str]] = {
    VERIFICATION: {
        "auc": f"{_HERE}.verification:balanced_area",
        "ap": f"{_HERE}.verification:imbalanced_precision",
    },
    MATCHING: {
        "ap": f"{_HERE}.matching:match_precision",
        "success_rate": f"{_HERE}.matching:success_rate",
    },
    RETRIEVAL: {"ap": f"{_HERE}.retrieval:query_precision"},
}


def metrics_of(task: str) -> dict[str, Callable[..., Any]]:
    """Imports the metrics of a task, by name."""
    return {name: pkgutil.resolve_name(place) for name, place in METRICS[task].items()}


def other_metrics(task: str) -> list[str]:
    """Returns the metrics that were added to HPatches' own, which go by their own names."""
    return [name for name in METRICS[task] if name not in ("ap", "auc", "success_rate")]
