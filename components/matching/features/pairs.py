"""Matches features of many photographs: `hpatches match --features`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath

import numpy as np

from components.core import files
from components.matching import mutual
from components.matching.features import colmap, formats, hloc, new_file, parallel
from components.matching.features.features import Store
from components.matching.features.hloc import AddMatches
from components.matching.mutual import Matches
from components.matching.settings import RatioSettings
from trainer.core.errors import UserError
from trainer.core.progress import report
from trainer.model import patch_identity

_KEPT = 64  # photographs whose descriptors stay in memory, 4 MB each
NAMES = "hloc's matches (.h5), or a COLMAP database (.db)"

Pair = tuple[str, str]


@dataclass(frozen=True)
class Matched:
    """What was written: numbers of pairs and of matches, and the rule they pass."""

    pairs: int
    matches: int
    rule: RatioSettings


@dataclass(frozen=True)
class _Work:
    pair: Pair
    first: np.ndarray
    second: np.ndarray


def match(
    features: str,
    output: str,
    *,
    pairs_file: str | None = None,
    ratio: float | None = None,
    distance: float | None = None,
) -> Matched:
    """Matches pairs of photographs by their descriptors, and writes the matches.

    Args:
        features: File that `hpatches features` wrote.
        output: New `matches.h5`, or a COLMAP database of the same photographs, to which the
            matches are added.
        pairs_file: Text with two names a line; by default, all pairs.
        ratio: Largest `Matches.ratio`; by default the model's, else `RatioSettings`'s.
        distance: Largest `Matches.distance`; by default the model's, else any.

    Raises:
        UserError: When something cannot be used or written; then nothing is written.
    """
    writer = _writer(output)
    store = formats.read(features)
    try:
        rule = _rule(store, ratio, distance)
        pairs = _pairs(store, pairs_file)
        limit = np.inf if rule.distance is None else rule.distance

        def work(item: _Work) -> tuple[Pair, int, Matches]:
            matches = mutual.match(item.first, item.second, rule.ratio, limit)
            return item.pair, len(item.first), matches

        total = 0
        with writer as add:
            for number, result in enumerate(parallel.in_order(work, _load(store, pairs))):
                (first, second), count, matches = result()
                add(first, second, count, matches)
                total += len(matches)
                report("matching pairs", number + 1, len(pairs), f"{first} {second}")
        return Matched(len(pairs), total, rule)
    finally:
        store.close()


def read_pairs(path: str) -> list[Pair]:
    """Reads pairs, two names a line; a pair that comes again, in any order, is left out.

    Raises:
        UserError: When a line has not two different names.
    """
    found: dict[frozenset[str], Pair] = {}
    for number, line in enumerate(files.read_text(path).splitlines(), start=1):
        names = line.split()
        if not names or names[0].startswith("#"):
            continue
        if len(names) != 2 or names[0] == names[1]:
            raise UserError(
                f"{path}: line {number} is {line.strip()!r}, expected the names of two images"
            )
        found.setdefault(frozenset(names), (names[0], names[1]))
    if not found:
        raise UserError(f"{path}: lists no pair, expected the names of two images a line")
    return list(found.values())


def _pairs(store: Store, path: str | None) -> list[Pair]:
    if path is None:
        if len(store.counts) < 2:
            raise UserError(f"{store.path}: holds one photograph, expected two or more to match")
        return list(itertools.combinations(store.counts, 2))
    pairs = read_pairs(path)
    for name in itertools.chain.from_iterable(pairs):
        if name not in store.counts:
            known = ", ".join(list(store.counts)[:3])
            raise UserError(
                f"{path}: {name} is not among the {len(store.counts)} photographs of {store.path} "
                f"({known} ...); use their names"
            )
    return pairs


def _rule(store: Store, ratio: float | None, distance: float | None) -> RatioSettings:
    own = patch_identity.read_matching(store.identity)
    given = {
        "ratio": ratio if ratio is not None else own.ratio,
        "distance": distance if distance is not None else own.max_distance,
    }
    return RatioSettings(**{key: value for key, value in given.items() if value is not None})


def _load(store: Store, pairs: list[Pair]) -> Iterator[_Work]:
    descriptors = lru_cache(_KEPT)(store.descriptors)
    for pair in pairs:
        first, second = (descriptors(name) for name in pair)
        if first.shape[1] != second.shape[1]:
            raise UserError(
                f"{store.path}: {pair[0]} has descriptors of {first.shape[1]} numbers and "
                f"{pair[1]} of {second.shape[1]}, expected the same; describe them again"
            )
        yield _Work(pair, first, second)


def _writer(output: str) -> AbstractContextManager[AddMatches]:
    kind = PurePath(output).suffix.lower()
    if kind == ".h5":
        new_file.check(output)
        return hloc.writing_matches(output)
    if kind != ".db":
        raise UserError(f"--output: {output} names no format, expected {NAMES}")
    if not files.exists(output):
        raise UserError(
            f"--output: {output} is missing, expected the database that `hpatches features` wrote"
        )
    colmap.check_for_matches(output)
    return colmap.adding_matches(output)
