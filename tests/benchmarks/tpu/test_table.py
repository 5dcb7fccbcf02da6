"""The table of docs/cloud.md."""

from benchmarks.harness.ledger import Ledger
from benchmarks.harness.timing import ROOT
from benchmarks.tpu import check, table
from benchmarks.tpu.cases import Case
from benchmarks.tpu.compiler import Compiled

FOUND = Compiled(
    "TPU v5 lite", "libtpu 1", 61.4, 10e6, 8e6, 8e6, 5e6, 2e6, 197e9, 1.638e9,
    {"all-reduce": 13}, 3e6,
)  # fmt: skip


def test_a_row_tells_what_was_compiled_and_what_it_takes():
    assert table.row(Case("v5e", loss="SOSNet", cores=4), FOUND) == (
        "v5e", "4", "step SOSNet", "S 1024 K 2", "0.25", "61 s", "17 MB", "197.0 G", "1.64 GB",
        "2.00 ms", "memory", "13 all-reduce, 3.0 MB",
    )  # fmt: skip


def test_every_row_has_a_cell_for_each_column():
    lines = table.markdown({Case("v2"): FOUND, Case("v2", "inference"): FOUND}).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {len(table.COLUMNS) + 1}


def test_the_page_shows_what_was_compiled():
    assert check.kept(Ledger(check.LEDGER)) in (ROOT / "docs" / "cloud.md").read_text()
