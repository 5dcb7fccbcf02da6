import json

import pytest

from components.descriptor_evaluator import exhibit_curves, exhibits, matching, worst_cases
from tests.components.descriptor_evaluator.lines import same_everywhere, tasks
from trainer.errors import UserError

VALUES = {"v_a": same_everywhere(0.0), "v_b": same_everywhere(2.5, 0.5)}


def rows():
    return [
        row
        for name, values in VALUES.items()
        for row in matching.rows_of_sequence(name, name[2:], "v", values)
    ]


def test_only_what_was_scored_is_shown():
    found = exhibits.choose(VALUES, tasks(), rows())
    assert set(found) == {"matching", "false_matches", "map", "problems"}
    assert found["problems"] == {}


def test_handmade_descriptors_have_curves_alone():
    found = exhibits.choose(VALUES, tasks(), rows(), curves_only=True)
    assert set(found) == {"matching", "problems"}


def test_an_exhibit_that_fails_is_named_and_spoils_no_other(monkeypatch):
    def fail(descriptors):
        raise ZeroDivisionError("no way")

    monkeypatch.setattr(worst_cases, "false_matches", fail)
    found = exhibits.choose(VALUES, tasks(), rows())
    assert found["problems"] == {"false_matches": "ZeroDivisionError: no way"}
    assert "transient" not in found
    assert "matching" in found and "false_matches" not in found


@pytest.mark.parametrize("error", [MemoryError("no room"), OSError(28, "No space left")])
def test_an_exhibit_that_a_failing_machine_spoils_is_marked_as_such(monkeypatch, error):
    def fail(descriptors):
        raise error

    monkeypatch.setattr(worst_cases, "false_matches", fail)
    found = exhibits.choose(VALUES, tasks(), rows())
    assert set(found["problems"]) == {"false_matches"}
    assert found["transient"] == ["false_matches"]


def test_what_json_cannot_hold_is_no_exhibit(monkeypatch):
    monkeypatch.setattr(exhibit_curves, "matching_curves", lambda d: {"e": [float("nan")]})
    found = exhibits.choose(VALUES, tasks(), rows())
    assert "matching" not in found and "not JSON compliant" in found["problems"]["matching"]


def test_what_is_written_is_read_back(tmp_path):
    chosen = {"candidate": exhibits.choose(VALUES, tasks(), rows())}
    path = exhibits.write(str(tmp_path), chosen)
    assert path == str(tmp_path / "exhibits.json")
    assert exhibits.read(str(tmp_path)) == chosen


def test_an_evaluation_without_exhibits_has_none(tmp_path):
    assert exhibits.read(str(tmp_path)) == {}


def test_another_versions_file_and_a_missing_folder_are_told(tmp_path):
    (tmp_path / exhibits.FILE_NAME).write_text(json.dumps({"version": 9, "descriptors": {}}))
    with pytest.raises(ValueError, match="version 9, expected 1"):
        exhibits.read(str(tmp_path))
    with pytest.raises(UserError, match="cannot be written"):
        exhibits.write(str(tmp_path / "absent"), {})
