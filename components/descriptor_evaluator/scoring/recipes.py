"""Which recipe a handmade descriptor gets: chosen on validation data, kept by content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from components.descriptor_evaluator.descriptors import handcrafted
from components.descriptor_evaluator.descriptors.store import read_patches
from components.descriptor_evaluator.scoring.evaluation_context import Bench
from components.descriptor_evaluator.scoring.scores_cache import Scored
from components.example_gen.formats.base import PatchSet
from trainer.data.manifest import SequenceEntry

FACT = "recipe"  # name among the facts that are kept with scores


def sift_recipe(bench: Bench, name: str) -> handcrafted.SiftRecipe:
    """Chooses the recipe of a handmade descriptor: best matching mAP on the validation split.

    The settings' own when they leave no choice; else, without validation sequences, the usual.
    """
    settings, entries = bench.settings, bench.entries("val")
    choices = handcrafted.RecipeChoices(
        settings.smoothing_sigmas, settings.sift_sizes, settings.sift_paddings
    )
    if all(len(values) == 1 for values in asdict(choices).values()):
        return handcrafted.SiftRecipe(choices.sigmas[0], choices.sizes[0], choices.paddings[0])
    if not entries:
        return handcrafted.SMOOTHED
    parameters = {**asdict(choices), "points": settings.smoothing_points}
    key = bench.key(f"{name}/recipe", parameters, entries)
    known = bench.cache.get(key)
    if known is None:
        chosen = _best_recipe(bench, entries, name, choices)
        known = Scored((), {FACT: asdict(chosen)})
        bench.cache.put(key, known)
    return handcrafted.SiftRecipe(**known.facts[FACT])


def _best_recipe(
    bench: Bench,
    entries: Sequence[SequenceEntry],
    name: str,
    choices: handcrafted.RecipeChoices,
) -> handcrafted.SiftRecipe:
    points = bench.settings.smoothing_points
    patch_sets = [
        PatchSet(
            entry.name,
            entry.source,
            entry.kind,
            patches := read_patches(bench.examples, entry, points),
            np.zeros((len(patches), 3), np.float32),
        )
        for entry in entries
    ]
    return handcrafted.choose_recipe(name, patch_sets, choices, points)
