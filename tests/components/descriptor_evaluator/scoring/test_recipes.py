from components.descriptor_evaluator.descriptors import handcrafted
from components.descriptor_evaluator.scoring import recipes
from tests.components.descriptor_evaluator.scoring.evaluation_contexts import context, entry

ONE = {"smoothing_sigmas": [2.25], "sift_sizes": [0.2], "sift_paddings": [0.0]}


def recipe(context):
    return recipes.sift_recipe(context, "rootsift-smoothed")


def test_without_validation_data_the_usual_recipe_is_taken(tmp_path):
    assert recipe(context(tmp_path)) == handcrafted.SMOOTHED
    for val in ((entry("v_v"),), ()):
        one = context(tmp_path, val=val, **ONE)
        assert recipe(one) == handcrafted.SiftRecipe(2.25, 0.2, 0.0)


def test_the_recipe_is_chosen_on_validation_data_once_per_content(tmp_path, monkeypatch):
    asked = []

    def choose(name, patch_sets, choices, points):
        asked.append((name, [item.name for item in patch_sets]))
        return handcrafted.SiftRecipe(choices.sigmas[1], choices.sizes[0], choices.paddings[0])

    monkeypatch.setattr(handcrafted, "choose_recipe", choose)
    monkeypatch.setattr(recipes, "read_patches", lambda *args: [0, 0])
    val = (entry("v_v"), entry("v_w"))
    for _ in range(2):
        assert recipe(context(tmp_path, val)) == handcrafted.SiftRecipe(3.0)
    assert asked == [("rootsift-smoothed", ["v_v", "v_w"])]
    recipe(context(tmp_path, (entry("v_v", "changed"),)))
    recipe(context(tmp_path, val, code="changed"))
    recipe(context(tmp_path, val, smoothing_sigmas=[1.0, 2.0]))
    recipe(context(tmp_path, val, sift_sizes=[0.2, 0.3]))
    recipes.sift_recipe(context(tmp_path, val), "sift-smoothed")
    assert len(asked) == 6
