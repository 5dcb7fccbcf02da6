"""What an evaluation leaves in its folder beside the verdict."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from components.descriptor_evaluator.report_data import exhibits
from components.descriptor_evaluator.scoring import evaluate, recipes, stored_result, summary
from components.descriptor_evaluator.scoring.evaluation_context import (
    Candidate,
    EvaluationContext,
    data_checksum,
)
from components.descriptor_evaluator.scoring.scores_cache import Scored, rows_to_lines

SUMMARY_FILE = "summary.json"


def write(
    output: str, context: EvaluationContext, candidate: Candidate, scored: Mapping[str, Scored]
) -> None:
    """Writes the unit scores of everything scored, the candidate's summary, and what it is about.

    Args:
        output: Folder of the evaluation; it is there.
        context: Where and with what was measured.
        candidate: The model that is judged.
        scored: By name, the candidate under `stored_result.CANDIDATE`.
    """
    folder = posixpath.join(output, stored_result.ROWS_FOLDER)
    tf.io.gfile.makedirs(folder)
    for name, item in scored.items():
        with tf.io.gfile.GFile(posixpath.join(folder, f"{name}.jsonl"), "w") as file:
            file.write(rows_to_lines(item.rows))
    content = summary.summarise(scored[stored_result.CANDIDATE].rows)
    with tf.io.gfile.GFile(posixpath.join(output, SUMMARY_FILE), "w") as file:
        file.write(json.dumps(content, indent=1) + "\n")
    if context.settings.exhibits:
        exhibits.write(output, {name: item.facts[exhibits.FACT] for name, item in scored.items()})
    stored_result.write_about(output, about(context, candidate, scored))


def about(
    context: EvaluationContext, candidate: Candidate, scored: Mapping[str, Scored]
) -> dict[str, Any]:
    """Returns what the result is about, for comparisons and for readers; JSON."""
    return {
        "data_checksum": data_checksum(context.entries("eval")),
        "scored": {"model": candidate.path, "checksum": candidate.checksum},
        "distance": context.settings.distance,
        "degeneracy": scored[stored_result.CANDIDATE].facts["degeneracy"],
        "recipes": recipes_of(scored),
        "settings": context.settings.model_dump(mode="json"),
        "code_fingerprint": context.code_fingerprint,
        "versions": evaluate.versions(),
        "evaluated": stored_result.now(),
    }


def recipes_of(scored: Mapping[str, Scored]) -> dict[str, dict[str, float]]:
    """Returns the recipes that were chosen, by the name of the handcrafted descriptor."""
    return {
        name: item.facts[recipes.FACT]
        for name, item in scored.items()
        if recipes.FACT in item.facts
    }
