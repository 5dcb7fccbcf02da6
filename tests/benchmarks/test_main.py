"""`python -m benchmarks` goes on after a miss and ends with 1."""

import types

import pytest
from click.testing import CliRunner
from rich.table import Table

from benchmarks import __main__ as benchmarks
from benchmarks.harness.targets import Figure, MissedError, held_to
from trainer.core.errors import UserError

WIDE = "a heading that is as wide as what stands below it"
GOOD, BAD = Figure("good", 2, "at least", 1), Figure("bad", 1, "at least", 2)


def missing(work):
    raise UserError("no model; run `make demo` first")


def failing(work):
    raise MissedError("values differ")


@pytest.fixture
def run(monkeypatch):
    def run(*ways):
        modules = {f"module{number}": way for number, way in enumerate(ways)}
        monkeypatch.setattr(benchmarks, "BENCHMARKS", {f"name{m[6:]}": m for m in modules})
        monkeypatch.setattr(
            benchmarks.importlib,
            "import_module",
            lambda name: types.SimpleNamespace(run=modules[name]),
        )
        return CliRunner().invoke(benchmarks.main, [])

    return run


def test_targets_that_are_reached_or_cannot_be_measured_end_well(run):
    done = run(lambda work: held_to(Table(WIDE), [GOOD]), missing)
    assert done.exit_code == 0, done.output
    assert "good: 2 (target: at least 1)" in done.output
    assert "skipped: no model; run `make demo` first" in done.output


def test_a_missed_target_shows_its_table_and_the_others_still_run(run):
    done = run(lambda work: held_to(Table(WIDE), [BAD]), lambda work: held_to(Table(WIDE), [GOOD]))
    assert done.exit_code == 1
    assert WIDE in done.output.split("name1")[0]
    assert "missed: bad: 1 (target: at least 2)" in done.output
    assert "good: 2 (target: at least 1)" in done.output


def test_values_that_differ_fail_too(run):
    done = run(failing)
    assert done.exit_code == 1
    assert "missed: values differ" in done.output
