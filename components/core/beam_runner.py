"""Beam's runner for one machine, by its full name.

From Beam 2.68 on the short name `DirectRunner` may fetch and start a program (Prism) in the
place of the runner that it used to mean.
"""

from __future__ import annotations

from collections.abc import Iterable

DIRECT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_SHORT_NAMES = ("directrunner", "direct")


def use_direct_runner_by_default() -> None:
    """Makes it the runner of every Beam pipeline of this process that names none.

    An option would do the same, but TFX packs its own sources for workers elsewhere, some
    seconds for every component, as soon as there is one option.
    """
    from apache_beam.options.pipeline_options import StandardOptions

    StandardOptions.DEFAULT_RUNNER = DIRECT_RUNNER


def with_full_name(options: Iterable[str]) -> list[str]:
    """Returns Beam's options with the direct runner's short name replaced.

    Example:
        >>> with_full_name(["--runner=DirectRunner", "--direct_num_workers=2"])[1]
        '--direct_num_workers=2'
    """
    named = []
    for option in options:
        key, equals, value = option.partition("=")
        short = key == "--runner" and value.lower() in _SHORT_NAMES
        named.append(f"{key}{equals}{DIRECT_RUNNER}" if short else option)
    return named
