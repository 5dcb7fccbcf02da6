"""The table of `hpatches evaluate --task pairs`."""

import io

from rich.console import Console

from pipeline.terminal.pairs_table import print_pairs

VALUES = {
    "pairs": 5,
    "matches": 120.4,
    "right": {"3": 99.6},
    "found_again": 151.5,
    "accuracy": {"3": 0.827},
    "corner_auc": {"3": 0.5},
}


def printed(notes):
    scores = {
        "name": "model",
        "mean": VALUES,
        "sequences": {"v_a": VALUES},
        "by_kind": {"v": VALUES},
    }
    output = io.StringIO()
    result = {"data": {"names": ["v_a"], "notes": notes}, "descriptors": [scores]}
    print_pairs(Console(file=output, width=100), result)
    return output.getvalue().splitlines()


def test_a_row_holds_counts_and_shares_in_per_cent():
    (row,) = [line for line in printed([]) if line.strip().startswith("v_a")]
    assert row.split() == ["v_a", "120", "100", "152", "82.7", "50.0"]


def test_remarks_stand_below_the_table_in_a_line_each():
    remark = "bare: " + 30 * "a remark that is longer than the console is wide; "
    lines = printed([remark])
    assert lines[-1] == remark
    assert remark not in printed([])
