import json

import numpy as np
import pytest

from components.descriptor_evaluator.protocol import matching
from components.descriptor_evaluator.report_data import curves, exhibits, worst_cases
from components.descriptor_evaluator.scoring.score import score
from tests.components.descriptor_evaluator.protocol.lines import points, same_everywhere, tasks
from trainer.core.errors import UserError

VALUES = {"v_a": same_everywhere(0.0), "v_b": same_everywhere(2.5, 0.5)}


def rows():
    return [row for name in VALUES for row in matching.score_group(name, VALUES, tasks())]


def test_only_what_was_scored_is_shown():
    chosen = exhibits.choose(VALUES, tasks(), rows())
    assert set(chosen) == {"matching", "false_matches", "map", "problems"}
    assert chosen["problems"] == {}
    handcrafted = exhibits.choose(VALUES, tasks(), rows(), curves_only=True)
    assert set(handcrafted) == {"matching", "problems"}


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ZeroDivisionError("no way"), False),
        (MemoryError("no room"), True),  # of a failing machine, which is marked
        (OSError(28, "No space left"), True),
    ],
)
def test_an_exhibit_that_fails_is_named_and_spoils_no_other(monkeypatch, error, transient):
    def fail(*_):
        raise error

    monkeypatch.setattr(worst_cases, "false_matches", fail)
    chosen = exhibits.choose(VALUES, tasks(), rows())
    (problem,) = chosen["problems"].items()
    assert problem == ("false_matches", f"{type(error).__name__}: {error}")
    assert chosen.get("transient") == (["false_matches"] if transient else None)
    assert "matching" in chosen and "false_matches" not in chosen


def test_what_is_shown_is_by_the_distance_of_the_scores():
    # A step of (3, 3) is shorter than one of (0, 5) by L2 and longer by L1.
    one, two = np.zeros((16, 1, 2), np.float32), np.zeros((16, 2, 2), np.float32)
    one[1:, 0] = (0, 5)
    two[0], two[1:] = [(3, 3), (6, 6)], [(3, 8), (6, 6)]
    values = {"v_a": one, "v_b": two}
    given = tasks(queries=points((0, 0)), distractors=points((1, 0)))
    by_distance = {
        distance: exhibits.choose(
            values, given, score(values, given, distance=distance), False, distance
        )
        for distance in ("l1", "l2")
    }
    assert not any(chosen["problems"] for chosen in by_distance.values())
    wrong = {name: [m["reference"] for m in f["false_matches"]] for name, f in by_distance.items()}
    assert (set(wrong["l1"]), set(wrong["l2"])) == (set(), {0})
    ahead = {name: f["retrieval_rows"][0]["first"][0]["right"] for name, f in by_distance.items()}
    assert ahead == {"l1": True, "l2": False}
    assert by_distance["l1"]["matching"] != by_distance["l2"]["matching"]
    assert by_distance["l1"]["retrieval"] != by_distance["l2"]["retrieval"]


def test_what_json_cannot_hold_is_no_exhibit(monkeypatch):
    monkeypatch.setattr(curves, "matching_curves", lambda *_: {"e": [float("nan")]})
    chosen = exhibits.choose(VALUES, tasks(), rows())
    assert "matching" not in chosen and "not JSON compliant" in chosen["problems"]["matching"]


def test_what_is_written_is_read_back(tmp_path):
    assert exhibits.read(str(tmp_path)) == {}
    chosen = {"candidate": exhibits.choose(VALUES, tasks(), rows())}
    path = exhibits.write(str(tmp_path), chosen)
    assert path == str(tmp_path / "exhibits.json")
    assert exhibits.read(str(tmp_path)) == chosen


def test_another_versions_file_is_told(tmp_path):
    (tmp_path / exhibits.FILE_NAME).write_text(json.dumps({"version": 9, "descriptors": {}}))
    with pytest.raises(UserError, match="version 9, expected 1"):
        exhibits.read(str(tmp_path))
