"""Progress reports reach whoever listens, and the log when nobody does."""

import logging

import pytest

from trainer.core import progress


def test_listeners_hear_reports_while_they_listen_also_when_the_work_fails():
    first: list[progress.Progress] = []
    second: list[progress.Progress] = []
    with pytest.raises(ZeroDivisionError), progress.listen(first.append):
        with progress.listen(second.append):
            progress.report("packing", 1, 2, "half")
        _ = 1 / 0
    progress.report("packing", 2, 2)
    assert first == second == [progress.Progress("packing", 1, 2, "half")]


def test_without_listeners_the_log_gets_the_end(caplog):
    caplog.set_level(logging.INFO, logger="hpatches.progress")
    progress.report("training", 5, 5, "loss 0.9")
    assert "training: 5 of 5 loss 0.9" in caplog.text
    progress.report("training", 6, 20)  # too soon for another line
    assert "6 of 20" not in caplog.text
    # Summaries are logged whenever they come.
    progress.send(progress.Progress("training", 8, 20, "took 0:09", finished=True))
    assert "training: 8 of 20 took 0:09" in caplog.text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (605, "10:05"), (3599.7, "1:00:00")],
)
def test_durations_are_written_as_clocks_do(seconds, text):
    assert progress.duration(seconds) == text


@pytest.mark.parametrize(
    ("here", "in_all", "text"),
    [
        (None, None, ""),
        (80, None, "1:20 left"),
        (80, 80, "1:20 left"),
        (80, 723, "1:20 left (12:03 in all)"),
    ],
)
def test_what_is_left_is_told_once_for_the_last_stage(here, in_all, text):
    event = progress.Progress("training", 1, seconds_left=here, seconds_left_in_all=in_all)
    assert event.remaining == text


def test_what_is_left_is_estimated_from_the_pace(monkeypatch):
    heard: list[progress.Progress] = []
    moments = iter([0.0, 1.0, 4.0, 6.0, 10.0, 11.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(moments))
    with progress.listen(heard.append):
        for done in (0, 10, 20, 30, 50):
            progress.report("cutting", done, 50)
        progress.report("cutting", 5, 50)  # begins again: nothing is known of its pace
    # Not before two seconds: 20 in 4 s, 30 in 6 s, and then it is done.
    assert [event.seconds_left for event in heard] == [None, None, 6.0, 4.0, None, None]


def test_the_count_names_the_total_where_it_is_known():
    assert progress.Progress("x", 3, 4).count == "3/4"
    assert progress.Progress("x", 3).count == "3"
