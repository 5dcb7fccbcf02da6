import numpy as np
import pytest

from components.descriptor_evaluator.descriptors import handcrafted
from components.descriptor_evaluator.descriptors.sift import SMOOTHED, SiftRecipe
from components.descriptor_evaluator.protocol import matching
from components.descriptor_evaluator.scoring import recipes
from tests.components.descriptor_evaluator.scoring.evaluation_contexts import context, entry
from tests.support.releases import patches_of

TUNED = [name for name, baseline in handcrafted.BASELINES.items() if baseline.tuned]
FIRST = SiftRecipe(recipes.SIGMAS[0], recipes.SIZES[0], recipes.PADDINGS[0])


def recipe(context):
    return recipes.sift_recipe(context, "rootsift-smoothed")


def test_without_validation_data_the_usual_recipe_is_taken(tmp_path):
    assert recipe(context(tmp_path)) == SMOOTHED


def test_the_recipe_is_chosen_on_validation_data_once_per_content(tmp_path, monkeypatch):
    asked = []

    def choose(name, patches):
        asked.append((name, list(patches)))
        return SiftRecipe(3.0)

    monkeypatch.setattr(recipes, "choose_recipe", choose)
    monkeypatch.setattr(recipes, "read_patches", lambda *args: [0, 0])
    val = (entry("v_v"), entry("v_w"))
    for _ in range(2):
        assert recipe(context(tmp_path, val)) == SiftRecipe(3.0)
    assert asked == [("rootsift-smoothed", ["v_v", "v_w"])]
    recipe(context(tmp_path, (entry("v_v", "changed"),)))
    recipe(context(tmp_path, val, code="changed"))
    recipes.sift_recipe(context(tmp_path, val), "sift-smoothed")
    assert len(asked) == 4


@pytest.mark.parametrize("name", TUNED)
def test_each_value_is_the_best_given_those_before(name):
    patches = {"v_one": patches_of("v_one", 12)}
    chosen = recipes.choose_recipe(name, patches)

    def score(recipe):
        described = handcrafted.describe_sequence(name, patches["v_one"], recipe)
        return matching.mean_average_precision({"v_one": described})["mean"]

    blurs = [SiftRecipe(sigma, FIRST.size, FIRST.padding) for sigma in recipes.SIGMAS]
    assert chosen.sigma == max(blurs, key=score).sigma
    sizes = [SiftRecipe(chosen.sigma, size, FIRST.padding) for size in recipes.SIZES]
    assert chosen.size == max(sizes, key=score).size
    borders = [SiftRecipe(chosen.sigma, chosen.size, padding) for padding in recipes.PADDINGS]
    assert chosen.padding == max(borders, key=score).padding


def test_of_equally_good_values_the_first_is_taken(monkeypatch):
    monkeypatch.setattr(matching, "mean_average_precision", lambda *args: {"mean": 0.5})
    patches = {"v_one": np.zeros((2, 16, 65, 65), np.uint8)}
    assert recipes.choose_recipe("rootsift-smoothed", patches) == FIRST
