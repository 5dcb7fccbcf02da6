"""What the training benchmarks train on and are scored on.

Training data are the demo's photographs (`train` and `val`), cut once into the work
folder. Scores are matching mAP on its held-out photographs (`eval`) and on patches cut from
six real image sequences.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from tfx.types import standard_artifacts
from tfx.types.standard_component_specs import EXAMPLES_KEY

from components.descriptor_evaluator.descriptors import saved_model
from components.descriptor_evaluator.descriptors.store import read_patches
from components.descriptor_evaluator.protocol import matching
from components.example_gen import executor
from components.example_gen.component import PatchExampleGen
from components.example_gen.formats import demo_photographs, reading
from components.example_gen.settings import DataSettings
from components.example_gen.splits import load_split_lists
from pipeline.config.tree import load_config
from trainer.core.code_fingerprint import fingerprint
from trainer.core.errors import UserError
from trainer.core.variants import NOISES
from trainer.data import manifest

REAL_POINTS = 500
Patches = dict[str, np.ndarray]  # uint8 [N, 16, 65, 65] by image sequence


def demo_examples(work: str) -> str:
    """Cuts the demo's photographs into examples, once per work folder and code.

    Args:
        work: Work folder of the benchmarks.

    Returns:
        Folder with `manifest.json` and the shards of `train`, `val` and `eval`.
    """
    code = fingerprint(
        "components.example_gen",
        "components.core.files",
        "trainer.data.records",
        "trainer.core.variants",
    )
    root = Path(work).absolute() / "benchmarks"
    final = root / f"examples-{code}"
    if not final.is_dir():
        photographs = demo_photographs.materialise(root / "photographs")
        data = load_config("demo").data
        component = PatchExampleGen(
            input_base=str(photographs),
            format=data.format,
            settings_json=data.settings().model_dump_json(),
            split_lists=load_split_lists(data.split),
            code_fingerprint=code,
        )
        temporary = final.with_suffix(".tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        examples = standard_artifacts.Examples()
        examples.uri = str(temporary)
        executor.Executor().Do({}, {EXAMPLES_KEY: [examples]}, dict(component.exec_properties))
        temporary.rename(final)
    return str(final)


def held_out(examples: str, points: int = 300) -> Patches:
    """Returns the patches of the photographs that are never trained on."""
    entries = manifest.read(examples).splits["eval"]
    return {entry.name: read_patches(examples, entry, points) for entry in entries}


def real_sequences(points: int = REAL_POINTS) -> Patches:
    """Cuts patches from the six real image sequences.

    Raises:
        UserError: When they are not there.
    """
    root = Path(os.environ.get("HPATCHES_SHARED", "../shared")) / "data" / "sequences"
    if not root.is_dir():
        raise UserError(f"{root}: no real image sequences (set HPATCHES_SHARED to where they are)")
    settings = DataSettings(format="sequences", max_points=points)
    inputs, _ = reading.list_sequences("sequences", str(root), settings)
    return {item.name: reading.load_sequence(item, settings).patches for item in inputs}


def score(model_path: str, patches: Patches) -> dict[str, float]:
    """Returns matching mAP of a SavedModel (`e`, `h`, `t`, `mean`), the mean over sequences."""
    model = saved_model.load_model(model_path)
    rows = [
        matching.mean_average_precision({name: saved_model.describe_patches(model, values)})
        for name, values in patches.items()
    ]
    return {key: float(np.mean([row[key] for row in rows])) for key in (*NOISES, "mean")}
