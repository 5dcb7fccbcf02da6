"""README and docs/ name links, commands, options, settings and modules that exist."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest

from benchmarks.__main__ import BENCHMARKS
from pipeline.cli import cli
from pipeline.config.tree import load_config
from trainer.core.settings import RENAMED

_ROOT = Path(__file__).parents[2]
_README = _ROOT / "README.md"
_DOCS = sorted((_ROOT / "docs").glob("*.md"))
_PAGES = [_README, *_DOCS]
_BLOCK = re.compile(r"^ *```[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_SETTING = re.compile(r"(?:--set )?'?((?:data|training|evaluation)\.[\w.]+)(?:=.*)?")
_IMPORT = re.compile(
    r"^\W*(?:python -c \")?from ((?:pipeline|components|trainer)[\w.]*) import ([\w, ]+)"
)
_FILE = re.compile(
    r"(?:pipeline|components|trainer|benchmarks|tests|tools|docker|requirements)/[\w./*-]+"
)
_SHELL_END = re.compile(r" (?:&&|\|\||\||;|#) ?")

_PROGRAMS = ("make", "hpatches", "python -m")

by_page = pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
by_docs_page = pytest.mark.parametrize("page", _DOCS, ids=lambda page: page.name)


def _prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text())


def _spans(page: Path) -> list[str]:
    """Returns the inline code of a page, each on one line."""
    return [" ".join(span.split()) for span in _SPAN.findall(_prose(page))]


def _code(page: Path) -> list[str]:
    """Returns the inline code of a page and the lines of its blocks."""
    blocks = "\n".join(_BLOCK.findall(page.read_text())).replace("\\\n", " ")
    return [*_spans(page), *(line.strip().removeprefix("$ ") for line in blocks.splitlines())]


def _slugs(page: Path, levels: str = "#+") -> list[str]:
    """Returns the anchors that GitHub gives to the headings of a page."""
    return [
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for level, title in _HEADING.findall(_prose(page))
        if re.fullmatch(levels, level)
    ]


def _commands(page: Path, program: str) -> Iterator[list[str]]:
    """Yields the words after a program's name, wherever a page's code calls it."""
    for line in _code(page):
        for part in _SHELL_END.split(line):
            if part.startswith(f"{program} "):
                yield shlex.split(part)[len(program.split()) :]


def _links(page: Path) -> list[str]:
    """Returns the targets of a page's links within the repository."""
    links = _LINK.findall(_prose(page))
    return [link for link in links if not link.startswith(("http://", "https://"))]


def _settings(page: Path) -> list[str]:
    """Returns the keys of the configuration that a page sets or names."""
    keys = [
        words[number + 1].partition("=")[0]
        for words in _commands(page, "hpatches")
        for number, word in enumerate(words)
        if word == "--set"
    ]
    return keys + [match[1] for match in map(_SETTING.fullmatch, _spans(page)) if match]


def _imports(page: Path) -> list[tuple[str, str]]:
    """Returns (module, names) of what a page's code imports from the packages."""
    return [pair for line in _code(page) for pair in _IMPORT.findall(line)]


def _files(page: Path) -> list[str]:
    return [span for span in _spans(page) if _FILE.fullmatch(span)]


def _resolve(words: list[str]) -> click.Command:
    command: click.Command = cli
    for word in words:
        if not isinstance(command, click.Group) or word.startswith("-"):
            break
        assert word in command.commands, f"hpatches {' '.join(words)}: no command {word}"
        command = command.commands[word]
    return command


def _configuration_has(key: str) -> bool:
    tree: Any = load_config("demo").model_dump(mode="json")
    for part in key.split("."):
        if isinstance(tree, list):
            tree = tree[0] if part.isdigit() or part == "N" else {}
        elif not isinstance(tree, dict) or part not in tree:
            return False
        else:
            tree = tree[part]
    return True


@pytest.mark.parametrize(
    "named",
    [
        _links,
        _settings,
        _imports,
        _files,
        *(partial(_commands, program=name) for name in _PROGRAMS),
    ],
)
def test_there_is_something_to_check(named):
    assert sum(len(list(named(page))) for page in _PAGES) >= 3


def test_the_readme_is_short():
    assert len(_README.read_text().splitlines()) <= 150


@by_page
def test_links_and_anchors_exist(page: Path):
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in _slugs(target), f"{page.name}: {link}"


@by_docs_page
def test_each_page_is_linked_and_begins_with_its_contents(page: Path):
    assert f"](docs/{page.name}" in _README.read_text()
    before = _prose(page).partition("\n## ")[0]
    listed = [link.removeprefix("#") for link in re.findall(r"- \[[^\]]+\]\((#[^)]+)\)", before)]
    assert [slug for slug in listed if slug in _slugs(page, "##")] == _slugs(page, "##")


@by_page
def test_make_targets_exist(page: Path):
    targets = re.findall(r"^([a-z][a-z0-9-]*):", (_ROOT / "Makefile").read_text(), re.MULTILINE)
    named = {words[0] for words in _commands(page, "make")}
    assert named <= set(targets)


@by_page
def test_commands_and_their_options_exist(page: Path):
    for words in _commands(page, "hpatches"):
        if words[0].isupper():  # COMMAND stands for any
            continue
        command = _resolve(words)
        known = {"--help", *(name for option in command.params for name in option.opts)}
        used = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert used <= known, f"hpatches {' '.join(words)}: {used - known}"


@by_page
def test_settings_exist(page: Path):
    for key in _settings(page):
        if key.rpartition(".")[2] not in RENAMED:
            assert _configuration_has(key), f"{page.name}: {key}"


@by_page
def test_modules_that_are_run_exist(page: Path):
    for words in _commands(page, "python -m"):
        specification = importlib.util.find_spec(words[0])
        assert specification, f"python -m {words[0]}"
        if specification.submodule_search_locations:
            assert importlib.util.find_spec(f"{words[0]}.__main__"), f"python -m {words[0]}"
        if words[0] == "benchmarks":
            assert set(words[1:]) <= {*BENCHMARKS, "NAME"}


@by_page
def test_imports_exist(page: Path):
    for module, names in _imports(page):
        specification = importlib.util.find_spec(module)
        assert specification and specification.origin, module
        source = Path(specification.origin).read_text()
        for name in (part.split()[0] for part in names.split(",")):
            assert re.search(rf"^(?:class |def )?{name}\b", source, re.MULTILINE) or (
                (specification.submodule_search_locations)
                and importlib.util.find_spec(f"{module}.{name}")
            ), f"{module}: {name}"


@pytest.mark.parametrize(
    "page", [page for page in _PAGES if page.name != "extending.md"], ids=lambda page: page.name
)  # extending.md names files that a reader adds
def test_files_that_are_named_exist(page: Path):
    for name in _files(page):
        assert list(_ROOT.glob(name.rstrip("/"))), f"{page.name}: {name}"
