"""The view of a running pipeline."""

import io
import time
from dataclasses import dataclass

import pytest
from rich.console import Console

from pipeline.terminal.run_view import RunView
from trainer.core.progress import Progress


@dataclass(frozen=True)
class Event:
    kind: str
    component: str
    number: int = 1
    total: int = 2
    seconds: float = 0.0


def tell(view: RunView, *told: Event | Progress) -> None:
    for one in told:
        (view.on_event if isinstance(one, Event) else view.on_progress)(one)


def plain(*told: Event | Progress) -> list[str]:
    """Returns what is printed where there is no terminal."""
    stream = io.StringIO()
    with RunView(Console(file=stream, width=200, highlight=False)) as view:
        tell(view, *told)
    return stream.getvalue().splitlines()


def terminal(width: int = 200) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, width=width, force_terminal=True, color_system=None), stream


def test_without_a_terminal_each_change_is_one_line():
    lines = plain(
        Event("started", "Trainer"),
        Progress("stage 1", 5, 5, "loss 0.9 [a]"),
        Event("finished", "Trainer", seconds=12.34),
        Event("started", "Evaluator", number=2),
        Event("cached", "Evaluator", number=2, seconds=0.1),
        Event("failed", "Pusher", number=2, seconds=0.1),
    )
    assert lines == [
        "[1/2] Trainer: started",
        "  Trainer: stage 1 5/5 loss 0.9 [a]",
        "[1/2] Trainer: finished after 12.3 s",
        "[2/2] Evaluator: started",
        "[2/2] Evaluator: cached",
        "[2/2] Pusher: failed after 0.1 s",
    ]


def test_without_a_terminal_finished_stages_and_estimates_are_told():
    first = Progress("stage 1", 5, 9, "loss 0.9", 80, 723)
    last = Progress("stage 1", 6, 6, "loss 0.8, took 0:12", finished=True)
    assert plain(Event("started", "Trainer"), first, last) == [
        "[1/2] Trainer: started",
        "  Trainer: stage 1 5/9 1:20 left (12:03 in all) loss 0.9",
        "  Trainer: stage 1 6/6 loss 0.8, took 0:12",
    ]


def test_without_a_terminal_progress_comes_every_few_seconds_and_of_a_component_only():
    steps = [Progress("stage 1", step, 5000) for step in range(1000)]
    assert len(plain(Event("started", "Trainer"), *steps)) == 2
    assert plain(Progress("packing", 1)) == []


def wait_for(text: str, stream: io.StringIO) -> None:
    """Waits until a text is drawn, which happens four times a second."""
    until = time.monotonic() + 10
    while text not in stream.getvalue() and time.monotonic() < until:
        time.sleep(0.05)


def last_picture(stream: io.StringIO) -> str:
    """The last component's line; after it only the run's and the cursor are drawn."""
    return stream.getvalue().splitlines()[-3]


@pytest.mark.parametrize("kind", ["finished", "cached", "failed"])
def test_on_a_terminal_the_last_picture_shows_how_each_component_ended(kind):
    console, stream = terminal()
    with RunView(console) as view:
        view.say("loading")
        progress = Progress("stage 1 of 2", 3, 10, "loss 0.9")
        tell(view, Event("started", "Trainer"), progress, Event(kind, "Trainer", seconds=3.21))
    last = last_picture(stream)
    mark = "✗" if kind == "failed" else "✓"
    took = "cached" if kind == "cached" else "3.2 s"
    assert mark in last
    assert "Trainer" in last
    assert took in last
    assert "loading" not in last


def test_on_a_terminal_finished_stages_stay_below_their_component():
    console, stream = terminal()
    with RunView(console) as view:
        view.on_event(Event("started", "Trainer"))
        for stage in (1, 2):
            view.on_progress(Progress(f"stage {stage}", 3, 9, "loss 0.9", 80))
            view.on_progress(Progress(f"stage {stage}", 9, 9, "took 0:12", finished=True))
        view.on_event(Event("finished", "Trainer", seconds=30))
        view.on_event(Event("started", "Evaluator", number=2))
        view.on_event(Event("finished", "Evaluator", number=2, seconds=1))
    lines = [line.strip() for line in stream.getvalue().splitlines()[-6:-2]]
    assert "Trainer" in lines[0]
    assert lines[1] == "stage 1: 9/9 took 0:12"
    assert lines[2] == "stage 2: 9/9 took 0:12"
    assert "Evaluator" in lines[3]


def test_on_a_narrow_terminal_the_outcome_of_a_stage_stands_before_its_name():
    console, stream = terminal(80)
    with RunView(console) as view:
        view.on_event(Event("started", "DescriptorTrainer"))
        told = "loss 0.853, val mAP 0.436, took 3:52"
        view.on_progress(Progress("training stage 1 of 1", 638, 638, told, finished=True))
        view.on_event(Event("finished", "DescriptorTrainer", seconds=30))
    assert "638/638 loss 0.853, val mAP 0.436, took 3:52" in stream.getvalue()


def test_on_a_terminal_what_is_left_stands_before_what_may_be_cut_off():
    console, stream = terminal(80)
    with RunView(console) as view:
        view.on_event(Event("started", "DescriptorTrainer"))
        told = "loss 1.100, val mAP 0.436, 3,100 patches/s"
        view.on_progress(Progress("stage 2 of 2 (S 128, K 4)", 20, 1200, told, 80, 723))
        wait_for("20/1200", stream)
    assert "20/1200 1:20 left loss 1.100, val mAP 0.436" in stream.getvalue()


def test_on_a_terminal_the_run_as_a_whole_has_an_estimate_from_the_last_one():
    console, stream = terminal()
    earlier = {"Cutter": 30.0, "Trainer": 100.0, "Evaluator": 60.0}
    with RunView(console, earlier) as view:
        view.on_event(Event("started", "Trainer", 2, 3))
        view.on_progress(Progress("stage 1", 3, 9, "loss 0.9", 20, 80))
        wait_for("left", stream)
    # 80 s of the trainer, and what the others took that have not begun.
    assert "component 2 of 3, 0:00 so far, about 2:50 left" in stream.getvalue()


def test_on_a_terminal_an_interrupted_component_stops_spinning():
    console, stream = terminal()
    with pytest.raises(KeyboardInterrupt), RunView(console) as view:
        view.on_event(Event("started", "Trainer"))
        view.on_progress(Progress("stage 1", 3, 10))
        raise KeyboardInterrupt
    assert "stopped" in last_picture(stream)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_long_progress_never_takes_room_from_names_and_times(width):
    console, stream = terminal(width)
    with pytest.raises(KeyboardInterrupt), RunView(console) as view:
        view.on_event(Event("cached", "ImportSchemaGen"))
        view.on_event(Event("started", "DescriptorTrainer"))
        view.on_progress(Progress("training stage 2 of 2", 20, 1200, "loss 1.1 " * 20))
        wait_for("20/1200", stream)
        raise KeyboardInterrupt
    drawn = stream.getvalue()
    assert "ImportSchemaGen   cached" in drawn
    line = next(x.rstrip() for x in drawn.splitlines() if "20/1200" in x)
    assert "DescriptorTrainer" in line
    assert f"20/1200 {'training stage 2' if width > 100 else 'loss 1.1'}" in line
    assert line.endswith("…")
