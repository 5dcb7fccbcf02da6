"""`python -m benchmarks.tpu`."""

import dataclasses

import pytest
from click.testing import CliRunner

from benchmarks.harness.ledger import Ledger
from benchmarks.tpu import check, compiler
from benchmarks.tpu.__main__ import main
from benchmarks.tpu.cases import CASES
from benchmarks.tpu.compiler import Compiled

FOUND = Compiled("TPU v5 lite", "libtpu 1", 60, 100, 90, 80, 7, 3, 5e9, 2e9, {}, 0)


@pytest.fixture
def ledger(tmp_path):
    kept = Ledger(tmp_path / "tpu.json")
    kept.put(CASES[0].key, dataclasses.asdict(FOUND))
    return kept


def test_the_table_has_what_was_compiled_alone(ledger):
    result = CliRunner().invoke(main, ["--ledger", str(ledger.path), "--table"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) == 3
    assert CASES[0].batch in result.output


def test_it_goes_on_where_it_stopped(ledger, monkeypatch):
    asked = []
    monkeypatch.setattr(compiler, "require", lambda: None)
    monkeypatch.setattr(check, "lowered", lambda case: b"")
    monkeypatch.setattr(
        compiler, "compile_for", lambda case, _: asked.append(case) or dataclasses.asdict(FOUND)
    )
    result = CliRunner().invoke(main, ["--ledger", str(ledger.path)])
    assert result.exit_code == 0
    assert asked == list(CASES[1:])
    assert len(Ledger(ledger.path)) == len(CASES)


@pytest.mark.parametrize("options", [[], ["--small"]])
def test_without_the_compiler_it_says_what_installs_it(options, ledger, monkeypatch, tmp_path):
    monkeypatch.setattr(compiler, "PYTHON", tmp_path / "python")
    result = CliRunner().invoke(main, ["--ledger", str(ledger.path), *options])
    assert result.exit_code == 1
    assert "make tpu-env" in result.output + result.stderr
