"""What is silenced and what is not."""

import logging
import os
import subprocess
import sys

import pytest

from trainer.core.errors import UserError

_SCRIPT = """
import logging, os, warnings
from pipeline.terminal import noise
noise.quieten({verbose})
noise.quieten({verbose})  # twice prints nothing twice
assert ("TF_CPP_MIN_LOG_LEVEL" in os.environ) is not {verbose}
log = logging.getLogger("absl")
log.warning("ArtifactQuery.property_predicate is not supported.")
log.warning("Using the in-place Transform since disable_statistics=True")
log.warning("something else")
log.info("by the way")
for module in ("google.api_core._python_version_support", "other"):
    warnings.warn_explicit("from " + module, FutureWarning, "f.py", 1, module)
"""


def told(verbose: bool) -> str:
    return subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(verbose=verbose)],
        capture_output=True,
        text=True,
        check=True,
        env={k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"},
    ).stderr


def test_only_the_known_noise_is_silenced():
    text = told(verbose=False)
    assert "property_predicate" not in text
    assert "in-place Transform" not in text
    assert text.count("something else") == 1
    assert "by the way" not in text
    assert "from google" not in text
    assert "from other" in text


def test_verbose_shows_what_libraries_log():
    assert "by the way" in told(verbose=True)


def test_a_message_with_a_per_cent_sign_is_told_as_it_is(capsys):
    from pipeline.terminal import noise

    handler = noise._ToStderr()
    handler.handle(logging.LogRecord("x", logging.WARNING, "f", 1, "plain %", (), None))
    assert capsys.readouterr().err.endswith(" x: plain %\n")


def _is_told(message, *arguments, error=None):
    from pipeline.terminal import noise

    info = (type(error), error, None) if error else None
    record = logging.LogRecord("beam", logging.ERROR, "f", 1, message, arguments, info)
    return bool(noise._ToStderr().filter(record))


def test_what_a_command_tells_at_its_end_is_not_logged_before():
    mistake = UserError("a.png is empty [while running 'Cut']")
    assert not _is_told("a.png is empty", error=mistake)
    assert not _is_told("Worker: %s", "Traceback\\ntrainer.core.errors.UserError: a.png is empty")
    assert not _is_told("Execution %d failed.", 3)
    stopped = RuntimeError("KeyboardInterrupt [while running 'Cut']")
    assert not _is_told("Error processing instruction", error=stopped)
    assert not _is_told("Error processing instruction", error=KeyboardInterrupt())


def test_bugs_are_logged():
    assert _is_told("division by zero", error=ZeroDivisionError("division by zero"))
    assert _is_told("Worker: %s", "Traceback\\nZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    "said",
    [
        r"Couldn\'t find python-snappy so the implementation is slower",
        r"Discarding unparseable args: [\'--pipeline_type_check\']",
        r"Discarding unparseable args: [\'--direct_runner_use_stacked_bundle\']",
    ],
)
def test_what_worker_processes_of_beam_always_say_is_silenced_with_its_escaped_quotes(said):
    assert not _is_told("Worker: %s", f'severity: WARN message: "{said}"')
    assert _is_told("Worker: %s", 'severity: WARN message: "something else"')
