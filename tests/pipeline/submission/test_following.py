"""Following a run: what is shown, and what is said at the end."""

import pytest

from pipeline.submission import following
from pipeline.submission.following import RunState, Started, TaskState
from trainer.core.errors import UserError

_ORDER = ["A", "B"]


class Shown:
    """Notes what a view is told."""

    def __init__(self):
        self.said, self.events = [], []

    def say(self, what):
        self.said.append(what)

    def on_event(self, event):
        self.events.append((event.component, event.kind, event.number, event.total, event.seconds))


def started(*states: RunState) -> Started:
    looks = iter(states)
    return Started("small-1", "https://page", lambda: next(looks))


def run(words, *tasks, outcome=None, **more):
    return RunState(words, outcome, tuple(TaskState(*task) for task in tasks), **more)


def follow(*states):
    shown, pauses = Shown(), []
    ended = following.follow(started(*states), _ORDER, shown, lambda: pauses.append(1))
    return ended, shown, len(pauses)


def test_every_change_is_shown_once_and_in_order():
    ended, shown, pauses = follow(
        run("queued"),
        run("queued"),
        run("running", ("A", "waiting"), ("root", "started")),
        run("running", ("B", "started"), ("A", "cached")),
        run("running", ("A", "cached"), ("B", "started")),
        run("succeeded", ("B", "finished", 7.0), ("A", "cached"), outcome="succeeded"),
    )
    assert ended.outcome == "succeeded"
    assert pauses == 5
    assert shown.said == ["the run is queued", "the run is running"]
    assert shown.events == [
        ("A", "cached", 1, 2, 0.0),
        ("B", "started", 2, 2, 0.0),
        ("B", "finished", 2, 2, 7.0),
    ]


def test_a_task_that_is_tried_again_is_shown_again():
    kinds = ("started", "failed", "started", "finished")
    states = [run("running", ("A", kind)) for kind in kinds]
    _, shown, _ = follow(*states, run("succeeded", ("A", "finished"), outcome="succeeded"))
    assert [event[1] for event in shown.events] == list(kinds)


def test_a_good_end_is_no_error():
    following.conclude(run("succeeded", outcome="succeeded"), started())


@pytest.mark.parametrize(
    ("ended", "message"),
    [
        (
            run("failed", ("A", "finished"), ("B", "failed", 1.0, "exit 2"), outcome="failed"),
            r"the run small-1 failed in B \(exit 2\); the task's log says more: "
            r"https://page; put that right and submit it again: .* the cache",
        ),
        (
            run("failed", ("B", "failed"), outcome="failed"),
            r"the run small-1 failed in B; the last lines of its log say why: https://page; put",
        ),
        (
            run("failed", outcome="failed", message="no such image"),
            r"the run small-1 failed \(no such image\); its page says why: https://page",
        ),
        (
            run("failed", ("B", "failed"), outcome="failed", message="the DAG failed"),
            r"failed in B \(the DAG failed\)",
        ),
        (
            run("failed", ("B", "failed", 0.0, "no TPU left", True), outcome="failed"),
            r"failed in B for want of quota or capacity \(no TPU left\); ask for quota.*; see h",
        ),
        (
            run("failed", outcome="failed", message="none", without_capacity=True),
            r"failed for want of quota or capacity \(none\)",
        ),
        (
            run("cancelled", outcome="cancelled", message="by me"),
            r"was cancelled \(by me\); see https://page; to go on, submit it again: ",
        ),
        (
            run("cancelled", outcome="cancelled"),
            r"small-1 was cancelled; see https://page; to go on",
        ),
    ],
)
def test_a_bad_end_is_one_sentence(ended, message):
    with pytest.raises(UserError, match=message) as raised:
        following.conclude(ended, started())
    assert "\n" not in str(raised.value)
