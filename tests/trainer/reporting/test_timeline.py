"""The record of what was decided."""

import json

import tensorflow as tf

from trainer.core.files import replace_folder, write_text
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


def test_text_is_replaced_whole(tmp_path):
    path = tmp_path / "file"
    write_text(str(path), "long text")
    write_text(str(path), "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_replaced_whole(tmp_path):
    old, new = tmp_path / "final", tmp_path / "temporary"
    for folder in (old, new):
        folder.mkdir()
        (folder / folder.name).write_text("")
    replace_folder(str(new), str(old))
    assert [file.name for file in old.iterdir()] == ["temporary"]
    assert not new.exists()
