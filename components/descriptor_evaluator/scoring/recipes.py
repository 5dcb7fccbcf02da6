"""The recipe of a tuned baseline: chosen by matching mAP on validation data, kept by content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np

from components.descriptor_evaluator.descriptors import handcrafted
from components.descriptor_evaluator.descriptors.sift import SMOOTHED, SiftRecipe, in_words
from components.descriptor_evaluator.descriptors.store import read_patches
from components.descriptor_evaluator.protocol import matching
from components.descriptor_evaluator.scoring.evaluation_context import EvaluationContext
from components.descriptor_evaluator.scoring.scores_cache import Scored
from trainer.core import progress
from trainer.core.variants import VAL

FACT = "recipe"  # key among the facts that are kept with scores

# Values to choose from; the first ones are taken for what is not looked at yet.
SIGMAS = (2.5, 3.0, 3.5)
SIZES = (1 / 6, 1 / 5, 1 / 4)
PADDINGS = (0.0, 1 / 4)
POINTS = 100  # most points used of each validation sequence


def sift_recipe(context: EvaluationContext, name: str) -> SiftRecipe:
    """Returns the recipe with the best matching mAP on the validation split.

    Args:
        context: Examples, cache and settings; without validation sequences, `SMOOTHED` is taken.
        name: A tuned baseline.
    """
    entries = context.entries(VAL)
    if not entries:
        return SMOOTHED
    key = context.key(f"{name}/recipe", {}, entries)
    known = context.cache.get(key)
    if known is None:
        patches = {entry.name: read_patches(context.examples, entry, POINTS) for entry in entries}
        known = Scored((), {FACT: asdict(choose_recipe(name, patches))})
        context.cache.put(key, known)
    return SiftRecipe(**known.facts[FACT])


def choose_recipe(name: str, patches: Mapping[str, np.ndarray]) -> SiftRecipe:
    """Chooses the recipe of a tuned baseline by matching mAP, never on held-out data.

    One value after the other: the blur, with it the size, with both the border. Of equally
    good values the first is taken.

    Args:
        name: A tuned baseline.
        patches: uint8 [N, 16, h, h] of each validation sequence.
    """
    total = len(SIGMAS) + len(SIZES) + len(PADDINGS) - 2
    known: dict[SiftRecipe, float] = {}

    def score(recipe: SiftRecipe) -> float:
        if recipe not in known:
            progress.report(f"choosing the recipe of {name}", len(known), total)
            described = {
                sequence: handcrafted.describe_sequence(name, values, recipe)
                for sequence, values in patches.items()
            }
            known[recipe] = matching.mean_average_precision(described)["mean"]
        return known[recipe]

    best = SiftRecipe(SIGMAS[0], SIZES[0], PADDINGS[0])
    choices: Sequence[tuple[str, Sequence[float]]] = (
        ("sigma", SIGMAS),
        ("size", SIZES),
        ("padding", PADDINGS),
    )
    for field, values in choices:
        best = max((replace(best, **{field: value}) for value in values), key=score)
    progress.report(f"choosing the recipe of {name}", total, total)
    return best


def chosen(scored: Mapping[str, Scored]) -> dict[str, dict[str, float]]:
    """Returns the recipes that were chosen, by the name of the baseline."""
    return {name: item.facts[FACT] for name, item in scored.items() if FACT in item.facts}


def sentences(recipes: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Says which recipe each tuned baseline was given.

    Args:
        recipes: Values of a `SiftRecipe` by the baseline's name.
    """
    return [f"{name}: {in_words(SiftRecipe(**values))}." for name, values in recipes.items()]
