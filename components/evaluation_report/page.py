"""The report as one HTML file: every section by itself, so that one that fails spoils no other."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from datetime import datetime, timezone
from importlib import resources
from typing import Any

import jinja2

from components.descriptor_evaluator.gate.messages import percent
from components.evaluation_report.material import Material, NotShownError
from components.evaluation_report.sections import (
    curves,
    filters,
    image_pair,
    map_picture,
    mistakes,
    provenance,
    scores,
    sequence_dots,
    training,
)
from trainer.core import progress
from trainer.core.errors import UserError

MOST_BYTES = 5_000_000
_FOLDER = "templates"
_PAGE = "report.html.j2"

_HEAVY = ("pair", "map", "mistakes")  # left out of a file that is too large, in this order

_log = logging.getLogger(__name__)

# In the order of the page; each is a part of the template of the same name.
_SECTIONS: dict[str, tuple[str, Callable[[Material], dict[str, Any]]]] = {
    "scores": ("results", scores.section),
    "sequences": ("results per image sequence", sequence_dots.section),
    "curves": ("curves", curves.section),
    "mistakes": ("the worst mistakes", mistakes.section),
    "pair": ("matches on an image pair", image_pair.section),
    "map": ("the map of descriptors", map_picture.section),
    "training": ("the training timeline", training.section),
    "filters": ("the first layer's filters", filters.section),
    "data": ("the data", provenance.data_section),
    "versions": ("versions and settings", provenance.versions_section),
}


def draw(material: Material) -> str:
    """Returns the report of a run.

    Raises:
        UserError: When there is no verdict: then there is nothing to report on.
    """
    verdict = material.verdict
    sections: dict[str, dict[str, Any]] = {}
    absent: list[tuple[str, str]] = []
    problems: list[tuple[str, str]] = []
    for number, (name, (title, make)) in enumerate(_SECTIONS.items()):
        progress.report("drawing the report", number, len(_SECTIONS), title)
        try:
            sections[name] = make(material)
        except NotShownError as reason:
            absent.append((title, str(reason)))
        except UserError as error:
            problems.append((title, str(error)))
        except Exception as error:
            _log.exception("the section %s of the report cannot be drawn", name)
            problems.append((title, f"{type(error).__name__}: {error}"))
    problems += _exhibit_problems(material)
    progress.report("drawing the report", len(_SECTIONS), len(_SECTIONS))

    def render() -> str:
        return (
            _environment()
            .get_template(_PAGE)
            .render(
                verdict=verdict,
                name=material.name,
                evaluated=evaluated(material),
                sections=sections,
                absent=absent,
                problems=problems,
                style=_read("report.css"),
            )
        )

    text = render()
    for name in _HEAVY:
        if len(text.encode()) > MOST_BYTES and name in sections:
            del sections[name]
            absent.append((_SECTIONS[name][0], "with it the file would be larger than 5 MB"))
            text = render()
    size = len(text.encode())
    if size > MOST_BYTES:
        _log.warning("the report has %.1f MB, more than a report should have", size / 1e6)
        problems.append(("the size", f"this file has {size / 1e6:.1f} MB, more than the usual 5"))
        text = render()
    return text


def evaluated(material: Material) -> str:
    """Says when the evaluation was made, e.g. `2025-06-01 12:30 UTC`; "" when nobody wrote it."""
    try:
        when = datetime.fromisoformat(material.about["evaluated"])
    except (KeyError, ValueError, TypeError):
        return ""
    return when.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def failure(name: str, sentence: str) -> str:
    """Returns the page that stands for a report that could not be drawn."""
    return (
        _environment()
        .get_template("failure.html.j2")
        .render(name=name, sentence=sentence, style=_read("report.css"))
    )


def _exhibit_problems(material: Material) -> list[tuple[str, str]]:
    """Returns what the evaluation could not choose to show, and why."""
    try:
        exhibits = material.exhibits
    except Exception:  # a section has said so already
        return []
    return [
        (f"{exhibit} of {name}", reason)
        for name, chosen in exhibits.items()
        for exhibit, reason in chosen.get("problems", {}).items()
    ]


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = percent
    environment.tests["nan"] = math.isnan
    return environment


def _read(name: str) -> str:
    return (resources.files(__package__) / _FOLDER / name).read_text(encoding="utf-8")
