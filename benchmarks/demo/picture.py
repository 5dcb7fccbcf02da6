"""Draws the README's picture from the demo's model: `python -m benchmarks.demo.picture`."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import click
import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt

from benchmarks.demo.real_sequences import demo_run
from components.core.names import (
    EVALUATION_KEY,
    EVALUATOR,
    EXAMPLE_GEN,
    EXAMPLES_KEY,
    MODEL_KEY,
    TRAINER,
)
from components.descriptor_evaluator.descriptors import handcrafted, saved_model
from components.descriptor_evaluator.descriptors.store import read_patches
from components.descriptor_evaluator.gate import verdict
from components.descriptor_evaluator.protocol import matching
from trainer.core.variants import NOISE_NAMES, variant_index
from trainer.data import manifest
from trainer.model.names import SERVING_DIR

_SEQUENCE = "v_coffee"
_NOISE, _TARGET = "h", 3
_COLUMNS = 9
_GREEN, _RED = "#2a9d43", "#d1382c"
_COLOURS = {"rootsift": "#b9b9b9", "rootsift-smoothed": "#8d8d8d", MODEL_KEY: "#2463a6"}


@click.command()
@click.option("--work", default="./demo", help="Work folder of the demo.")
@click.option("--output", default="docs/pictures/result.png", help="Where the picture goes.")
def main(work: str, output: str) -> None:
    """Draw matching mAP beside what the nearest neighbours look like."""
    result = demo_run(work)
    decision = verdict.read(result.uri(EVALUATOR, EVALUATION_KEY))
    examples = result.uri(EXAMPLE_GEN, EXAMPLES_KEY)
    model = saved_model.load_model(str(Path(result.uri(TRAINER, MODEL_KEY), SERVING_DIR)))
    (entry,) = [e for e in manifest.read(examples).splits["eval"] if e.name == _SEQUENCE]
    patches = read_patches(examples, entry)

    figure = plt.figure(figsize=(13, 3.7), layout="constrained")
    bars, gallery = figure.subfigures(1, 2, width_ratios=[1, 2.4], squeeze=False)[0]
    _draw_bars(bars.subplots(), [row for row in decision.table if row.task == "matching"])
    described = {
        "RootSIFT": handcrafted.describe_sequence("rootsift", patches),
        MODEL_KEY: saved_model.describe_patches(model, patches),
    }
    _draw_gallery(gallery, patches, described)
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=110)
    click.echo(f"drawn: {output}")


def _draw_bars(axes: plt.Axes, rows: list[verdict.TableRow]) -> None:
    names = ("rootsift", "rootsift-smoothed", MODEL_KEY)
    places = np.arange(len(rows))
    for number, name in enumerate(names):
        values = [100 * (r.candidate if name == MODEL_KEY else r.baselines[name]) for r in rows]
        drawn = axes.bar(
            places + 0.27 * (number - 1), values, 0.25, color=_COLOURS[name], label=name
        )
        axes.bar_label(drawn, fmt="%.0f", fontsize=7)
    axes.set_xticks(places, [NOISE_NAMES.get(row.noise, row.noise) for row in rows])
    axes.set_ylabel("matching mAP, %")
    axes.set_title("held-out photographs", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)


def _draw_gallery(
    figure: plt.Figure, patches: np.ndarray, described: dict[str, np.ndarray]
) -> None:
    """Reference patches, and below each the nearest target patch by each descriptor."""
    place = variant_index(_NOISE, _TARGET)
    points = np.random.default_rng(3).choice(len(patches), _COLUMNS, replace=False)
    axes = figure.subplots(1 + len(described), _COLUMNS)
    figure.suptitle(
        f"{_SEQUENCE}: reference patches, and the nearest {NOISE_NAMES[_NOISE]} patch of "
        f"another image out of {len(patches)}",
        fontsize=10,
    )
    for column, point in enumerate(points):
        _show(axes[0, column], patches[point, 0], None)
    axes[0, 0].set_ylabel("reference", fontsize=8)
    for row, (name, values) in enumerate(described.items(), 1):
        nearest = matching.nearest_neighbours(values[0], values[place]).index
        axes[row, 0].set_ylabel(name, fontsize=8)
        for column, point in enumerate(points):
            right = nearest[point] == point
            _show(axes[row, column], patches[nearest[point], place], _GREEN if right else _RED)


def _show(axes: plt.Axes, patch: np.ndarray, colour: str | None) -> None:
    axes.imshow(patch, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set(visible=colour is not None, color=colour, linewidth=3)


if __name__ == "__main__":
    main()
