"""Checks the options for Beam before a component runs into them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

from trainer.core.errors import UserError


def check(options: Sequence[str]) -> None:
    """Refuses options that Beam does not know or cannot read.

    Beam itself passes over unknown options with a line in the log. Runners other than the
    direct one may know more options than Beam's Python side, so there they pass.

    Args:
        options: As on Beam's own command line, e.g. `--direct_num_workers=4`.

    Raises:
        UserError: With the option and what is wrong with it.
    """
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners.runner import create_runner

    for option in options:
        if not option.startswith("--"):
            raise UserError(f"beam: found {option!r}, expected options like --name=value")
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):  # argparse prints, and exits
            parsed = PipelineOptions(list(options))
            known = parsed.get_all_options(drop_default=True)
            given = parsed.get_all_options(drop_default=True, retain_unknown_options=True)
            runner = parsed.view_as(StandardOptions).runner or "DirectRunner"
            create_runner(runner)
    except SystemExit:
        reason = complaint.getvalue().strip().splitlines()[-1].partition("error: ")[2]
        raise UserError(f"beam: {reason}; expected options of Apache Beam") from None
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"beam: {str(error).rstrip('.')}") from None
    unknown = sorted(set(given) - set(known))
    if unknown and "Direct" in runner:
        raise UserError(
            f"beam: unknown option --{unknown[0]}; expected options of Apache Beam, e.g. "
            "--direct_num_workers=2"
        )
    _check_places(runner.rpartition(".")[2], parsed)


def _check_places(runner: str, options: Any) -> None:
    """Refuses work whose job server or worker pool is not named; Beam asks for them in the middle.

    Args:
        runner: Name of the runner.
        options: Beam's, parsed.
    """
    from apache_beam.options.pipeline_options import PortableOptions

    given = options.view_as(PortableOptions)
    if runner == "PortableRunner" and not given.job_endpoint:
        raise UserError(
            "beam: PortableRunner hands its work to a job server; expected "
            "--job_endpoint=HOST:PORT, or --job_endpoint=embed to have each task be its own"
        )
    if given.environment_type == "EXTERNAL" and not given.environment_config:
        raise UserError(
            "beam: --environment_type=EXTERNAL takes workers from a pool; expected "
            "--environment_config=HOST:PORT, where it answers"
        )
