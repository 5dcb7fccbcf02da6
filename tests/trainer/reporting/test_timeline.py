"""The record of what was decided."""

import json

import tensorflow as tf

from trainer.reporting.timeline import Timeline


def test_events_are_in_the_file_at_once_and_on_tensorboard(tmp_path):
    writer = tf.summary.create_file_writer(str(tmp_path / "logs"))
    timeline = Timeline(str(tmp_path), writer)
    timeline.add("promote", 30, 0, "loss is low", smoothed_normalized_loss=0.5)
    expected = {"event": "promote", "step": 30, "stage": 0, "reason": "loss is low"}
    assert json.loads((tmp_path / "timeline.json").read_text()) == [
        {**expected, "smoothed_normalized_loss": 0.5}
    ]
    timeline.add("finish", 40, 1, "done")
    assert [event["event"] for event in json.loads((tmp_path / "timeline.json").read_text())] == [
        "promote",
        "finish",
    ]
    writer.flush()
    (file,) = (tmp_path / "logs").iterdir()
    tags = [
        value.tag
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    ]
    assert tags == ["events/promote", "events/finish"]


def test_a_run_that_goes_on_keeps_its_earlier_events(tmp_path):
    timeline = Timeline(str(tmp_path), tf.summary.create_file_writer(str(tmp_path / "logs")))
    timeline.events = [{"event": "start"}]
    timeline.add("resume", 8, 0, "from a checkpoint")
    events = json.loads((tmp_path / "timeline.json").read_text())
    assert [event["event"] for event in events] == ["start", "resume"]


def test_the_last_of_some_events_is_known(tmp_path):
    timeline = Timeline(str(tmp_path), tf.summary.create_file_writer(str(tmp_path / "logs")))
    assert timeline.last_of("good", "stage") is None
    for event in ("stage", "good", "validate"):
        timeline.add(event, 0, 0, "")
    assert timeline.last_of("good", "stage") == "good"
    assert timeline.last_of("stage") == "stage"
