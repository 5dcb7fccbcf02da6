"""What a run on Kubeflow may take from the cache."""

import datetime

import pytest

from pipeline.kfp import caching

_DAY = datetime.date(2026, 11, 29)


def _spec() -> dict:
    tasks = {"PatchExampleGen": {"cachingOptions": {}}, "Transform": {"cachingOptions": {}}}
    return {"root": {"dag": {"tasks": tasks}}}


def _cached(spec: dict) -> set[str]:
    tasks = spec["root"]["dag"]["tasks"]
    return {name for name, task in tasks.items() if task["cachingOptions"].get("enableCache")}


@pytest.mark.parametrize("values", [{}, {"data_fingerprint": ""}])
def test_without_a_fingerprint_of_the_data_nothing_is(values):
    spec, given = caching.for_run(_spec(), values, _DAY)
    assert _cached(spec) == set() and given == values


def test_with_one_the_patches_are_and_nothing_else():
    before = _spec()
    spec, given = caching.for_run(before, {"data_fingerprint": "v1", "data_path": "x"}, _DAY)
    assert _cached(spec) == {"PatchExampleGen"}
    assert given == {"data_fingerprint": "v1, week 48 of 2026", "data_path": "x"}
    assert before == _spec()


def test_what_is_reused_is_no_older_than_a_week():
    days = [_DAY + datetime.timedelta(days) for days in range(1, 9)]
    told = [caching.for_run(_spec(), {"data_fingerprint": "v"}, day)[1] for day in days]
    assert all(one == told[0] for one in told[:7]) and told[7] != told[0]
