"""What is published where: `datasets.json`, the one list of data sets and their homes.

A home's `source` says where the entry is from, `unverified` what nobody could look up: such a
size or checksum is left out, not guessed.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

_FILE = Path(__file__).with_name("datasets.json")
_NAMED_AFTER = {"strips": "hpatches", "sequences": "hpatches-sequences"}


@dataclass(frozen=True)
class Home:
    """A file that holds a data set.

    Attributes:
        url: Its address.
        source: Where the entry is from.
        about_gb: Published size, rounded; None if unknown.
        bytes: Exact size; None if unknown.
        sha256: Checksum; None if unknown.
        md5: Older checksum, against damage alone; None if unknown.
        unverified: What of the entry nobody could look up.
    """

    url: str
    source: str
    about_gb: float | None = None
    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    unverified: str = ""

    @property
    def file_name(self) -> str:
        """Name of the file, e.g. `liberty.zip`."""
        return self.url.rpartition("/")[2]

    @property
    def checksum(self) -> tuple[str, str] | None:
        """Algorithm and hexadecimal digest of the file, or None."""
        for algorithm in ("sha256", "md5"):
            digest = getattr(self, algorithm)
            if digest:
                return algorithm, digest
        return None


@dataclass(frozen=True)
class Dataset:
    """A published data set.

    Attributes:
        name: As `hpatches fetch` takes it.
        title: For people.
        layout: `strips`, `sequences` (the data formats of these names) or `photo_tour`.
        cite: Publication that users are to cite.
        homes: Where it is, the best one first.
        sequences: Number of image sequences of each kind (`i`, `v`).
        patches: Number of patches (PhotoTour sets).
    """

    name: str
    title: str
    layout: str
    cite: str
    homes: tuple[Home, ...]
    sequences: Mapping[str, int] = field(default_factory=dict)
    patches: int = 0


@functools.cache
def datasets() -> Mapping[str, Dataset]:
    """Returns the data sets by name."""
    return MappingProxyType(read(_FILE.read_text()))


def read(text: str) -> dict[str, Dataset]:
    """Reads a list of data sets, JSON like `datasets.json`."""
    read_ones = {}
    for name, entry in json.loads(text).items():
        homes = tuple(Home(**home) for home in entry.pop("homes"))
        read_ones[name] = Dataset(name=name, homes=homes, **entry)
    return read_ones


def command_for(format: str) -> str:
    """Returns the command that fetches HPatches in a data format; "" without one.

    Example:
        >>> command_for("strips")
        'hpatches fetch hpatches --output hpatches-release'
    """
    name = _NAMED_AFTER.get(format)
    return f"hpatches fetch {name} --output {name}-release" if name else ""
