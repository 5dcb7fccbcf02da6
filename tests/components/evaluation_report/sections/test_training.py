import numpy as np
import pytest

from components.evaluation_report.material import Material, NotShownError
from components.evaluation_report.sections import training, training_logs
from tests.components.evaluation_report.run_folders import RESULT, TIMELINE
from trainer.reporting import tensorboard


def test_stages_that_were_entered_again_are_spans_of_their_own():
    assert training.spans(TIMELINE, 100) == [
        (0, 40, 0, "8 x 2"), (40, 60, 1, "16 x 4"), (60, 100, 1, "12 x 4"),
    ]  # fmt: skip
    assert training.spans([], 100) == []


def test_events_are_told_in_words_and_healthy_observations_are_not():
    told = training.told(TIMELINE)
    assert [item["event"] for item in told] == [
        "start", "stage", "promote", "stage", "validate", "rollback", "stage", "finish",
    ]  # fmt: skip
    by_kind = {item["kind"]: item for item in told}
    assert by_kind["start"]["numbers"] == ""
    assert by_kind["promote"] == {
        "step": 40, "stage": 1, "kind": "promote", "event": "promote",
        "reason": "the next stage is ready", "numbers": "normalized loss 0.8",
    }  # fmt: skip
    assert by_kind["validate"]["numbers"] == "val mAP 43.2"
    assert by_kind["stage"]["numbers"] == "S 12, K 4, learning rate 0.005"


def test_the_figure_marks_promotions_and_rollbacks():
    steps = np.arange(10, 101, 10)
    text = training.draw(TIMELINE, {"train/loss": (steps, 2 - steps / 100)})
    for words in ("promotion", "rollback", "stage 1: 8 x 2", "stage 2: 12 x 4", "val mAP"):
        assert words in text
    assert "went on after an interruption" not in text


def test_a_timeline_without_curves_is_drawn():
    assert "loss" in training.draw(TIMELINE[:2], {})


def test_what_came_of_the_run():
    facts = dict(training.facts(RESULT))
    assert facts["val mAP"] == "43.2"
    assert facts["patches seen"] == "6,400"
    assert facts["waited for batches"] == "1.2 %"
    assert training.facts({}) == []


def test_curves_are_read_and_the_last_word_on_a_step_stands(tmp_path):
    for number, steps in enumerate([(1, 2, 3), (3, 4)]):
        shown = tensorboard.TensorBoardWriter(str(tmp_path / "logs"))
        for step in steps:
            shown.scalars(step, train={"loss": step + number / 2, "other": 1.0})
        shown.flush()
        shown.writer.close()
    by_tag = training_logs.read_curves(str(tmp_path), ("train/loss", "train/absent"))
    steps, values = by_tag["train/loss"]
    assert set(by_tag) == {"train/loss"}
    assert steps.tolist() == [1, 2, 3, 4] and values.tolist() == [1.0, 2.0, 3.5, 4.5]


def test_a_damaged_end_is_left_out(run, tmp_path):
    shown = tensorboard.TensorBoardWriter(str(tmp_path / "logs"))
    for step in (1, 2):
        shown.scalars(step, train={"loss": 1.0})
    shown.flush()
    shown.writer.close()
    (file,) = [path for path in (tmp_path / "logs").iterdir() if "tfevents" in path.name]
    file.write_bytes(file.read_bytes()[:-5])
    steps, _ = training_logs.read_curves(str(tmp_path), ("train/loss",))["train/loss"]
    assert steps.tolist() == [1]
    assert training_logs.read_curves("", ("train/loss",)) == {}


def test_without_a_timeline_there_is_nothing_to_show(tmp_path):
    with pytest.raises(NotShownError, match="timeline"):
        training.section(Material("evaluation", model_run=str(tmp_path)))
