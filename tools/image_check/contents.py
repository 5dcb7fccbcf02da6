"""What a built image must not hold: compilers, caches, tools of the build, secrets.

Over the mounted file system of a container, or any folder that looks like one.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

_COMPILERS = re.compile(
    r"(?:[\w-]+-linux-gnu-)?(?:gcc|g\+\+|c\+\+|cpp|clang|clang\+\+|ld|ld\.gold|ld\.bfd|as|tcc)"
    r"(?:-\d+(?:\.\d+)*)?|cc|cc1|cc1plus|make|cmake|ninja|rustc|cargo|go"
)
_PROGRAMS = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/libexec", "usr/lib/gcc")
_COMPILER_PARTS = ("libclang.so", "cc1plus", "cc1", "libgccjit.so")
_CACHES = (
    *("var/cache/apt/archives/*.deb", "var/cache/apt/*.bin", "var/lib/apt/lists/*_Packages*"),
    *("root/.cache/*", "home/*/.cache/*", "opt/*/.cache/*", "tmp/*", "var/tmp/*"),
    *("root/.local/share/uv", "opt/bootstrap", "build", "run/secrets/*"),
)
_INDEX_SETTINGS = (
    *("etc/pip.conf", "etc/xdg/pip/pip.conf", "etc/uv/uv.toml", "etc/xdg/uv/uv.toml"),
    *("root/.config/pip/pip.conf", "root/.pip/pip.conf", "root/.netrc", "root/.config/uv/uv.toml"),
    *("home/*/.netrc", "home/*/.config/pip/pip.conf", "opt/*/pip.conf"),
)


def problems(root: Path) -> list[str]:
    """Returns a sentence on everything in a file system that should not be there.

    Args:
        root: Where it is mounted.
    """
    return [
        *(f"/{path} is a compiler or a part of one" for path in _compilers(root)),
        *(f"/{path} is a cache or left over from the build" for path in _found(root, _CACHES)),
        *(f"/{path} says where packages come from" for path in _found(root, _INDEX_SETTINGS)),
    ]


def holding(root: Path, texts: Iterable[str], folders: Iterable[str] = (".",)) -> list[str]:
    """Returns the files that hold one of some texts, binary files included.

    Args:
        root: Where the file system is mounted.
        texts: To look for, literally.
        folders: Below the root; symbolic links are not followed.
    """
    wanted = [text for text in texts if text]
    places = [str(root / folder) for folder in folders if (root / folder).exists()]
    if not wanted or not places:
        return []
    patterns = [option for text in wanted for option in ("-e", text)]
    done = subprocess.run(
        ["grep", "-rlsF", "--devices=skip", *patterns, *places],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return sorted(os.path.relpath(path, root) for path in done.stdout.splitlines())


def largest(folder: Path, count: int) -> list[tuple[str, int]]:
    """Returns the entries of a folder that take most space.

    Args:
        folder: To look into, one level deep.
        count: How many.

    Returns:
        Name and bytes, the largest first.
    """
    sizes = [(entry.name, _bytes(entry)) for entry in folder.iterdir()]
    return sorted(sizes, key=lambda item: -item[1])[:count]


def _compilers(root: Path) -> Iterator[str]:
    for folder in _PROGRAMS:
        for path in sorted((root / folder).glob("*")):
            if _COMPILERS.fullmatch(path.name):
                yield str(path.relative_to(root))
    for folder in ("opt", "usr/lib"):
        for path in _files(root / folder):
            if path.name in _COMPILER_PARTS:
                yield str(path.relative_to(root))


def _found(root: Path, patterns: Iterable[str]) -> Iterator[str]:
    for pattern in patterns:
        yield from (str(path.relative_to(root)) for path in sorted(root.glob(pattern)))


def _files(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        yield from (Path(where) / name for name in names)


def _bytes(entry: Path) -> int:
    if entry.is_symlink() or entry.is_file():
        return entry.lstat().st_size
    return sum(path.lstat().st_size for path in _files(entry))
