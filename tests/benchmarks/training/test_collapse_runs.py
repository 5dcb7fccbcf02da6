"""The arms of the collapse matrix against whole training runs."""

import json
from dataclasses import dataclass

import pytest

from benchmarks.training.collapse_matrix import Cell
from benchmarks.training.collapse_runs import Data, run_gentle, run_pair
from tests.support.training import folders_in
from trainer.core.config import TrainerConfig
from trainer.curriculum import collapse
from trainer.engine import loop

SPLITS = {
    "train": {"i_a": ("a", 12), "v_b": ("b", 12)},
    "val": {"v_c": ("c", 6)},
    "eval": {"v_d": ("d", 6)},
}
_ACTIONS = ("suspect", "rollback", "lengthen", "promote", "insert", "give_up")


@dataclass(frozen=True)
class _SmallCell(Cell):
    """A cell of seconds."""

    def config(self, *, gentle: bool = False) -> TrainerConfig:
        stage = {"points_per_batch": 16, "patches_per_point": 6, "max_steps": 40}
        return TrainerConfig.model_validate(
            {
                "seed": self.seed,
                "model": {
                    "network": "l2net",
                    "width": 0.1,
                    "dimension": 64,
                    "final_normalisation": self.normalisation,
                },
                "loss": {"name": self.loss, "distance": self.distance},
                "stages": [{**stage, "learning_rate": self.rate}],
                "steps_per_loop": 4,
                "controller": {"max_rollbacks": 2},
                "clip_norm": 1.0 if gentle else None,
            }
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "acts"),
    [
        (_SmallCell("hinge", "squared", "l2", 0.3, 3), True),
        (_SmallCell("hinge", "euclidean", "batch_norm_l2", 0.001, 3), False),
    ],
)
def test_the_controller_decides_as_in_a_training_run(cell, acts, examples, tmp_path, monkeypatch):
    # These textures are learned at once; the first steps at a high rate bring the distances
    # down for a moment, which is to count as a collapse.
    monkeypatch.setattr(collapse, "COLLAPSED_DISTANCE", 0.5)
    both = run_pair(cell, Data(examples))
    result = loop.train(cell.config(), examples, None, folders_in(tmp_path))
    events = json.loads((tmp_path / "out" / "timeline.json").read_text())
    expected = [[item["step"], item["event"]] for item in events if item["event"] in _ACTIONS]
    assert [event[:2] for event in both["controller"]["events"]] == expected
    assert both["controller"]["patches"] == result.patches
    rollbacks = [event for event in expected if event[1] == "rollback"]
    assert bool(rollbacks) == acts
    assert [[item["steps"], "rollback"] for item in both["controller"]["attempts"]] == rollbacks
    assert both["plain"]["patches"] == 40 * 96
    assert (both["plain"]["trace"] == both["controller"]["trace"]) == (not acts)


@pytest.mark.slow
def test_clipping_changes_a_run(examples):
    cell, data = _SmallCell("hinge", "squared", "l2", 0.03, 3), Data(examples)
    assert run_gentle(cell, data)["trace"] != run_pair(cell, data)["plain"]["trace"]
