import hashlib
import json
import math

import pytest

from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.scoring.scores_cache import (
    Scored,
    ScoresCache,
    entry_key,
    rows_from_lines,
    rows_to_lines,
)
from tests.components.descriptor_evaluator.gate.score_samples import level, matching_rows

SCORED = Scored(tuple(matching_rows(level(1 / 3), scenes=2)), {"sigma": 2.5})
KEY = entry_key("abc", {}, "data", "tasks", "code")


def whole_file(header):
    """An entry without rows whose checksum is right."""
    content = json.dumps(header).encode() + b"\n"
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def test_rows_come_back_bit_for_bit_nan_included():
    rows = (UnitScore("matching", "e", "v", "v_ä", "a", "1", {"ap": 0.1 + 0.2, "x": math.nan}),)
    (again,) = rows_from_lines(rows_to_lines(rows))
    assert again.metrics["ap"] == 0.1 + 0.2
    assert math.isnan(again.metrics["x"])
    assert again.sequence == "v_ä"


def test_what_was_put_is_got(tmp_path):
    cache = ScoresCache(str(tmp_path / "rows"))
    assert cache.get(KEY) is None
    cache.put(KEY, SCORED)
    assert cache.get(KEY) == SCORED
    (path,) = (tmp_path / "rows").iterdir()
    assert path.suffix == ".jsonl"
    other = entry_key("other", {}, "data", "tasks", "code")
    path.rename(path.with_name(f"{other}.jsonl"))
    assert cache.get(other) is None  # an entry under another name is none
    nowhere = ScoresCache(None)
    nowhere.put(KEY, SCORED)
    assert nowhere.get(KEY) is None


@pytest.mark.parametrize(
    "other",
    [
        entry_key("abd", {}, "data", "tasks", "code"),
        entry_key("abc", {"sigma": 2.5}, "data", "tasks", "code"),
        entry_key("abc", {}, "other", "tasks", "code"),
        entry_key("abc", {}, "data", "other", "code"),
        entry_key("abc", {}, "data", "tasks", "other"),
    ],
)
def test_anything_that_changes_the_rows_changes_the_key(other):
    assert other != KEY


def test_a_damaged_entry_is_no_entry(tmp_path):
    cache = ScoresCache(str(tmp_path))
    cache.put(KEY, SCORED)
    (path,) = tmp_path.iterdir()
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    assert cache.get(KEY) is None
    for there, instead in (("photo00", "photo07"), ('"sigma": 2.5', '"sigma": 9.5')):
        assert there in whole  # of the rows, of the header
        path.write_text(whole.replace(there, instead, 1))
        assert cache.get(KEY) is None
    path.write_text("")
    assert cache.get(KEY) is None
    path.write_text(whole)
    assert cache.get(KEY) == SCORED


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00\x80 junk",
        b'{"key": ',
        b"null\n",
        b"[1, 2]\n",
        b'"text"\n',
        whole_file({"key": KEY, "facts": {}}) + b"\xff",
        whole_file({"key": KEY}),
        whole_file([1]),
    ],
)
def test_an_entry_of_something_else_is_no_entry_and_is_written_over(tmp_path, content):
    cache = ScoresCache(str(tmp_path))
    (tmp_path / f"{KEY}.jsonl").write_bytes(content)
    assert cache.get(KEY) is None
    cache.put(KEY, SCORED)
    assert cache.get(KEY) == SCORED
