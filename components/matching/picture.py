"""Draws matched photographs: a panel for each descriptor, lines between matched places."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle

from components.example_gen.geometry import homography
from components.matching import ransac
from components.matching.match import PairMatches, Result
from components.matching.photograph import Photograph

# Told apart by every kind of colour vision (Okabe and Ito, Color Universal Design, 2008).
_GREEN, _RED, _BLUE, _YELLOW = "#009E73", "#D55E00", "#56B4E9", "#F0E442"
_SHOWN_SIDE = 900  # longest side of a photograph on a panel
_GAP = 16
_DIMMED = 330  # grey level shown as white: lines stand out from darker photographs
_DPI = 120
# Inches: the longer side of a panel, titles above, the legend below, and around panels.
_PANEL, _TITLE, _LEGEND, _MARGIN = 9.0, 0.6, 0.45, 0.15
_GOOD_ASPECT = 1.5  # width over height that the picture is brought near to
_NAME_LENGTH = 48
# What would differ from one day to the next.
_METADATA: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def render(result: Result, kind: str) -> bytes:
    """Draws the result.

    Without a true homography, the inliers are drawn as lines and other matches as dots at
    their ends. With it, all matches are lines: right ones (off by at most the threshold)
    green, wrong ones red and dashed.

    Args:
        result: What was matched.
        kind: `png`, `jpg`, `jpeg`, `svg` or `pdf`.

    Returns:
        Content of the file; equal results give equal bytes.
    """
    placed = _layout(result.photographs, len(result.descriptors))
    with matplotlib.rc_context({"svg.hashsalt": "matches"}):
        figure, panels = _panels(_panel_size(placed), len(result.descriptors))
        for axes, outcome in zip(panels, result.descriptors, strict=True):
            _draw_panel(axes, result, outcome, placed)
        handles = _legend(result)
        figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False)
        content = io.BytesIO()
        figure.savefig(content, format=kind, metadata=_METADATA.get(kind))
    return content.getvalue()


def title_of(result: Result, outcome: PairMatches) -> str:
    """Returns two lines: the descriptor, and the counts."""
    inliers = "no homography" if outcome.fit is None else f"{outcome.inliers.sum()} inliers"
    counts = [f"{len(outcome)} matches", inliers]
    if outcome.errors is not None:
        limit = result.settings.threshold
        counts.append(f"{(outcome.errors <= limit).sum()} right within {limit:g} px")
    return f"{outcome.descriptor.name}\n{', '.join(counts)}"


@dataclass(frozen=True)
class _Placed:
    """A photograph on a panel.

    Attributes:
        image: uint8 [height, width], as shown.
        scale: Shown pixels per pixel as matched.
        corner: x and y of its upper left corner on the panel.
    """

    image: np.ndarray
    scale: float
    corner: tuple[int, int]

    @property
    def far_corner(self) -> tuple[int, int]:
        """The x and y of its lower right corner on the panel."""
        height, width = self.image.shape
        return self.corner[0] + width, self.corner[1] + height

    def place(self, points: np.ndarray) -> np.ndarray:
        """Maps places float64 [N, 2] of the photograph as matched to the panel."""
        return (points + 0.5) * self.scale + self.corner


def _layout(pair: tuple[Photograph, Photograph], panels: int) -> tuple[_Placed, _Placed]:
    """Puts the photographs beside or above each other, whichever suits the picture better."""

    def badness(placed: tuple[_Placed, _Placed]) -> float:
        width, height = _panel_size(placed)
        return abs(math.log(panels * width / height / _GOOD_ASPECT))

    return min((_arrange(pair, above) for above in (False, True)), key=badness)


def _arrange(pair: tuple[Photograph, Photograph], above: bool) -> tuple[_Placed, _Placed]:
    """Brings both to one height (side by side) or one width (above each other)."""
    axis = 0 if above else 1  # of a size (width, height)
    target = min(_SHOWN_SIDE * item.size[axis] / max(item.size) for item in pair)
    placed: list[_Placed] = []
    corner = (0, 0)
    for item in pair:
        scale = target / item.size[axis]
        size = (round(item.size[0] * scale), round(item.size[1] * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        placed.append(_Placed(cv2.resize(item.image, size, interpolation=method), scale, corner))
        corner = (0, size[1] + _GAP) if above else (size[0] + _GAP, 0)
    return placed[0], placed[1]


def _panel_size(placed: tuple[_Placed, _Placed]) -> tuple[int, int]:
    ends = np.array([item.far_corner for item in placed]).max(0)
    return int(ends[0]), int(ends[1])


def _panels(size: tuple[int, int], count: int) -> tuple[Figure, list[Axes]]:
    """Makes a figure of panels side by side, whose axes count the panels' pixels."""
    inches = _PANEL / max(size)
    width, height = size[0] * inches, size[1] * inches
    whole = (count * (width + _MARGIN) + _MARGIN, _LEGEND + height + _TITLE)
    figure = Figure(figsize=whole, dpi=_DPI)
    panels = []
    for number in range(count):
        left = _MARGIN + number * (width + _MARGIN)
        box = (left / whole[0], _LEGEND / whole[1], width / whole[0], height / whole[1])
        axes = figure.add_axes(box, xlim=(0, size[0]), ylim=(size[1], 0))
        axes.axis("off")
        panels.append(axes)
    return figure, panels


