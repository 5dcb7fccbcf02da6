"""Whether what is learned on the demo's photographs carries over to real scenes.

Trains with the demo's budget on the photographs alone (or takes the model that `make demo`
left), then scores it on patches cut from six real image sequences, beside RootSIFT with and
without smoothing. The blur is chosen on the demo's validation photographs. For sequences that
HPatches has, the published means of three methods stand beside, on HPatches' own patches.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from rich.table import Table

from components.core.names import EXAMPLE_GEN, EXAMPLES_KEY, MODEL_KEY, TRAINER
from components.descriptor_evaluator.descriptors import handcrafted, saved_model
from components.descriptor_evaluator.descriptors.sift import SiftRecipe
from components.descriptor_evaluator.descriptors.store import read_patches
from components.descriptor_evaluator.protocol import matching
from components.descriptor_evaluator.published.matching import PublishedMatching, published_on
from components.descriptor_evaluator.scoring import recipes
from components.example_gen.formats import demo_photographs, reading
from components.example_gen.settings import DataSettings
from pipeline.config.tree import load_config
from pipeline.runners import local
from pipeline.runs import work_lock
from trainer.core.errors import UserError
from trainer.core.variants import NOISES
from trainer.data import manifest
from trainer.model.names import SERVING_DIR

PUBLISHED = ("cvRSIFT", "hardnet+", "SOSNet")  # the first is our `rootsift`
_COLUMNS = (*NOISES, "mean")


def run(work: str) -> Table:
    """Returns matching mAP per sequence and noise for the model and both baselines."""
    root = Path(os.environ.get("HPATCHES_SHARED", "../shared")) / "data" / "sequences"
    if not root.is_dir():
        raise UserError(f"{root}: no real image sequences (set HPATCHES_SHARED to where they are)")
    result = demo_run(work)
    model = saved_model.load_model(str(Path(result.uri(TRAINER, MODEL_KEY)) / SERVING_DIR))
    recipe = _recipe(result.uri(EXAMPLE_GEN, EXAMPLES_KEY))
    settings = DataSettings(format="sequences")
    inputs, _ = reading.list_sequences("sequences", str(root), settings)
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for item in inputs:
        patches = reading.load_sequence(item, settings).patches
        described = {
            "rootsift": handcrafted.describe_sequence("rootsift", patches),
            _named(recipe): handcrafted.describe_sequence("rootsift-smoothed", patches, recipe),
            MODEL_KEY: saved_model.describe_patches(model, patches),
        }
        scores[f"{item.name} ({len(patches)})"] = {
            name: matching.mean_average_precision({item.name: values})
            for name, values in described.items()
        }
    return _table(scores)


def demo_run(work: str) -> local.RunResult:
    """Runs the demo in its work folder: from the cache when `make demo` has run there."""
    with work_lock.hold(work) as folder:
        photographs = demo_photographs.materialise(folder / "photographs")
        config = load_config(
            "demo",
            options={
                "work_dir": ("--work", str(folder)),
                "data.path": ("--data", str(photographs)),
            },
        )
        return local.run(config)


def _recipe(examples: str) -> SiftRecipe:
    """Chooses the recipe of the smoothed RootSIFT on the validation photographs."""
    entries = manifest.read(examples).splits["val"]
    patches = {entry.name: read_patches(examples, entry, recipes.POINTS) for entry in entries}
    return recipes.choose_recipe("rootsift-smoothed", patches)


def _named(recipe: SiftRecipe) -> str:
    border = f", border {recipe.padding:.2g}" if recipe.padding else ""
    return f"smoothed {recipe.sigma:g} px, size {recipe.size:.2f}{border}"


def _table(scores: dict[str, dict[str, dict[str, float]]]) -> Table:
    names = list(next(iter(scores.values())))
    table = Table(title="Matching mAP on real sequences, per cent (easy / hard / tough / mean)")
    table.add_column("sequence (points)")
    for name in (*names, "model - smoothed", *(f"{method}, published" for method in PUBLISHED)):
        table.add_column(name, justify="right")
    known = {sequence.split()[0]: sequence for sequence in scores}
    published = {result.method: result for result in published_on(known)}
    both = {known[name] for result in published.values() for name in result.by_sequence}
    rows = {**scores, "mean": _means(scores)}
    rows[f"mean of these {len(both)}"] = _means({key: scores[key] for key in both})
    for sequence, means in rows.items():
        cells = [" / ".join(f"{100 * means[name][key]:.1f}" for key in _COLUMNS) for name in names]
        gain = means[MODEL_KEY]["mean"] - means[names[1]]["mean"]
        row = "these" if "these" in sequence else sequence.split()[0]
        theirs = [_published(published[method], row) for method in PUBLISHED]
        last = sequence == list(scores)[-1]
        table.add_row(sequence, *cells, f"{100 * gain:+.1f}", *theirs, end_section=last)
    return table


def _means(scores: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Means over sequences, by name of the descriptor and noise."""
    names = next(iter(scores.values()))
    return {
        name: {key: float(np.mean([s[name][key] for s in scores.values()])) for key in _COLUMNS}
        for name in names
    }


def _published(result: PublishedMatching, row: str) -> str:
    """Mean over the noise levels on a sequence, or on all of these that HPatches has."""
    if row == "these":
        return f"{100 * result.by_noise['mean']:.1f}"
    return f"{100 * result.mean(row):.1f}" if row in result.by_sequence else ""
