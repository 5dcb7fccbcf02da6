"""What the tables of scores share."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from pipeline.terminal import tables


@pytest.fixture
def table():
    made = tables.make_table("scores", ("name",), ("mAP",))
    made.add_row(Text("a_b, c"), "46.2\n43.1..49.0")
    return made


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("t.csv", ["name,mAP,mAP interval\n", '"a_b, c",46.2,43.1..49.0\n']),
        ("t.md", ["| name   |", "a_b, c"]),
        ("t.tex", ["\\toprule", "a\\_b, c", "\\bottomrule"]),
    ],
)
def test_a_table_is_saved_as_its_files_ending_says(table, tmp_path, name, parts):
    tables.save_table(str(tmp_path / name), table)
    text = (tmp_path / name).read_text()
    assert all(part in text for part in parts)


def printed(width):
    made = tables.make_table("scores", ("task", "measure"), ("right within 1 px", "easy", "tough"))
    made.add_row(
        "verification", "mAP illumination, ties counted against", "12", *["5.0..100.0"] * 2
    )
    console = Console(file=io.StringIO(), width=width)
    tables.print_table(console, made)
    return console.file.getvalue()


def test_a_table_breaks_no_word_on_a_narrow_terminal():
    assert "┃" in printed(120)
    narrow = printed(70)
    assert "┃" not in narrow
    assert max(map(len, narrow.splitlines())) <= 70
    words = {"verification", "illumination,", "against", "within", "5.0..100.0"}
    assert words <= set(narrow.split())
