"""Lowers and compiles the cases, keeping each result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.harness.ledger import Ledger
from benchmarks.tpu import compiler, table
from benchmarks.tpu.cases import CASES, SMALL, Case
from benchmarks.tpu.compiler import Compiled
from benchmarks.tpu.lowering import lowered

LEDGER = Path(__file__).parents[1] / "results" / "tpu.json"


def compiled(case: Case, console: Console) -> dict[str, Any]:
    """Lowers and compiles a case; returns the fields of `Compiled`."""
    with console.status(f"lowering {case.key}") as status:
        program = lowered(case)
        status.update(f"compiling {case.key}")
        return compiler.compile_for(case, program)


def compile_missing(ledger: Ledger, console: Console) -> None:
    """Compiles the cases that a ledger lacks."""
    compiler.require()
    todo = [case for case in CASES if ledger.get(case.key) is None]
    for number, case in enumerate(todo, start=1):
        console.print(f"{number} of {len(todo)}: {case.key}", soft_wrap=True)
        ledger.put(case.key, compiled(case, console))


def small(console: Console) -> str:
    """Compiles the smallest case; returns its table in Markdown."""
    compiler.require()
    console.print(f"compiling {SMALL.key}: about a minute", soft_wrap=True)
    return table.markdown({SMALL: Compiled(**compiled(SMALL, console))})


def kept(ledger: Ledger) -> str:
    """Returns the table of what a ledger has, in Markdown."""
    results = {case: ledger.get(case.key) for case in CASES}
    return table.markdown({case: Compiled(**found) for case, found in results.items() if found})
