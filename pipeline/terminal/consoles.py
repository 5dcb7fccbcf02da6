"""Where commands print.

Texts are printed as they are: paths may hold what rich would take for its markup.
"""

import sys

from rich.console import Console
from rich.text import Text

from trainer.core.errors import printable

_PLAIN_WIDTH = 140


def output() -> Console:
    """Returns the console of standard output.

    A file or a pipe has no width of its own, and rich would fold tables at 80 columns.
    """
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        return console
    return Console(highlight=False, markup=False, width=_PLAIN_WIDTH)


def tell_problem(sentence: str) -> None:
    """Prints one sentence in red on standard error."""
    Console(stderr=True, soft_wrap=True).print(Text(printable(sentence), style="red"))


def tell_warning(sentence: str) -> None:
    """Prints one sentence in yellow on standard error."""
    Console(stderr=True, soft_wrap=True).print(Text(printable(sentence), style="yellow"))


def print_everything() -> None:
    """Writes what a stream's encoding lacks (ASCII terminals, names without UTF-8) as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
