"""Kills a training again and again, and compares its weights with an undisturbed run's."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
import yaml
from rich.table import Table

from tests.support.synthetic import write_examples
from trainer.engine import output_folder
from trainer.model.names import SERVING_DIR
from trainer.reporting import result as results

KILLS, SEED = 20, 7
_STAGES, _STAGE_STEPS = 12, 60
_NAMES = {
    "steps": "steps",
    "checkpoint": "the writing of a checkpoint",
    "stage": "a change of stage",
    "export": "the export",
    "finish": "the tidying up",
}
_DATA = {
    "train": {"v_a": ("a", 12), "v_b": ("b", 12), "v_c": ("c", 12)},
    "val": {"v_d": ("d", 8)},
}


@dataclass(frozen=True)
class Kill:
    """When a process is to die (`benchmarks.training.dying_trainer`).

    Attributes:
        place: `steps`, `checkpoint`, `stage` (between two of them), `export` or `finish` (the
            result is there, the checkpoints are to go).
        number: At which occurrence of the place in the process, from 1.
    """

    place: str
    number: int


@dataclass(frozen=True)
class Trial:
    """What came of a run that was killed.

    Attributes:
        kills: How it was killed.
        resumed: Steps that processes went on from; those of a process that was killed before
            its first checkpoint are not known.
        equal_weights: Whether it ended with the undisturbed run's weights, bit for bit.
        equal_course: Whether it took the same decisions and scored the same on `val`.
        tidied: Whether none of its checkpoints were left.
    """

    kills: tuple[Kill, ...]
    resumed: tuple[int, ...]
    equal_weights: bool
    equal_course: bool
    tidied: bool


def run(work: str) -> Table:
    """Returns where the run was killed, where it went on, and what it ended with."""
    del work
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        trial = try_kills(Path(folder), random_kills(KILLS, SEED), _STAGES, _STAGE_STEPS)
    table = Table(title=f"{KILLS} x kill -9 in {_STAGES} stages of {_STAGE_STEPS} steps")
    table.add_column("what")
    table.add_column("found", justify="right")
    for place, name in _NAMES.items():
        count = sum(kill.place == place for kill in trial.kills)
        table.add_row(f"killed in {name}", str(count))
    table.add_row("gone on from steps", ", ".join(map(str, trial.resumed)))
    table.add_row("weights at the end equal, bit for bit", _yes(trial.equal_weights))
    table.add_row("decisions and scores equal", _yes(trial.equal_course))
    table.add_row("no checkpoints left", _yes(trial.tidied))
    return table


def random_kills(count: int, seed: int) -> tuple[Kill, ...]:
    """Draws kills of all places; the last two hit what follows the last step."""
    rng = random.Random(seed)
    occurrences = {"steps": (2, 8), "checkpoint": (4, 20), "stage": (1, 3)}
    places = (["steps", "checkpoint", "steps", "checkpoint", "stage"] * count)[: count - 2]
    rng.shuffle(places)
    kills = [Kill(place, rng.randint(*occurrences[place])) for place in places]
    return (*kills, Kill("export", 1), Kill("finish", 1))


def try_kills(folder: Path, kills: tuple[Kill, ...], stages: int, steps: int) -> Trial:
    """Trains once undisturbed and once with kills, and compares.

    Args:
        folder: For data and results.
        kills: One after the other, each in a process that goes on where the last one died.
        stages: Stages of the plan.
        steps: Steps of each stage.

    Raises:
        RuntimeError: When a process ended otherwise than it was to.
    """
    write_examples(folder / "data", _DATA)
    (folder / "config.yaml").write_text(yaml.safe_dump(_config(stages, steps)))
    _train(folder, "undisturbed", ())
    _train(folder, "killed", kills)
    first, second = (folder / name for name in ("undisturbed", "killed"))
    resumed = [event["step"] for event in _events(second) if event["event"] == "resume"]
    return Trial(
        kills=kills,
        resumed=tuple(resumed),
        equal_weights=_weights(first) == _weights(second),
        equal_course=_course(first) == _course(second),
        tidied=not (second / output_folder.CHECKPOINTS).exists(),
    )


def _config(stages: int, steps: int) -> dict:
    """Batches that grow, so that every stage compiles a function of its own."""
    plan = [
        {
            "points_per_batch": 8 + 2 * number,
            "patches_per_point": 2,
            "min_steps": steps,
            "max_steps": steps,
            "warm_up_steps": 3,
        }
        for number in range(stages)
    ]
    return {
        "model": {"width": 0.125, "dimension": 64, "dropout": 0.1},
        "stages": plan,
        "validation": {"every_steps": 25, "max_points": 20},
        "steps_per_loop": 5,
        "checkpoint_every": 10,
        "strategy": "one_device",
        "deterministic": True,
    }


def _train(folder: Path, output: str, kills: tuple[Kill, ...]) -> None:
    """Runs `python -m trainer` in processes that die, and in a last one that does not."""
    deaths = [*((kill.place, kill.number) for kill in kills), ("nowhere", 0)]
    command = [sys.executable, "-m", "benchmarks.training.dying_trainer", json.dumps(deaths)]
    options = {
        "--config": folder / "config.yaml",
        "--data": folder / "data",
        "--pack-dir": folder / "packed",
        "--output": folder / output,
    }
    for name, value in options.items():
        command += [name, str(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ended = done.stdout.rstrip().rpartition("\n")[2]
    expected = json.dumps([-signal.SIGKILL] * len(kills) + [0])
    if ended != expected:
        raise RuntimeError(f"ended with {ended}, expected {expected}: {done.stderr[-4000:]}")


def _events(output: Path) -> list[dict]:
    return json.loads((output / "timeline.json").read_text())


def _weights(output: Path) -> dict[str, bytes]:
    variables = output / SERVING_DIR / "variables" / "variables"
    reader = tf.train.load_checkpoint(str(variables))
    return {
        name: reader.get_tensor(name).tobytes()
        for name in reader.get_variable_to_shape_map()
        if name.startswith("network/")
    }


def _course(output: Path) -> tuple:
    """Returns what must not depend on interruptions."""
    outcome = results.read(str(output))
    return (
        [event for event in _events(output) if event["event"] != "resume"],
        (outcome.ended, outcome.steps, outcome.patches, outcome.best_step, outcome.validation),
    )


def _yes(value: bool) -> str:
    return "yes" if value else "NO"
