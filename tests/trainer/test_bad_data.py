"""Data that cannot be trained on: `python -m trainer` says in one sentence what is wrong."""

from pathlib import Path

import pytest
import yaml

from tests.support.synthetic import write_examples
from trainer.__main__ import main
from trainer.engine import strategy

_STAGE = {"points_per_batch": 4, "patches_per_point": 2, "max_steps": 2}
_SHARD = "Split-train/v_b-00000-of-00001"


def _flip_a_bit_of_the_last_record(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[-1000] ^= 1
    shard.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Path.unlink, "there is no such shard"),
        (_flip_a_bit_of_the_last_record, "record 2 cannot be read (corrupted record"),
    ],
    ids=["missing", "corrupt"],
)
def test_a_broken_shard_is_named_in_one_sentence(tmp_path, capsys, damage, message):
    write_examples(tmp_path / "data", {"train": {"v_a": ("a", 5), "v_b": ("b", 3)}})
    damage(tmp_path / "data" / _SHARD)
    error = _refusal(tmp_path, capsys, {"stages": [_STAGE]})
    assert f"{_SHARD}: " in error
    assert message in error


@pytest.mark.parametrize(
    ("splits", "stage", "message"),
    [
        ({"val": {"v_a": ("a", 5)}}, {}, "the train split holds no point"),
        ({"train": {"v_a": ("a", 0)}}, {}, "the train split holds no point"),
        (
            {"train": {"v_a": ("a", 5)}},
            {"points_per_batch": 6},
            "points_per_batch is 6, but the training data fills batches of at most 5",
        ),
        (
            {"train": {"v_a": ("a", 3), "v_b": ("b", 3)}},
            {"same_sequence_fraction": 1},
            "same_sequence_fraction is 1, which wants 4 of 4 points from one",
        ),
        (
            {"train": {"v_a": ("a", 5)}},
            {"patches_per_point": 1},
            "0.patches_per_point: found 1, expected at least 2",
        ),
    ],
    ids=[
        "no train split",
        "empty image sequence",
        "S too large",
        "same_sequence_fraction",
        "K = 1",
    ],
)
def test_a_plan_that_the_data_cannot_fill_is_refused(tmp_path, capsys, splits, stage, message):
    write_examples(tmp_path / "data", splits)
    assert message in _refusal(tmp_path, capsys, {"stages": [_STAGE | stage]})


def test_a_batch_that_the_replicas_cannot_share_is_refused(tmp_path, capsys, monkeypatch):
    class ThreeReplicas:
        num_replicas_in_sync = 3

    monkeypatch.setattr(strategy, "create", lambda config: ThreeReplicas())
    write_examples(tmp_path / "data", {"train": {"v_a": ("a", 5)}})
    error = _refusal(tmp_path, capsys, {"stages": [_STAGE]})
    assert "stages.0.points_per_batch is 4, which 3 replicas cannot share evenly" in error


def _refusal(folder: Path, capsys: pytest.CaptureFixture, config: dict) -> str:
    """Runs the command, which must refuse, and returns its one sentence."""
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    options = {"config": folder / "config.yaml", "data": folder / "data", "output": folder / "out"}
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    refused = [line for line in error.splitlines() if line.startswith("error: ")]
    assert len(refused) == 1
    assert "Traceback" not in error
    written: list[Path] = [*(folder / "out").rglob("saved_model.pb")]
    assert written == []
    return refused[0]
