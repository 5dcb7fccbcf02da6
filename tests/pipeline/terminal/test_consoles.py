"""What a terminal is sent."""

import io
import sys

from pipeline.terminal import consoles


def _ascii_terminal(monkeypatch):
    """Takes the place of standard output and error; returns what they are sent."""
    raw = io.BytesIO()
    both = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", both)
    monkeypatch.setattr(sys, "stderr", both)
    return raw


def test_an_ascii_terminal_gets_what_it_cannot_show_as_escapes(monkeypatch):
    stream = _ascii_terminal(monkeypatch)
    consoles.print_everything()
    consoles.output().print("photo\u00e4\udcff", soft_wrap=True)
    consoles.tell_problem("\u00e4.png: \x1b[2Jis empty")
    shown = stream.getvalue()
    assert b"photo\\xe4\\udcff\n" in shown and b"\\xe4.png: \\x1b[2Jis empty" in shown
    assert b"\x1b[2J" not in shown


def test_a_path_is_not_taken_for_markup(monkeypatch):
    stream = _ascii_terminal(monkeypatch)
    consoles.output().print("Runs in w[/u] [bold]", soft_wrap=True)
    assert stream.getvalue() == b"Runs in w[/u] [bold]\n"
