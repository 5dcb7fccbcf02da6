"""Figures beside the targets they have to reach; a missed one fails the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table

from trainer.core.errors import UserError


@dataclass(frozen=True)
class Figure:
    """A measured number and its target.

    Attributes:
        name: What was measured.
        value: The number; NaN misses every target.
        rule: Which side of the bound is right.
        bound: The target.
        unit: Of both, e.g. `s`.

    Example:
        >>> print(Figure("all three tasks", 17.4, "at most", 60, "s"))
        all three tasks: 17.4 s (target: at most 60 s)
    """

    name: str
    value: float
    rule: Literal["at least", "at most"]
    bound: float
    unit: str = ""

    @property
    def reached(self) -> bool:
        """Whether the number is on the right side of the bound, or on it."""
        if self.rule == "at least":
            return self.value >= self.bound
        return self.value <= self.bound

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name}: {self.value:.3g}{unit} (target: {self.rule} {self.bound:g}{unit})"


class MissedError(UserError):
    """A target was missed.

    Attributes:
        table: What was measured; None when there is nothing to show.
    """

    def __init__(self, message: str, table: Table | None = None):
        super().__init__(message)
        self.table = table


def held_to(table: Table, figures: Sequence[Figure]) -> Table:
    """Returns a table with the figures and their targets below it.

    Raises:
        MissedError: When a target is missed; it carries that table.
    """
    table.caption = "; ".join(map(str, figures))
    missed = [figure for figure in figures if not figure.reached]
    if missed:
        raise MissedError("; ".join(map(str, missed)), table)
    return table
