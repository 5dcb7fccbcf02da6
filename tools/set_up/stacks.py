"""Which Python with which release of TFX: the pure part of the choice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools.set_up.problem import SetUpError


@dataclass(frozen=True)
class Stack:
    """A release of TFX and what it runs on.

    Attributes:
        tfx: Version of TFX.
        pythons: Versions of Python that it runs on; the preferred one first.
        glibc: The oldest that its packages are built for.
    """

    tfx: str
    pythons: tuple[tuple[int, int], ...]
    glibc: tuple[int, int]


NEW = Stack("1.21", ((3, 13), (3, 12)), (2, 39))
OLD = Stack("1.16", ((3, 11), (3, 10)), (2, 28))


@dataclass(frozen=True)
class Interpreter:
    """A Python of this machine.

    Attributes:
        path: Path of the interpreter.
        version: Major and minor.
    """

    path: Path
    version: tuple[int, int]

    @property
    def is_systems(self) -> bool:
        """Whether the system's packages brought it."""
        return self.path.parent in (Path("/usr/bin"), Path("/bin"))


@dataclass(frozen=True)
class Choice:
    """A Python, the release of TFX for it, and why these.

    Attributes:
        python: What the environment is made from.
        stack: What is installed.
        reason: In words, for the user.
    """

    python: Interpreter
    stack: Stack
    reason: str

    @property
    def locks(self) -> str:
        """The folder of the locks for that Python, below `requirements`."""
        return "py{}{}".format(*self.python.version)

    def __str__(self) -> str:
        """Returns the line for the user."""
        version = dotted(self.python.version)
        return f"Python {version} ({self.python.path}) with TFX {self.stack.tfx}: {self.reason}"


def dotted(version: tuple[int, int]) -> str:
    """Returns a version as people write it."""
    return ".".join(map(str, version))


def stack_for(glibc: tuple[int, int]) -> Stack:
    """Returns the newest stack whose packages run with a glibc.

    Raises:
        SetUpError: When even the older one needs a newer glibc.
    """
    for stack in (NEW, OLD):
        if glibc >= stack.glibc:
            return stack
    raise SetUpError(
        f"found glibc {dotted(glibc)}, expected {dotted(OLD.glibc)} or newer (TFX {OLD.tfx}) or "
        f"{dotted(NEW.glibc)} or newer (TFX {NEW.tfx}): use a newer system, such as Debian 13"
    )


def choose(glibc: tuple[int, int], interpreters: list[Interpreter]) -> Choice | None:
    """Returns the best pair of those that a machine offers, or None when there is none.

    The newer stack comes first, then the system's own Python, then the preferred version.

    Args:
        glibc: Version of the machine's glibc.
        interpreters: Pythons of the machine, in the order in which a shell would find them.

    Raises:
        SetUpError: When no stack runs with that glibc.
    """
    best = stack_for(glibc)
    for stack in (NEW, OLD):
        fitting = [python for python in interpreters if python.version in stack.pythons]
        if glibc >= stack.glibc and fitting:
            python = min(fitting, key=lambda each: _rank(each, stack))
            if stack is NEW:
                reason = (
                    f"glibc {dotted(glibc)} is not older than the {dotted(NEW.glibc)} that it needs"
                )
            elif best is OLD:
                reason = (
                    f"glibc {dotted(glibc)} is older than {dotted(NEW.glibc)}, "
                    f"which TFX {NEW.tfx} needs"
                )
            else:
                reason = f"no Python {versions(NEW)} was found, which TFX {NEW.tfx} needs"
            return Choice(python, stack, reason)
    return None


def choose_named(glibc: tuple[int, int], name: str, interpreters: list[Interpreter]) -> Choice:
    """Returns the pair for the Python that the user names.

    Args:
        glibc: The machine's.
        name: As given in PYTHON.
        interpreters: The Pythons that answer to that name.

    Raises:
        SetUpError: When there is none or no stack runs with it here.
    """
    if not interpreters:
        problem = "is no Python that can be started"
    elif choose(glibc, interpreters[:1]) is None:
        problem = f"is Python {dotted(interpreters[0].version)}"
    else:
        python = interpreters[0]
        stack = NEW if python.version in NEW.pythons else OLD
        return Choice(python, stack, f"PYTHON={name} names it")
    wanted: list[Stack] = [NEW, OLD] if stack_for(glibc) is NEW else [OLD]
    raise SetUpError(
        f"PYTHON={name} {problem}, expected "
        + " or ".join(f"{versions(stack)} (TFX {stack.tfx})" for stack in wanted)
        + f" with this machine's glibc {dotted(glibc)}: "
        "name another one or leave PYTHON out to have one looked for"
    )


def versions(stack: Stack) -> str:
    """Returns the versions of Python that a stack runs on, in words."""
    return " or ".join(map(dotted, stack.pythons))


def _rank(python: Interpreter, stack: Stack) -> tuple[bool, int]:
    return (not python.is_systems, stack.pythons.index(python.version))
