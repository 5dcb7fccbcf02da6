"""How a sentence is shown on a terminal."""

import pytest

from trainer.core.errors import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße: 照片.png is empty", "Grüße: 照片.png is empty"),
        ("\x1b[2Ja.png\x07\r", "\\x1b[2Ja.png\\x07\\r"),
        ("b\udcff.png", "b\\udcff.png"),
        ("\u202egnp.a", "\\u202egnp.a"),
        ("one\ntwo\x00", "one\ntwo\\x00"),
    ],
)
def test_nothing_in_a_name_reaches_the_terminal_but_what_can_be_seen(text, shown):
    assert printable(text) == shown


def test_what_repeats_a_file_is_cut_and_keeps_beginning_and_end():
    shown = printable("a.csv: found " + "x" * 300_000 + ", expected a number\n" * 100)
    assert len(shown) < 5000 and shown.startswith("a.csv: found xx")
    assert ", expected a number\n" in shown and shown.endswith("... and 61 lines more")
