import json
import math

import pytest

from components.descriptor_evaluator.gate import verdict
from components.descriptor_evaluator.gate.verdict import (
    Change,
    Check,
    Production,
    TableRow,
    Verdict,
    refusal,
)
from components.descriptor_evaluator.protocol.scores import Slice
from trainer.core.errors import UserError

PASSED = Check("floor", True, "Fine.", Slice("matching", "t", "v"), "ap", 0.5, 0.3)
FAILED = Check("baseline", False, "Not fine.", Slice("retrieval"), "ap", 0.1, 0.2)


def some_verdict(*checks):
    row = TableRow("matching", "t", "ap", 0.5, math.nan, math.nan, 1, {"rootsift": 0.4}, 0.45, None)
    other = TableRow(
        "matching", "e", "ap", 0.5, 0.4, 0.6, 9, {"rootsift": math.nan}, 0.5, Change(0.0, -0.1, 0.1)
    )
    return Verdict(checks, (row, other), Production("compared", "p"), "c", ("A note.",))


def test_one_failed_check_refuses_and_gives_the_reason():
    decision = some_verdict(PASSED, FAILED)
    assert not decision.blessed
    assert decision.reasons == ("Not fine.",)
    assert decision.summary == "Not blessed: 1 of 2 checks failed."
    assert some_verdict(PASSED).blessed


def test_no_checks_bless_nothing():
    decision = Verdict(())
    assert not decision.blessed
    assert decision.reasons == ("Nothing was checked, so nothing can be blessed.",)


def test_the_json_has_the_documented_keys_and_no_nan():
    content = json.loads(some_verdict(PASSED, FAILED).to_json(), parse_constant=pytest.fail)
    assert content["blessed"] is False
    assert content["checks"][0] == {
        "name": "floor",
        "passed": True,
        "sentence": "Fine.",
        "slice": {"task": "matching", "noise": "t", "kind": "v"},
        "metric": "ap",
        "value": 0.5,
        "threshold": 0.3,
        "margin": 0.2,
    }
    first, second = content["table"]
    assert first["low"] is None and first["change"] is None
    assert second["change"] == {"mean": 0.0, "low": -0.1, "high": 0.1}
    assert second["baselines"] == {"rootsift": None}


def test_a_verdict_comes_back_from_its_file(tmp_path):
    written = some_verdict(PASSED, FAILED)
    verdict.write(written, str(tmp_path))
    again = verdict.read(str(tmp_path))
    assert again.to_json() == written.to_json()
    assert math.isnan(again.table[0].low)
    assert again.checks == written.checks
    assert [path.name for path in tmp_path.iterdir()] == ["verdict.json"]


def test_the_stated_share_of_refusals_comes_back_and_may_be_missing(tmp_path):
    written = Verdict((PASSED,), production=Production("compared", "p", 0.125))
    assert Verdict.from_json(written.to_json()).production == written.production
    content = json.loads(written.to_json())
    del content["production"]["refused_if_equal"]  # as an earlier version wrote it
    assert math.isnan(Verdict.from_json(json.dumps(content)).production.refused_if_equal)


def test_differences_to_the_baselines_come_back_and_may_be_missing():
    over = {"rootsift": Change(0.1, 0.05, 0.15), "pixels": Change(0.3, math.nan, math.nan)}
    row = TableRow("matching", "e", "ap", 0.5, 0.4, 0.6, 9, {"rootsift": 0.4}, over_baselines=over)
    text = Verdict((PASSED,), (row,)).to_json()
    (again,) = Verdict.from_json(text).table
    assert again.over_baselines["rootsift"] == over["rootsift"]
    assert math.isnan(again.over_baselines["pixels"].low)
    content = json.loads(text)
    del content["table"][0]["over_baselines"]  # as an earlier version wrote it
    assert Verdict.from_json(json.dumps(content)).table[0].over_baselines == {}


def test_a_verdict_that_was_tampered_with_is_not_believed(tmp_path):
    text = some_verdict(FAILED).to_json().replace('"blessed": false', '"blessed": true')
    with pytest.raises(ValueError, match="does not agree"):
        Verdict.from_json(text)
    (tmp_path / "verdict.json").write_text(text)
    with pytest.raises(UserError, match="does not agree"):
        verdict.read(str(tmp_path))


def test_a_missing_or_damaged_file_is_told_in_one_sentence(tmp_path):
    with pytest.raises(UserError, match="there is no verdict"):
        verdict.read(str(tmp_path))
    (tmp_path / "verdict.json").write_text('{"version": 1')
    with pytest.raises(UserError, match="not a verdict"):
        verdict.read(str(tmp_path))


def test_a_refusal_carries_its_sentence():
    decision = refusal("It crashed.", "c")
    assert not decision.blessed
    assert decision.reasons == ("It crashed.",)
    assert Verdict.from_json(decision.to_json()).reasons == ("It crashed.",)
    assert Verdict.from_json(decision.to_json()).production.status == "unknown"
    assert refusal("It crashed.", production=Production("none")).production.status == "none"
