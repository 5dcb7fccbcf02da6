"""The view of a spec's tasks."""

import copy
import graphlib

import pytest

from pipeline.kfp.tasks import in_order, read_tasks
from tests.support.small_spec import TASKS_IN_ORDER, small_spec, task


def test_the_order_follows_the_dag_and_is_always_the_same():
    spec = small_spec()
    turned = copy.deepcopy(spec)
    turned["root"]["dag"]["tasks"] = dict(reversed(spec["root"]["dag"]["tasks"].items()))
    for tree in (spec, turned):
        assert [each.name for each in in_order(read_tasks(tree))] == list(TASKS_IN_ORDER)


def test_who_takes_an_output_comes_after_its_producer_without_saying_so():
    spec = small_spec()
    for each in spec["root"]["dag"]["tasks"].values():
        each.pop("dependentTasks", None)
    assert read_tasks(spec)["push"].after == ("check", "second")


def test_cycles_raise():
    spec = small_spec()
    task(spec, "first")["dependentTasks"] = ["report"]
    with pytest.raises(graphlib.CycleError):
        in_order(read_tasks(spec))


def test_what_a_spec_lacks_is_empty():
    assert read_tasks({}) == {}
    bare = read_tasks({"root": {"dag": {"tasks": {"a": {}}}}})["a"]
    assert (bare.component, bare.executor, bare.after, bare.condition) == ({}, {}, (), "")
    assert not bare.cached and bare.declared("input", "artifacts") == bare.given("artifacts") == {}
