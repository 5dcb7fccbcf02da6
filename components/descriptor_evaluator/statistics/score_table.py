"""Unit scores as columns: slicing, totals per scene, pairing of two models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.descriptor_evaluator.protocol.jackknife import influence_values
from components.descriptor_evaluator.protocol.scores import MAIN_METRIC, TIE_SAFE, Slice, UnitScore
from components.descriptor_evaluator.statistics.intervals import SceneTotals, scene_totals

_KEY = ("task", "noise", "kind", "sequence", "scene", "unit")


class ScoreTable:
    """The unit scores of one model, ordered by their key.

    Attributes:
        keys: (task, noise, kind, sequence, scene, unit) of each row, sorted.

    Raises:
        ValueError: When two rows have the same key.

    Example:
        >>> row = UnitScore("matching", "e", "v", "v_wall", "wall", "1", {"ap": 0.5})
        >>> ScoreTable([row]).mean(Slice("matching"), "ap")
        0.5
    """

    def __init__(self, rows: Sequence[UnitScore]):
        def key(row: UnitScore) -> tuple[Any, ...]:
            return tuple(getattr(row, name) for name in _KEY)

        ordered = sorted(rows, key=key)
        self.keys = [key(row) for row in ordered]
        for first, second in zip(self.keys, self.keys[1:], strict=False):
            if first == second:
                raise ValueError(f"two unit scores have the same key {first}")
        self._columns = {
            name: np.array([str(getattr(row, name)) for row in ordered], dtype=str) for name in _KEY
        }
        self._rows = ordered

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> list[UnitScore]:
        """The rows in key order."""
        return self._rows

    def covers_the_same_units_as(self, other: ScoreTable) -> bool:
        """Tells whether the rows of two models can be paired one to one."""
        return self.keys == other.keys

    def values(self, part: Slice, metric: str) -> np.ndarray:
        """Returns a metric of the rows of a slice, float64 [m]; NaN where a row lacks it."""
        chosen = np.flatnonzero(self._mask(part))
        return np.array(
            [self._rows[place].metrics.get(metric, np.nan) for place in chosen], np.float64
        )

    def mean(self, part: Slice, metric: str) -> float:
        """Returns the flat mean over the rows of a slice; NaN without rows."""
        values = self.values(part, metric)
        return float(values.mean()) if len(values) else float("nan")

    def totals(self, part: Slice, metric: str) -> SceneTotals:
        """Returns a metric of a slice, summed per scene.

        Verification pairs cross scenes: there every scene gets one value, the mean plus
        the influence that the scene has on it (see `jackknife`). Rows of which
        neither is known give no totals, and so no interval.
        """
        mask = self._mask(part)
        scenes = self._columns["scene"][mask]
        if (scenes == "").any():
            return self._totals_of_influences(np.flatnonzero(mask), metric)
        return scene_totals(scenes.tolist(), self.values(part, metric))

    def _totals_of_influences(self, places: np.ndarray, metric: str) -> SceneTotals:
        """Returns totals of rows that say what they are without each scene."""
        rows = [self._rows[place] for place in places]
        names = sorted(rows[0].without)
        # Verification ranks ties against the descriptors anyway, so `ap` is tie-safe.
        known = metric.removesuffix(TIE_SAFE) == MAIN_METRIC
        if not known or any(sorted(row.without) != names for row in rows):
            return scene_totals([], [])
        whole = float(np.mean([row.metrics.get(metric, np.nan) for row in rows]))
        without = np.mean([[row.without[name] for name in names] for row in rows], axis=0)
        if len(names) < 2 or not np.isfinite(without).all():
            return scene_totals([], [])
        return scene_totals(names, influence_values(whole, without))

    def _mask(self, part: Slice) -> np.ndarray:
        mask = np.ones(len(self._rows), bool)
        for name in ("task", "noise", "kind"):
            wanted = getattr(part, name)
            if wanted:
                mask &= self._columns[name] == wanted
        return mask
