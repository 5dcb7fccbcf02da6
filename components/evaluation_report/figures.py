"""How figures look, and how they get into the page: as SVG that takes the page's colours.

Text stays text (it can be selected and takes the page's font), and ink is `currentColor`,
so that one figure suits a light page, a dark one and paper.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from components.core.names import CANDIDATE, PRODUCTION

_INK = "#123456"  # stands for the page's colour until the figure is SVG
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _INK,
    "grid.alpha": 0.12,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "lines.linewidth": 1.6,
}
# Told apart by every kind of colour vision (Okabe and Ito, Color Universal Design, 2008).
BLUE, ORANGE, GREEN, RED, PURPLE = "#0c7bc0", "#e69f00", "#009e73", "#d55e00", "#cc79a7"
_HANDCRAFTED = ((PURPLE, "--"), (GREEN, ":"), (RED, "-."), ("#8a8a8a", "-"))


@dataclass(frozen=True)
class Look:
    """How one descriptor is drawn everywhere; the dash is in matplotlib's notation."""

    name: str
    label: str
    colour: str
    dash: str

    @property
    def dash_array(self) -> str:
        """Dash pattern of lines in SVG that is written by hand."""
        return {"-": "none", "--": "6 3", ":": "2 3", "-.": "7 3 2 3"}[self.dash]


def looks(names: Sequence[str]) -> dict[str, Look]:
    """Gives every descriptor a colour and a dash, the same for the same set of names.

    Args:
        names: As `material.in_order` sorts them.
    """
    by_name = {}
    handcrafted = 0
    for name in names:
        if name == CANDIDATE:
            by_name[name] = Look(name, "this model", BLUE, "-")
        elif name == PRODUCTION:
            by_name[name] = Look(name, PRODUCTION, ORANGE, "-")
        else:
            colour, dash = _HANDCRAFTED[handcrafted % len(_HANDCRAFTED)]
            by_name[name] = Look(name, name, colour, dash)
            handcrafted += 1
    return by_name


def panel(
    width: float = 3.5, height: float = 2.7, rows: int = 1, columns: int = 1
) -> tuple[Figure, list[Axes]]:
    """Returns a figure of some panels, in the report's style.

    Args:
        width: Inches; 3.5 are shown at about 340 pixels, the width of a telephone.
        height: Inches.
        rows: Number of panels above each other, which share their x axis.
        columns: Number of panels beside each other, which share their y axis.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, sharex=True, sharey="row", squeeze=False)
    return figure, list(axes.flat)


def to_svg(figure: Figure, description: str) -> Markup:
    """Returns a figure as SVG to stand in a page.

    Args:
        figure: From `panel`.
        description: What it shows, for those who cannot see it.
    """
    content = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    text = content.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace(_INK, "currentColor").replace("\n", "")
    head, _, rest = text.partition(">")
    head = re.sub(r' (width|height)="[^"]*"', "", head)  # the page says how large it is
    opening = f'{head} role="img" aria-label="{escape(description)}" class="figure">'
    rest = re.sub(r'<g id="[^"]*"', "<g", rest)  # nothing refers to them, and figures share them
    return Markup(opening + rest)


def to_pdf(figure: Figure) -> bytes:
    """Returns a figure as PDF for a paper: black ink, fonts embedded, no date in it.

    Args:
        figure: From `panel`.
    """
    for artist in figure.findobj():
        for part in ("color", "edgecolor"):
            of = getattr(artist, f"get_{part}", None)
            if of is not None and same_color(of(), _INK):
                getattr(artist, f"set_{part}")("black")
    content = io.BytesIO()
    with matplotlib.rc_context({**_STYLE, "pdf.fonttype": 42}):  # 42: TrueType, which journals ask
        figure.savefig(content, format="pdf", metadata={"CreationDate": None})
    return content.getvalue()


def percent_axis(axes: Axes, which: str) -> None:
    """Makes an axis of fractions read in per cent, from 0 to 100."""
    getattr(axes, f"set_{which}lim")(0, 1)
    ticks = np.linspace(0, 1, 6)
    getattr(axes, f"set_{which}ticks")(ticks, [f"{100 * tick:.0f}" for tick in ticks])
