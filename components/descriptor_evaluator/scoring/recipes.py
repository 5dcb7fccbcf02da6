"""Which recipe a handcrafted descriptor gets: chosen on validation data, kept by content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from components.descriptor_evaluator.descriptors import handcrafted
from components.descriptor_evaluator.descriptors.store import read_patches
from components.descriptor_evaluator.scoring.evaluation_context import EvaluationContext
from components.descriptor_evaluator.scoring.scores_cache import Scored
from components.example_gen.formats.patch_set import PatchSet
from trainer.data.manifest import SequenceEntry

FACT = "recipe"  # name among the facts that are kept with scores


def sift_recipe(context: EvaluationContext, name: str) -> handcrafted.SiftRecipe:
    """Chooses the recipe of a handcrafted descriptor: best matching mAP on the validation split.

    The settings' own when they leave no choice; else, without validation sequences, the usual.
    """
    settings, entries = context.settings, context.entries("val")
    choices = handcrafted.RecipeChoices(
        settings.smoothing_sigmas, settings.sift_sizes, settings.sift_paddings
    )
    if all(len(values) == 1 for values in asdict(choices).values()):
        return handcrafted.SiftRecipe(choices.sigmas[0], choices.sizes[0], choices.paddings[0])
    if not entries:
        return handcrafted.SMOOTHED
    parameters = {**asdict(choices), "points": settings.smoothing_points}
    key = context.key(f"{name}/recipe", parameters, entries)
    known = context.cache.get(key)
    if known is None:
        chosen = _best_recipe(context, entries, name, choices)
        known = Scored((), {FACT: asdict(chosen)})
        context.cache.put(key, known)
    return handcrafted.SiftRecipe(**known.facts[FACT])


def _best_recipe(
    context: EvaluationContext,
    entries: Sequence[SequenceEntry],
    name: str,
    choices: handcrafted.RecipeChoices,
) -> handcrafted.SiftRecipe:
    points = context.settings.smoothing_points
    patch_sets = [
        PatchSet(
            entry.name,
            entry.source,
            entry.kind,
            patches := read_patches(context.examples, entry, points),
            np.zeros((len(patches), 3), np.float32),
        )
        for entry in entries
    ]
    return handcrafted.choose_recipe(name, patch_sets, choices, points)
