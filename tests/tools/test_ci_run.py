"""`.ci/run` with a made-up make."""

import os
import subprocess
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[2] / ".ci" / "run"
_COUNTS_PROCESSORS = os.access("/sys/devices/system/cpu/possible", os.R_OK)  # as libtpu does
_MAKE = """#!/bin/sh
echo "make $*"
[ "$1" = lint ] && exit {lint}
[ "$1" = tpu-check-small ] && exit {tpu}
[ "$1" = test ] || exit 0
echo "=================== test session starts ==================="
echo "=================== {summary} in 1.00s ==================="
[ {test} = 0 ] || echo "make: *** [Makefile:1: test] Error {test}" >&2
exit {test}
"""


def run(tmp_path, lint=0, tpu=0, test=0, summary="3 passed", **variables):
    make = tmp_path / "make"
    make.write_text(_MAKE.format(lint=lint, tpu=tpu, test=test, summary=summary))
    make.chmod(0o755)
    chromium = tmp_path / "chromium"  # there, so that none is installed
    chromium.write_text("#!/bin/sh\n")
    chromium.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", **variables}
    return subprocess.run([_SCRIPT], env=environment, capture_output=True, text=True, check=False)


def test_pytests_closing_line_comes_last(tmp_path):
    result = run(tmp_path)
    assert result.returncode == 0
    commands = [line for line in result.stdout.splitlines() if line.startswith("make ")]
    compiled = ["tpu-check-small"] if _COUNTS_PROCESSORS else []
    targets = ["lint", "trainer-cpu-env", *compiled, "test", "test-other-stack TESTS=test"]
    assert commands == [f"make {target}" for target in targets]
    assert result.stdout.splitlines()[-1].strip("= ") == "3 passed in 1.00s"


def test_where_the_suite_takes_long_the_other_stack_runs_the_quick_tests(tmp_path):
    result = run(tmp_path, CI_SLOW_AFTER="-1")
    assert result.returncode == 0
    assert "make test-other-stack TESTS=test-fast\n" in result.stdout


@pytest.mark.parametrize("summary", ["1 failed, 2 passed", "2 errors", "no tests ran"])
def test_a_failure_ends_with_the_closing_line_and_its_status(tmp_path, summary):
    result = run(tmp_path, test=2, summary=summary)
    assert result.returncode == 2
    assert result.stdout.splitlines()[-1].strip("= ") == f"{summary} in 1.00s"


def test_unclean_code_is_not_tested(tmp_path):
    result = run(tmp_path, lint=1)
    assert result.returncode == 1
    assert "make test" not in result.stdout


@pytest.mark.skipif(not _COUNTS_PROCESSORS, reason="no /sys: nothing is compiled for TPUs")
def test_a_step_that_no_tpu_takes_fails_after_the_tests(tmp_path):
    result = run(tmp_path, tpu=2)
    assert result.returncode == 2
    assert result.stdout.splitlines()[-1].strip("= ") == "3 passed in 1.00s"
