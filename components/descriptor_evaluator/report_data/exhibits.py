"""What a report shows of descriptors beyond numbers, chosen while they are at hand.

Only curves and indices, no pixels: the report finds the patches in the examples. `choose`
runs once per scored descriptor and its result is kept with the scores, so a model whose
scores come from the cache still has its exhibits.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from components.core import files
from components.core.names import MATCHING, RETRIEVAL, VERIFICATION
from components.descriptor_evaluator.descriptors.describer import is_machinery
from components.descriptor_evaluator.protocol.distances import Distance
from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.protocol.tasks import Tasks
from components.descriptor_evaluator.report_data import curves, descriptor_map, worst_cases
from trainer.core import progress
from trainer.core.documents import read_json
from trainer.core.errors import UserError

FILE_NAME = "exhibits.json"
FACT = "exhibits"  # name among the facts that are kept with scores
PROBLEMS = "problems"
TRANSIENT = "transient"
_VERSION = 1

_log = logging.getLogger(__name__)


def choose(
    descriptors: Mapping[str, np.ndarray],
    tasks: Tasks,
    rows: Sequence[UnitScore],
    curves_only: bool = False,
    distance: Distance = "l2",
) -> dict[str, Any]:
    """Chooses what to show of descriptors.

    An exhibit never decides on a model: one that cannot be made is left out, logged, and
    named with its reason under `problems`; under `transient`, too, when the machine failed
    (no memory, a full disk), so that another try may make it.

    Args:
        descriptors: float32 [16, N, D] per image sequence.
        tasks: Tables of the tasks.
        rows: Scores of its units; exhibits of tasks without rows are not made.
        curves_only: Leave out what needs patches to be shown: for handcrafted descriptors and
            references, which stand beside the model as curves alone.
        distance: Distance metric.

    Returns:
        JSON: `verification`, `matching`, `retrieval` (`curves`), `false_matches`,
        `retrieval_rows` (`worst_cases`), `map` (`descriptor_map`), `problems` and `transient`.
    """
    scored = {row.task for row in rows}
    makers: dict[str, tuple[str, Callable[[], Any]]] = {
        VERIFICATION: (
            VERIFICATION,
            lambda: curves.verification_curves(descriptors, tasks, distance),
        ),
        MATCHING: (MATCHING, lambda: curves.matching_curves(descriptors, distance)),
        RETRIEVAL: (RETRIEVAL, lambda: curves.retrieval_curves(descriptors, tasks, distance)),
    }
    if not curves_only:
        makers |= {
            "false_matches": (MATCHING, lambda: worst_cases.false_matches(descriptors, distance)),
            "retrieval_rows": (
                RETRIEVAL,
                lambda: worst_cases.retrieval_rows(descriptors, tasks, rows, distance),
            ),
            "map": ("", lambda: descriptor_map.lay_out(descriptors)),
        }
    chosen: dict[str, Any] = {}
    problems: dict[str, str] = {}
    transient: list[str] = []
    for number, (name, (task, make)) in enumerate(makers.items()):
        progress.report("choosing what the report shows", number, len(makers), name)
        if task and task not in scored:
            continue
        try:
            made = make()
            json.dumps(made, allow_nan=False)  # what cannot be written is no exhibit either
            chosen[name] = made
        except Exception as error:
            _log.exception("the exhibit %s cannot be made", name)
            problems[name] = f"{type(error).__name__}: {error}"
            if is_machinery(error):
                transient.append(name)
    progress.report("choosing what the report shows", len(makers), len(makers))
    chosen[PROBLEMS] = problems
    return chosen | ({TRANSIENT: transient} if transient else {})


def write(folder: str, chosen: Mapping[str, Mapping[str, Any]]) -> str:
    """Writes `exhibits.json` into a folder that is there; returns its path.

    Args:
        folder: The evaluation's.
        chosen: Results of `choose` by the name of the descriptor.

    Raises:
        UserError: When it cannot be written.
    """
    path = files.join(folder, FILE_NAME)
    content = {"version": _VERSION, "descriptors": chosen}
    files.write_bytes(path, json.dumps(content, allow_nan=False).encode())
    return path


def read(folder: str) -> dict[str, dict[str, Any]]:
    """Returns the exhibits by the name of what was scored; none of an evaluation without.

    Raises:
        UserError: When the file is not one of this version.
    """
    path = files.join(folder, FILE_NAME)
    if not files.exists(path):
        return {}
    try:
        content = read_json(files.read_text(path))
        if content["version"] != _VERSION:
            raise ValueError(f"version {content['version']}, expected {_VERSION}")
        return dict(content["descriptors"])
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: holds no exhibits ({error}); evaluate again") from error
