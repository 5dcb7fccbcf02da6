"""Progress of a single piece of work."""

import io

import pytest
from rich.console import Console

from pipeline.terminal.work_view import show_progress
from trainer.core import progress


def test_without_a_terminal_only_the_end_of_quick_work_is_told():
    stream = io.StringIO()
    with show_progress(Console(file=stream, width=200)):
        for number in range(1, 4):
            progress.report("cutting [patches]", number, 3, "v_wall")
    assert stream.getvalue() == "cutting [patches] 3/3 v_wall\n"


@pytest.mark.parametrize("total", [3, None])
def test_on_a_terminal_a_bar_comes_and_goes(total):
    stream = io.StringIO()
    with show_progress(Console(file=stream, width=200, force_terminal=True)):
        progress.report("cutting", 1, total, "v_wall")
    assert "cutting" in stream.getvalue()


def test_nobody_listens_afterwards():
    stream = io.StringIO()
    with pytest.raises(ZeroDivisionError), show_progress(Console(file=stream)):
        _ = 1 / 0
    progress.report("cutting", 1, 1)
    assert stream.getvalue() == ""
