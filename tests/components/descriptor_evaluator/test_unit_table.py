import dataclasses
import math

import pytest

from components.descriptor_evaluator.unit_rows import UnitRow
from components.descriptor_evaluator.unit_table import UnitTable
from components.descriptor_evaluator.verdict import Slice
from tests.components.descriptor_evaluator.unit_row_samples import level, table, verification_rows


def row(noise="e", kind="v", sequence="v_a", source="a", unit="1", value=0.5):
    return UnitRow("matching", noise, kind, sequence, source, unit, {"ap": value})


def test_a_slice_takes_only_its_rows():
    found = UnitTable(
        [row(value=0.1), row(noise="t", value=0.3), row(noise="t", kind="i", value=0.8)]
    )
    assert found.mean(Slice("matching"), "ap") == pytest.approx(0.4)
    assert found.mean(Slice("matching", "t"), "ap") == pytest.approx(0.55)
    assert found.mean(Slice("matching", "t", "i"), "ap") == 0.8
    assert math.isnan(found.mean(Slice("retrieval"), "ap"))
    assert math.isnan(found.mean(Slice("matching"), "auc"))


def test_totals_join_the_sequences_of_a_source():
    found = UnitTable(
        [row(value=0.1), row(sequence="i_a", kind="i", value=0.3), row(source="b", unit="2")]
    )
    totals = found.totals(Slice("matching"), "ap")
    assert totals.sources == ("a", "b")
    assert totals.sums.tolist() == pytest.approx([0.4, 0.5])


def test_rows_that_cross_sources_have_no_totals():
    found = UnitTable(verification_rows(level(0.5)))
    assert found.totals(Slice("verification"), "ap").sources == ()
    assert found.mean(Slice("verification"), "ap") == pytest.approx(0.5, abs=0.2)


def test_the_order_of_rows_does_not_matter_but_their_set_does():
    rows = table(0.5).rows
    assert UnitTable(rows[::-1]).covers_the_same_units_as(UnitTable(rows))
    assert not UnitTable(rows[1:]).covers_the_same_units_as(UnitTable(rows))
    renamed = [dataclasses.replace(rows[0], source="other"), *rows[1:]]
    assert not UnitTable(renamed).covers_the_same_units_as(UnitTable(rows))


def test_the_same_unit_twice_is_refused():
    with pytest.raises(ValueError, match="the same key"):
        UnitTable([row(), row(value=0.9)])