def _draw_panel(
    axes: Axes, result: Result, outcome: PairMatches, placed: tuple[_Placed, _Placed]
) -> None:
    for letter, item, shown in zip("AB", result.photographs, placed, strict=True):
        _draw_photograph(axes, shown, f"{letter}: {_name(item.path)}")
    ends = [
        shown.place(values)
        for shown, values in zip(placed, (outcome.first, outcome.second), strict=True)
    ]
    if outcome.errors is None:
        _draw_dots(axes, ends, ~outcome.inliers, "white", 3)
        _draw_lines(axes, ends, outcome.inliers, _BLUE, "solid")
    else:
        right = outcome.errors <= result.settings.threshold
        _draw_lines(axes, ends, ~right, _RED, "dashed")
        _draw_lines(axes, ends, right, _GREEN, "solid")
    if outcome.fit is not None:
        _draw_frame(axes, outcome.fit.matrix, result.photographs[0], placed[1])
    axes.set_title(title_of(result, outcome), fontsize=13)


def _draw_photograph(axes: Axes, shown: _Placed, label: str) -> None:
    (left, top), (right, bottom) = shown.corner, shown.far_corner
    extent = (left, right, bottom, top)
    axes.imshow(shown.image, cmap="gray", vmin=0, vmax=_DIMMED, extent=extent, aspect="auto")
    box = {"facecolor": "black", "alpha": 0.7, "edgecolor": "none", "pad": 3}
    axes.text(
        left + 8, top + 8, label, color="white", fontsize=9, va="top", bbox=box, zorder=6,
        parse_math=False,
    )  # fmt: skip


def _draw_lines(
    axes: Axes, ends: list[np.ndarray], which: np.ndarray, colour: str, style: str
) -> None:
    segments = np.stack([ends[0][which], ends[1][which]], axis=1)
    opacity = 0.9 if len(segments) < 100 else 0.6
    axes.add_collection(
        LineCollection(
            list(segments), colors=colour, linestyles=style, linewidths=0.8, alpha=opacity
        )
    )
    _draw_dots(axes, ends, which, colour, 5)


def _draw_dots(
    axes: Axes, ends: list[np.ndarray], which: np.ndarray, colour: str, area: float
) -> None:
    places = np.concatenate([values[which] for values in ends])
    axes.scatter(places[:, 0], places[:, 1], s=area, color=colour, linewidths=0, zorder=3)


def _draw_frame(axes: Axes, matrix: np.ndarray, first: Photograph, shown: _Placed) -> None:
    """Outlines where a homography puts the first photograph in the second."""
    corners = homography.project(matrix, ransac.corners_of(first.size))
    if not np.isfinite(
        ransac.transfer_errors(matrix, ransac.corners_of(first.size), corners, first.size)
    ).all():
        return  # a corner lies behind the second camera
    outline = Polygon(
        shown.place(corners),
        fill=False, edgecolor=_YELLOW, linewidth=1.6, zorder=4,
    )  # fmt: skip
    axes.add_patch(outline)
    window = Rectangle(
        shown.corner, *np.subtract(shown.far_corner, shown.corner), transform=axes.transData
    )
    outline.set_clip_path(window)


def _legend(result: Result) -> list[Line2D]:
    """Says what the colours mean."""
    if result.descriptors[0].errors is None:
        dot = {"marker": "o", "markersize": 5, "color": "white", "markeredgecolor": "grey"}
        handles = [
            Line2D([], [], color=_BLUE, label="inlier"),
            Line2D([], [], linestyle="none", label="other match", **dot),  # type: ignore[arg-type]
        ]
    else:
        limit = f"{result.settings.threshold:g} px"
        handles = [
            Line2D([], [], color=_GREEN, label=f"right (within {limit})"),
            Line2D([], [], color=_RED, linestyle="dashed", label="wrong"),
        ]
    if any(outcome.fit is not None for outcome in result.descriptors):
        label = "frame of A by the homography found"
        handles.append(Line2D([], [], color=_YELLOW, label=label))
    return handles


def _name(path: str) -> str:
    name = PurePosixPath(path).name
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 3]}..."
