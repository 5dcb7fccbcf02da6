"""Other descriptors on the same patches: OpenCV's contributed ones, MKD, RootSIFT, the model.

Patches are cut from HPatches' four sequences at hand by the default rules.
"""

from __future__ import annotations

import numpy as np
from rich.table import Table

from benchmarks.calibration import contributed, official
from benchmarks.calibration.calibration import CALIBRATED, HELD_BACK
from benchmarks.demo.real_sequences import demo_run
from components.core.names import MODEL_KEY, ROOTSIFT, TRAINER
from components.descriptor_evaluator.descriptors import handcrafted, saved_model
from components.descriptor_evaluator.protocol import matching
from components.example_gen.formats import reading
from components.example_gen.settings import DataSettings
from trainer.core.progress import report
from trainer.model.names import SERVING_DIR

METHODS = ("VGG", "BoostDesc", "BEBLID", "TEBLID", "DAISY", "MKD", "BRIEF", "LATCH", "FREAK")


def run(work: str) -> Table:
    """Returns matching mAP by descriptor and sequence, mean over easy, hard and tough."""
    contributed.require()
    settings = DataSettings(format="sequences")
    inputs, _ = reading.list_sequences("sequences", str(official.root() / "sequences"), settings)
    chosen = [item for item in inputs if item.name in (*CALIBRATED, *HELD_BACK)]
    patches = {item.name: reading.load_sequence(item, settings).patches for item in chosen}
    model = saved_model.load_model(f"{demo_run(work).uri(TRAINER, MODEL_KEY)}/{SERVING_DIR}")
    scores: dict[str, dict[str, float]] = {}
    for number, method in enumerate(METHODS):
        report("describing", number, len(METHODS), method)
        scores[method] = _means({name: _by_variant(method, part) for name, part in patches.items()})
    report("describing", len(METHODS), len(METHODS))
    scores[ROOTSIFT] = _means(
        {name: handcrafted.describe_sequence(ROOTSIFT, part) for name, part in patches.items()}
    )
    scores["model of the demo"] = _means(
        {name: saved_model.describe_patches(model, part) for name, part in patches.items()}
    )
    return table(scores)


def _by_variant(method: str, patches: np.ndarray) -> np.ndarray:
    """Describes uint8 [N, 16, 65, 65], float32 [16, N, D]."""
    flat = contributed.describe(method, patches.reshape(-1, *patches.shape[2:]))
    return flat.reshape(*patches.shape[:2], -1).swapaxes(0, 1)


def _means(described: dict[str, np.ndarray]) -> dict[str, float]:
    # Of zeros and ones, the squared distance is Hamming's, so that the order is the same.
    return {
        name: matching.mean_average_precision({name: values})["mean"]
        for name, values in described.items()
    }


def table(scores: dict[str, dict[str, float]]) -> Table:
    """Shows the best first.

    Args:
        scores: Matching mAP, 0..1, by descriptor and sequence.
    """
    shown = Table(title="Matching mAP on the same patches, per cent, mean of easy, hard and tough")
    shown.add_column("descriptor")
    for name in (*next(iter(scores.values())), "mean"):
        shown.add_column(name, justify="right")
    rows = {
        name: [*values.values(), float(np.mean([*values.values()]))]
        for name, values in scores.items()
    }
    for name, values in sorted(rows.items(), key=lambda row: -row[1][-1]):
        shown.add_row(name, *(f"{100 * value:.1f}" for value in values))
    return shown
