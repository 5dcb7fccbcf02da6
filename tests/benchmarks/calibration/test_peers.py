"""Other descriptors on the same patches."""

from benchmarks.calibration import peers


def test_the_best_comes_first_with_its_mean():
    shown = peers.table({"a": {"v_x": 0.1, "v_y": 0.3}, "b": {"v_x": 0.5, "v_y": 0.2}})
    rows = [list(column.cells) for column in shown.columns]
    assert rows == [["b", "a"], ["50.0", "10.0"], ["20.0", "30.0"], ["35.0", "20.0"]]
