"""The CSV tree: what is written reads back, and bad files are told apart."""

import numpy as np
import pytest

from components.descriptor_evaluator.descriptors import csv_tree
from trainer.core.errors import UserError
from trainer.core.variants import VARIANTS


def some(count=4, dimension=3, seed=0):
    return np.random.default_rng(seed).normal(size=(16, count, dimension)).astype(np.float32)


@pytest.fixture
def tree(tmp_path):
    csv_tree.write_sequence(str(tmp_path), "v_a", some())
    return tmp_path


def test_descriptors_come_back_bit_for_bit(tmp_path):
    values = some(dimension=128)
    values[0, 0, :4] = np.nan, np.inf, -np.inf, 1e-42
    csv_tree.write_sequence(str(tmp_path), "v_a", values)
    table = csv_tree.read_tree(str(tmp_path), {"v_a": 4})["v_a"]
    assert table.dtype == np.float32
    np.testing.assert_array_equal(table.view(np.uint32), values.view(np.uint32))


def test_the_tree_is_the_benchmarks(tree):
    assert sorted(path.name for path in tree.iterdir()) == ["v_a"]
    names = sorted(path.name for path in (tree / "v_a").iterdir())
    assert names == sorted(f"{variant}.csv" for variant in VARIANTS)
    rows = (tree / "v_a" / "h3.csv").read_text().splitlines()
    numbers = [[float(cell) for cell in row.split(",")] for row in rows]
    np.testing.assert_array_equal(np.array(numbers, np.float32), some()[VARIANTS.index("h3")])


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3\n4,5,6\n",
        "1;2;3\n4;5;6\n",
        "1\t2\t3\n4\t5\t6\n",
        "1 2 3\n4 5 6\n",
        "  1.0   2.0 3.0 \n4.0 5.0  6.0\n",
        "   1.00000,   2.00000,   3.00000\n   4.00000,   5.00000,   6.00000\n",
        "1; 2; 3\r\n4; 5; 6\r\n",
        "1,2,3\n4,5,6",
        "1e0,2E+0,3\n\n4,5,6.0\n",
        "\ufeff1,2,3\n4,5,6\n",
        "1,2,3\r4,5,6\r",
    ],
)
def test_the_delimiter_is_found(tmp_path, text):
    path = tmp_path / "ref.csv"
    path.write_bytes(text.encode())
    table = csv_tree.read_table(str(path))
    np.testing.assert_array_equal(table, [[1, 2, 3], [4, 5, 6]])


def test_one_number_per_row_is_one_dimension(tmp_path):
    (tmp_path / "ref.csv").write_text("1\n2\n")
    assert csv_tree.read_table(str(tmp_path / "ref.csv")).shape == (2, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n4,5\n7,8,9\n1,2,3\n", r"e4\.csv: line 2 holds 2 numbers, expected 3"),
        ("1,2,3\n4,5,6,7\n7,8,9\n1,2,3\n", r"e4\.csv: line 2 holds 4 numbers, expected 3"),
        ("1 2 3\n4 5\n", r"e4\.csv: line 2 holds 2 numbers"),
        ("1,2,3\n4,x,6\n", r"e4\.csv: line 2, column 2 is 'x', expected a number"),
        ("a,b,c\n1,2,3\n", r"e4\.csv: line 1, column 1 is 'a', expected a number"),
        ("1,2,3\n4,,6\n", r"e4\.csv: line 2, column 2 is empty, expected a number"),
        (
            "1,2,3\n4,5,6\n",
            r"v_a/e4\.csv: holds 2 descriptors, expected 4, one for each patch",
        ),
        ("1,2\n" * 4, r"e4\.csv: descriptors have 2 numbers, expected 3 as in ref\.csv"),
        ("", r"e4\.csv: is empty, expected one row of numbers per patch"),
        ("\n \n", r"e4\.csv: is empty"),
    ],
)
def test_bad_files_are_told_apart(tree, text, message):
    (tree / "v_a" / "e4.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        csv_tree.read_tree(str(tree), {"v_a": 4})


def test_nan_is_read(tree):
    (tree / "v_a" / "e4.csv").write_text("nan,NaN,1\n" * 4)
    table = csv_tree.read_tree(str(tree), {"v_a": 4})["v_a"]
    assert np.isnan(table[4, :, :2]).all()


def test_a_missing_variant_or_sequence_is_named(tree):
    (tree / "v_a" / "t5.csv").unlink()
    with pytest.raises(
        UserError, match=r"v_a/t5\.csv: is missing, expected one CSV file for each of the 16 v"
    ):
        csv_tree.read_tree(str(tree), {"v_a": 4})
    with pytest.raises(UserError, match=r"v_b: is no folder"):
        csv_tree.read_tree(str(tree), {"v_b": 4})
    with pytest.raises(UserError, match="nowhere: is no folder"):
        csv_tree.read_tree(str(tree / "nowhere"), {"v_b": 4})


def test_sequences_of_other_dimension_are_refused(tree):
    csv_tree.write_sequence(str(tree), "v_b", some(dimension=5))
    with pytest.raises(UserError, match="descriptors have 5 numbers, expected 3 as in v_a"):
        csv_tree.read_tree(str(tree), {"v_a": 4, "v_b": 4})


def test_other_sequences_and_their_order_do_not_matter(tree):
    csv_tree.write_sequence(str(tree), "i_first", some(seed=1))
    table = csv_tree.read_tree(str(tree), {"v_a": 4})
    assert list(table) == ["v_a"]
    np.testing.assert_array_equal(table["v_a"], some())


def test_what_is_there_is_not_overwritten(tree):
    with pytest.raises(UserError, match="v_a: found a folder that is not empty"):
        csv_tree.write_sequence(str(tree), "v_a", some())


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(csv_tree.files, "write_bytes", full)
    with pytest.raises(UserError, match=r"cannot be written \(No space left"):
        csv_tree.write_sequence(str(tmp_path), "v_a", some())
    assert list(tmp_path.iterdir()) == []


def test_a_row_number_among_the_descriptors_is_refused(tmp_path):
    values = some(count=60, dimension=5)
    values[:, :, 3] = np.arange(60)
    csv_tree.write_sequence(str(tmp_path), "v_a", values)
    with pytest.raises(UserError, match=r"v_a: column 4 is \(nearly\) the row number"):
        csv_tree.read_tree(str(tmp_path), {"v_a": 60})


def test_carriage_returns_alone_end_lines(shared):
    case = shared / "cases" / "cr-csv" / "csv"
    assert b"\n" not in (case / "i_a" / "ref.csv").read_bytes()
    table = csv_tree.read_tree(str(case), {"i_a": 12, "v_b": 9, "v_c": 15})
    assert table["v_b"].shape == (16, 9, 8)
