"""The pair of Python and TFX, by what a machine has."""

from pathlib import Path

import pytest

from tools.set_up.problem import SetUpError
from tools.set_up.stacks import NEW, OLD, Interpreter, choose, choose_named

_BOOKWORM = (2, 36)
_TRIXIE = (2, 41)


def python(path: str) -> Interpreter:
    major, minor = path.rpartition("python")[2].split(".")
    return Interpreter(Path(path), (int(major), int(minor)))


def pythons(*paths: str) -> list[Interpreter]:
    return [python(path) for path in paths]


@pytest.mark.parametrize(
    ("glibc", "paths", "path", "stack"),
    [
        (_BOOKWORM, ["/usr/bin/python3.11"], "/usr/bin/python3.11", OLD),
        (_TRIXIE, ["/usr/bin/python3.13"], "/usr/bin/python3.13", NEW),
        # the exact bound
        ((2, 39), ["/usr/bin/python3.12"], "/usr/bin/python3.12", NEW),
        ((2, 38), ["/p/python3.12", "/p/python3.10"], "/p/python3.10", OLD),
        # the machine's own before a newer one
        (_BOOKWORM, ["/p/python3.11", "/usr/bin/python3.10"], "/usr/bin/python3.10", OLD),
        (_TRIXIE, ["/p/python3.13", "/usr/bin/python3.12"], "/usr/bin/python3.12", NEW),
        # the preferred one before another, wherever it is on the path
        (_TRIXIE, ["/a/python3.12", "/b/python3.13"], "/b/python3.13", NEW),
        (_BOOKWORM, ["/a/python3.10", "/b/python3.11"], "/b/python3.11", OLD),
        # the first of two alike
        (_TRIXIE, ["/b/python3.13", "/a/python3.13"], "/b/python3.13", NEW),
        # the newer stack before the machine's own Python
        (_TRIXIE, ["/usr/bin/python3.11", "/p/python3.12"], "/p/python3.12", NEW),
        (_TRIXIE, ["/usr/bin/python3.14", "/p/python3.10"], "/p/python3.10", OLD),
        # none that fits
        (_BOOKWORM, [], None, None),
        (_BOOKWORM, ["/p/python3.9", "/p/python3.12", "/p/python3.13"], None, None),
        (_TRIXIE, ["/p/python3.9", "/p/python3.14"], None, None),
    ],
)
def test_the_best_pair_is_taken(glibc, paths, path, stack):
    choice = choose(glibc, pythons(*paths))
    if path is None:
        assert choice is None
    else:
        assert (str(choice.python.path), choice.stack) == (path, stack)
        minor = choice.python.version[1]
        assert choice.locks == f"py3{minor}"


@pytest.mark.parametrize(
    ("glibc", "path", "line"),
    [
        (
            _BOOKWORM,
            "/usr/bin/python3.11",
            "Python 3.11 (/usr/bin/python3.11) with TFX 1.16: "
            "glibc 2.36 is older than 2.39, which TFX 1.21 needs",
        ),
        (
            _TRIXIE,
            "/usr/bin/python3.13",
            "Python 3.13 (/usr/bin/python3.13) with TFX 1.21: "
            "glibc 2.41 is not older than the 2.39 that it needs",
        ),
        (
            _TRIXIE,
            "/p/python3.10",
            "Python 3.10 (/p/python3.10) with TFX 1.16: "
            "no Python 3.13 or 3.12 was found, which TFX 1.21 needs",
        ),
    ],
)
def test_one_line_says_which_and_why(glibc, path, line):
    assert str(choose(glibc, pythons(path))) == line


def test_a_named_python_is_taken_before_all_others():
    choice = choose_named(_TRIXIE, "/p/python3.11", pythons("/p/python3.11", "/p/python3.13"))
    assert choice.locks == "py311"
    assert choice.stack is OLD
    assert choice.reason == "PYTHON=/p/python3.11 names it"


@pytest.mark.parametrize(
    ("glibc", "paths", "said", "expected"),
    [
        (_BOOKWORM, [], "is no Python that can be started", "3.11 or 3.10 (TFX 1.16) with"),
        (_BOOKWORM, ["/p/python3.13"], "is Python 3.13", "3.11 or 3.10 (TFX 1.16) with"),
        (
            _TRIXIE,
            ["/p/python3.9"],
            "is Python 3.9",
            "3.13 or 3.12 (TFX 1.21) or 3.11 or 3.10 (TFX 1.16) with",
        ),
    ],
)
def test_a_named_python_that_does_not_fit_is_refused(glibc, paths, said, expected):
    with pytest.raises(SetUpError) as raised:
        choose_named(glibc, "it", pythons(*paths))
    assert f"PYTHON=it {said}, expected {expected}" in str(raised.value)


def test_a_glibc_older_than_either_stack_needs_is_refused():
    with pytest.raises(SetUpError, match=r"found glibc 2\.12, expected 2\.28 or newer"):
        choose((2, 12), pythons("/usr/bin/python3.11"))
