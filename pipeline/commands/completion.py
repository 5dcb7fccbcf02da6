"""Shell completion: click completes commands, options and choices; this adds paths.

Options that take a path are plain texts, because what is wrong with one is told in this
program's own sentences. Their `metavar` says what they are.
"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

_KINDS = {
    "DIR": "dir",
    "CSVDIR": "dir",
    "SAVEDMODEL": "dir",
    "FILE": "file",
    "NAME_OR_FILE": "file",
}


class _PathText(StringParamType):
    """A text that the shell completes as a path."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type=self._kind)]


def complete_paths(command: click.Command) -> None:
    """Has the shell complete the paths that a command and those below it take."""
    for parameter in command.params:
        kind = _KINDS.get(str(parameter.metavar))
        if kind is not None and type(parameter.type) is StringParamType:
            parameter.type = _PathText(kind)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            complete_paths(inner)
