"""Where commands print."""

from rich.console import Console
from rich.text import Text

_PLAIN_WIDTH = 140


def output() -> Console:
    """Returns the console of standard output.

    A file or a pipe has no width of its own, and rich would fold tables at 80 columns.
    """
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)


def tell_problem(sentence: str) -> None:
    """Prints one sentence in red on standard error."""
    Console(stderr=True, soft_wrap=True).print(Text(sentence, style="red"))
