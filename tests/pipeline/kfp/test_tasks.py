"""The view of a spec's tasks."""

import graphlib

import pytest

from pipeline.kfp.tasks import in_order, read_tasks
from tests.support.small_spec import IN_ORDER, small_spec


def test_the_order_follows_the_dag_and_is_always_the_same():
    spec = small_spec()
    tasks = spec["root"]["dag"]["tasks"]
    assert [task.name for task in in_order(read_tasks(spec))] == list(IN_ORDER)
    spec["root"]["dag"]["tasks"] = dict(reversed(tasks.items()))
    assert [task.name for task in in_order(read_tasks(spec))] == list(IN_ORDER)


def test_who_takes_an_output_comes_after_its_producer_without_saying_so():
    spec = small_spec()
    for task in spec["root"]["dag"]["tasks"].values():
        task.pop("dependentTasks", None)
    assert read_tasks(spec)["push"].after == ("check", "second")


def test_cycles_raise():
    spec = small_spec()
    spec["root"]["dag"]["tasks"]["first"]["dependentTasks"] = ["report"]
    with pytest.raises(graphlib.CycleError):
        in_order(read_tasks(spec))


def test_what_a_spec_lacks_is_empty():
    assert read_tasks({}) == {}
    task = read_tasks({"root": {"dag": {"tasks": {"a": {}}}}})["a"]
    assert (task.component, task.executor, task.after, task.condition) == ({}, {}, (), "")
    assert not task.cached and task.declared("input", "artifacts") == task.given("artifacts") == {}
