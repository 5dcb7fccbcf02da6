"""The scores of a candidate as its model card tells them; the Pusher puts them into the card.

They lie beside the blessing, which the Pusher is given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from components.core import files
from components.core.names import CARD_SCORES_FILE, PRODUCTION
from components.descriptor_evaluator.gate.messages import METRIC_NAMES, percent, scenes
from components.descriptor_evaluator.gate.verdict import TableRow, Verdict
from components.descriptor_evaluator.protocol.task_tables import Tasks
from trainer.core.variants import NOISE_NAMES
from trainer.model import card


def write(verdict: Verdict, tasks: Tasks, about: Mapping[str, Any], folder: str) -> None:
    """Writes the scores of a blessed candidate into a folder; nothing of a refused one.

    Args:
        verdict: The verdict on the candidate.
        tasks: What was scored.
        about: What is kept beside the scores: `data_checksum` and `distance`.
        folder: Folder of the blessing.

    Raises:
        UserError: When nothing can be written there.
    """
    if verdict.blessed and verdict.table:
        text = describe(verdict, tasks, about["data_checksum"], about["distance"])
        files.write_text(files.join(folder, CARD_SCORES_FILE), text)


def describe(verdict: Verdict, tasks: Tasks, data_checksum: str, distance: str) -> str:
    """Returns the section of the model card, Markdown.

    Args:
        verdict: With the table of results; its numbers are fractions.
        tasks: What was scored.
        data_checksum: Checksum of the image sequences that were scored.
        distance: Distance of descriptors, e.g. `l2`.
    """
    over = scenes(verdict.table)
    intervals = f", with 95 % intervals over {over}" if over else ""
    baselines = list(dict.fromkeys(name for row in verdict.table for name in row.baselines))
    compared = any(not math.isnan(row.production) for row in verdict.table)
    headings = ["task", "noise", "this model", "95 % interval", *baselines]
    headings += [PRODUCTION] if compared else []
    table = [headings, ["---"] * len(headings)]
    table += [_cells(row, baselines, compared) for row in verdict.table]
    rows = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
    beside = " `production` is the model that was served then." if compared else ""
    return f"""{card.SCORES_HEADING}

{verdict.summary} In per cent{intervals}, on image sequences that it was not trained on.{beside}

- Image sequences: {card.listed(tasks.names)}; checksum {data_checksum}.
- Tasks: {tasks.origin}; distance {distance}.

{rows}
"""


def _cells(row: TableRow, baselines: list[str], compared: bool) -> list[str]:
    interval = "" if math.isnan(row.low) else f"{percent(row.low)} to {percent(row.high)}"
    return [
        f"{row.task} {METRIC_NAMES.get(row.metric, row.metric)}",
        NOISE_NAMES.get(row.noise, row.noise),
        percent(row.candidate),
        interval,
        *(percent(row.baselines.get(name, math.nan)) for name in baselines),
        *([percent(row.production)] if compared else []),
    ]
