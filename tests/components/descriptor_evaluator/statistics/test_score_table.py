import dataclasses
import math

import pytest

from components.descriptor_evaluator.protocol.scores import Slice, UnitScore
from components.descriptor_evaluator.statistics.score_table import ScoreTable
from tests.components.descriptor_evaluator.gate.score_samples import level, table, verification_rows


def row(noise="e", kind="v", sequence="v_a", scene="a", unit="1", value=0.5):
    return UnitScore("matching", noise, kind, sequence, scene, unit, {"ap": value})


def test_a_slice_takes_only_its_rows():
    table = ScoreTable(
        [row(value=0.1), row(noise="t", value=0.3), row(noise="t", kind="i", value=0.8)]
    )
    assert table.mean(Slice("matching"), "ap") == pytest.approx(0.4)
    assert table.mean(Slice("matching", "t"), "ap") == pytest.approx(0.55)
    assert table.mean(Slice("matching", "t", "i"), "ap") == 0.8
    assert math.isnan(table.mean(Slice("retrieval"), "ap"))
    assert math.isnan(table.mean(Slice("matching"), "auc"))


def test_totals_join_the_sequences_of_a_scene():
    table = ScoreTable(
        [row(value=0.1), row(sequence="i_a", kind="i", value=0.3), row(scene="b", unit="2")]
    )
    totals = table.totals(Slice("matching"), "ap")
    assert totals.scenes == ("a", "b")
    assert totals.sums.tolist() == pytest.approx([0.4, 0.5])


def test_verification_gives_every_scene_its_influence():
    rows = verification_rows(lambda task, noise, kind, scene: 0.1 * (scene + 1), scenes=3)
    table = ScoreTable(rows)
    for metric in ("ap", "ap_tie_safe"):
        totals = table.totals(Slice("verification", "h"), metric)
        assert totals.scenes == ("photo00", "photo01", "photo02")
        assert totals.sums.tolist() == pytest.approx([0.1, 0.2, 0.3])
        assert totals.counts.tolist() == [1, 1, 1]
    assert table.totals(Slice("verification"), "ap").mean == pytest.approx(0.2)


@pytest.mark.parametrize(
    "without", [{}, {"a": 0.5}, {"a": 0.5, "b": math.nan}], ids=["unknown", "one", "nan"]
)
def test_rows_whose_influences_are_not_known_have_no_totals(without):
    rows = [dataclasses.replace(row, without=without) for row in verification_rows(level(0.5))]
    table = ScoreTable(rows)
    assert table.totals(Slice("verification"), "ap").scenes == ()
    assert table.mean(Slice("verification"), "ap") == pytest.approx(0.5, abs=0.2)


def test_influences_on_another_metric_are_not_known():
    table = ScoreTable(verification_rows(level(0.5)))
    assert table.totals(Slice("verification"), "auc").scenes == ()


def test_the_order_of_rows_does_not_matter_but_their_set_does():
    rows = table(0.5).rows
    assert ScoreTable(rows[::-1]).covers_the_same_units_as(ScoreTable(rows))
    assert not ScoreTable(rows[1:]).covers_the_same_units_as(ScoreTable(rows))
    renamed = [dataclasses.replace(rows[0], scene="other"), *rows[1:]]
    assert not ScoreTable(renamed).covers_the_same_units_as(ScoreTable(rows))


def test_the_same_unit_twice_is_refused():
    with pytest.raises(ValueError, match="the same key"):
        ScoreTable([row(), row(value=0.9)])
