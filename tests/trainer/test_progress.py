"""Progress reports reach whoever listens, and the log when nobody does."""

import logging

from trainer import progress


def test_listener_hears_reports_while_it_listens():
    heard: list[progress.Progress] = []
    with progress.listen(heard.append):
        progress.report("packing", 1, 2, "half")
    progress.report("packing", 2, 2)
    assert heard == [progress.Progress("packing", 1, 2, "half")]


def test_listener_is_removed_when_the_work_fails():
    heard: list[progress.Progress] = []
    try:
        with progress.listen(heard.append):
            raise RuntimeError
    except RuntimeError:
        pass
    progress.report("packing", 1)
    assert heard == []


def test_every_listener_hears():
    first: list[progress.Progress] = []
    second: list[progress.Progress] = []
    with progress.listen(first.append), progress.listen(second.append):
        progress.report("training", 3)
    assert first == second == [progress.Progress("training", 3)]


def test_without_listeners_the_log_gets_the_end(caplog):
    caplog.set_level(logging.INFO, logger="hpatches.progress")
    progress.report("training", 5, 5, "loss 0.9")
    assert "training: 5 of 5 loss 0.9" in caplog.text
