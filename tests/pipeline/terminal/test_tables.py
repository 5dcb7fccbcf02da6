"""What the tables of scores share."""

import pytest
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
        ("t.csv", ["name,mAP\n", '"a_b, c",46.2 43.1..49.0\n']),
        ("t.md", ["| name   |", "a_b, c"]),
        ("t.tex", ["\\toprule", "a\\_b, c", "\\bottomrule"]),
    ],
)
def test_a_table_is_saved_as_its_files_ending_says(table, tmp_path, name, parts):
    tables.save_table(str(tmp_path / name), table)
    text = (tmp_path / name).read_text()
    assert all(part in text for part in parts)
