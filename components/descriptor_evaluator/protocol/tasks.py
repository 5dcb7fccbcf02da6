"""Where the tables of the tasks come from: published files, or drawing by the same rules.

Source: HPatches, section 5, and the task generator of its Python evaluator.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from components.core import files
from components.core.names import INTER, INTRA, RETRIEVAL, TASK_NAMES, VERIFICATION
from components.descriptor_evaluator.protocol.task_tables import Pairs, Points, Tasks
from trainer.core.errors import UserError
from trainer.core.settings import Settings
from trainer.core.variants import TARGETS, kind_of

POOL_SIZES = (100, 500, 1000, 5000, 10_000, 15_000, 20_000)
_PAIR_COLUMNS = ("s1", "t1", "idx1", "s2", "t2", "idx2")
_POINT_COLUMNS = ("s", "idx")
_DRAWN_IMAGES = TARGETS  # the published generator draws images 0..4: image 5 never occurs


class TaskSettings(Settings):
    """Sizes of drawn tasks; the defaults give the published sizes at their amount of data.

    Attributes:
        seed: Seed of the drawing.
        pairs_per_point: Verification pairs of each set, per physical point.
        max_pairs: Most verification pairs of each set.
        queries_per_point: Retrieval queries per physical point.
        max_queries: Most retrieval queries.
        distractors_per_point: Retrieval distractors per physical point.
        max_distractors: Most retrieval distractors.
        min_contrast: Queries and distractors have a reference patch whose standard
            deviation, in grey levels, is above this.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    pairs_per_point: Annotated[float, Field(gt=0)] = 20.0
    max_pairs: Annotated[int, Field(ge=5)] = 1_000_000
    queries_per_point: Annotated[float, Field(gt=0, le=1)] = 0.2
    max_queries: Annotated[int, Field(ge=1)] = 10_000
    distractors_per_point: Annotated[float, Field(gt=0, le=1)] = 0.4
    max_distractors: Annotated[int, Field(ge=1)] = 20_000
    min_contrast: Annotated[float, Field(ge=0)] = 10.0


@dataclass(frozen=True)
class SequenceInfo:
    """What drawing has to know of an image sequence.

    Attributes:
        name: Image sequence.
        scene: Scene that it shows.
        kind: `i`, `v` or `u`.
        count: Number of points N.
        ref_contrast: float32 [N], standard deviation of each reference patch in grey
            levels; None when unknown (then the contrast rule is not applied).
    """

    name: str
    scene: str
    kind: str
    count: int
    ref_contrast: np.ndarray | None = None


def contrast(patches: np.ndarray) -> np.ndarray:
    """Returns the standard deviation of patches uint8 [N, h, w], float32 [N]."""
    return patches.reshape(len(patches), -1).std(axis=1, dtype=np.float32)


def matching_only(infos: Sequence[SequenceInfo]) -> Tasks:
    """Returns tasks without tables: matching needs none."""
    return Tasks(origin="matching needs no task files", pool_sizes=(), **_columns(infos, "name"))


def draw(infos: Sequence[SequenceInfo], settings: TaskSettings) -> Tasks:
    """Draws verification and retrieval tasks by the published rules, scaled to the data.

    As published, sequences are drawn uniformly and then a point of the sequence; the two
    images of a pair are different ones out of 0..4 (the generator leaves image 5 out);
    positive and negative pairs share their first patch; queries and distractors are
    reference patches with contrast, without repetition and without overlap. Unlike the
    published files, inter negatives and distractors never come from the same scene.

    Returns:
        Tasks; what cannot be drawn (one scene only, a single point) is None and noted.
    """
    infos = sorted(infos, key=lambda info: info.name)
    columns = _columns(infos, "scene")
    notes: list[str] = []
    tables: dict[str, Any] = _draw_pairs(columns, settings, notes)
    tables |= _draw_points(infos, columns, settings, notes)
    sizes = _scaled_pool_sizes(columns["groups"], tables["distractors"])
    origin = f"drawn with seed {settings.seed}"
    return Tasks(origin=origin, pool_sizes=sizes, notes=tuple(notes), **columns, **tables)


def _columns(infos: Sequence[SequenceInfo], group: str) -> dict[str, Any]:
    infos = sorted(infos, key=lambda info: info.name)
    return {
        "names": tuple(info.name for info in infos),
        "scenes": tuple(info.scene for info in infos),
        "kinds": tuple(info.kind for info in infos),
        "counts": tuple(int(info.count) for info in infos),
        "groups": tuple(getattr(info, group) for info in infos),
    }


def _draw_pairs(
    columns: dict[str, Any], settings: TaskSettings, notes: list[str]
) -> dict[str, Pairs | None]:
    """Draws positives, intra and inter negatives of equal length."""
    counts, scenes = np.array(columns["counts"]), np.array(columns["scenes"])
    usable = np.flatnonzero(counts >= 2)
    if not len(usable):
        notes.append("verification is absent: no image sequence has two points")
        return dict.fromkeys(("positives", INTRA, INTER))
    rng = np.random.default_rng([settings.seed, 1])
    wanted = int(min(settings.max_pairs, max(5, settings.pairs_per_point * counts.sum())))
    first = usable[rng.integers(len(usable), size=wanted)]
    index1, index2 = _two_of(rng, counts[first])
    image1, image2 = _two_of(rng, np.full(wanted, _DRAWN_IMAGES))
    inter = None
    if len(set(columns["scenes"])) < 2:
        notes.append(
            "verification inter is absent: its negatives need two scenes, and the data has one"
        )
    else:
        second = np.empty_like(first)
        for scene in np.unique(scenes[first]):
            rows = np.flatnonzero(scenes[first] == scene)
            others = np.flatnonzero(scenes != scene)
            second[rows] = others[rng.integers(len(others), size=len(rows))]
        inter = _pairs(first, image1, index1, second, image2, rng.integers(counts[second]))
    return {
        "positives": _pairs(first, image1, index1, first, image2, index1),
        INTRA: _pairs(first, image1, index1, first, image2, index2),
        INTER: inter,
    }


def _two_of(rng: np.random.Generator, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draws two different numbers below each size."""
    first, second = rng.integers(sizes), rng.integers(sizes - 1)
    return first, second + (second >= first)


def _pairs(*columns: np.ndarray) -> Pairs:
    return Pairs(*(np.ascontiguousarray(column, np.int32) for column in columns))


def _draw_points(
    infos: Sequence[SequenceInfo],
    columns: dict[str, Any],
    settings: TaskSettings,
    notes: list[str],
) -> dict[str, Points | None]:
    """Draws queries and distractors."""
    counts = np.array(columns["counts"])
    if len(set(columns["scenes"])) < 2:
        notes.append("retrieval is absent: distractors need two scenes, and the data has one")
        return {"queries": None, "distractors": None}
    eligible = _eligible(infos, settings, notes)
    starts = np.concatenate([[0], np.cumsum(counts)])
    rng = np.random.default_rng([settings.seed, 2])

    def sample(wanted: int, tries: int) -> np.ndarray:
        sequence = rng.integers(len(counts), size=wanted * tries)
        points = starts[sequence] + rng.integers(counts[sequence])
        points = points[eligible[points]]
        return points[np.sort(np.unique(points, return_index=True)[1])]

    total = int(counts.sum())
    most_queries = int(min(settings.max_queries, max(1, settings.queries_per_point * total)))
    most = int(min(settings.max_distractors, max(1, settings.distractors_per_point * total)))
    queries = sample(most_queries, 4)[:most_queries]
    distractors = sample(most, 10)
    distractors = distractors[~np.isin(distractors, queries)][:most]
    groups = np.array(columns["groups"])
    owner = groups[np.searchsorted(starts, distractors, side="right") - 1]
    asked = groups[np.searchsorted(starts, queries, side="right") - 1]
    # A query whose pool would hold its positives alone asks nothing.
    queries = queries[[(owner != group).any() for group in asked]] if len(queries) else queries
    if not len(queries):
        notes.append("retrieval is absent: no query has a distractor of another scene")
        return {"queries": None, "distractors": None}
    return {"queries": _points(queries, starts), "distractors": _points(distractors, starts)}


def _eligible(
    infos: Sequence[SequenceInfo], settings: TaskSettings, notes: list[str]
) -> np.ndarray:
    parts = [
        np.ones(info.count, bool)
        if info.ref_contrast is None
        else np.asarray(info.ref_contrast) > settings.min_contrast
        for info in infos
    ]
    eligible = np.concatenate(parts)
    if not eligible.any():
        notes.append(
            f"no reference patch has a contrast above {settings.min_contrast:g} grey levels, so "
            f"that rule was not applied"
        )
        return np.ones(len(eligible), bool)
    return eligible


def _points(places: np.ndarray, starts: np.ndarray) -> Points:
    sequence = np.searchsorted(starts, places, side="right") - 1
    return Points(sequence.astype(np.int32), (places - starts[sequence]).astype(np.int32))


def _scaled_pool_sizes(groups: tuple[str, ...], distractors: Points | None) -> tuple[int, ...]:
    """Returns the published sizes below the largest pool, and the largest pool's size."""
    if distractors is None:
        return ()
    _, owner = np.unique(np.array(groups), return_inverse=True)
    own = np.bincount(owner[distractors.sequence], minlength=owner.max() + 1)
    largest = TARGETS + len(distractors) - int(own.min())
    return (*(size for size in POOL_SIZES if size < largest), largest)


def load_official(
    folder: str,
    split: str,
    counts: Mapping[str, int],
    which: Sequence[str] = TASK_NAMES,
    scenes: Mapping[str, str] | None = None,
) -> Tasks:
    """Reads the published task files of a split.

    Args:
        folder: Folder with `verif_pos_split-<split>.csv`, `verif_neg_intra_...`,
            `verif_neg_inter_...`, `retr_queries_...` and `retr_distractors_...`.
        split: Name of the split, e.g. `a`.
        counts: Number of points of each image sequence that is scored.
        which: Tasks whose files are read.
        scenes: Scene of each sequence for the unit scores; by default the sequence. It
            does not change the tasks: only the query's own sequence is left out of a pool.

    Raises:
        UserError: When a file is missing or names a sequence, image or point that is not
            there, or a query is asked twice; the message names file and line.
    """
    scenes = scenes or {}
    infos = [
        SequenceInfo(name, scenes.get(name, name), kind_of(name), count)
        for name, count in counts.items()
    ]
    columns = _columns(infos, "name")
    tables: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    if VERIFICATION in which:
        parts = {"positives": "verif_pos", INTRA: "verif_neg_intra", INTER: "verif_neg_inter"}
        for key, stem in parts.items():
            path = f"{folder.rstrip('/')}/{stem}_split-{split}.csv"
            tables[key] = Pairs(*_read_table(path, _PAIR_COLUMNS, columns))
            if len(tables[key]) != len(tables["positives"]):
                raise UserError(
                    f"{path}: holds {len(tables[key])} pairs, expected "
                    f"{len(tables['positives'])} as in verif_pos_split-{split}.csv; the three "
                    f"verification files belong together"
                )
    if RETRIEVAL in which:
        for key in ("queries", "distractors"):
            path = f"{folder.rstrip('/')}/retr_{key}_split-{split}.csv"
            tables[key] = Points(*_read_table(path, _POINT_COLUMNS, columns))
            if key == "queries":
                _refuse_repeated(path, tables[key], columns["names"])
        notes = _empty_pools(tables["queries"], tables["distractors"])
    origin = f"official files of split {split}"
    return Tasks(origin=origin, pool_sizes=POOL_SIZES, notes=notes, **columns, **tables)


def _refuse_repeated(path: str, queries: Points, names: Sequence[str]) -> None:
    """Refuses a query that stands in the file twice: its two scores would be one unit."""
    keys = np.stack([queries.sequence, queries.index], axis=1)
    _, first, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[place.ravel()] != np.arange(len(keys)))
    if len(again):
        row = int(again[0])
        before = int(first[place.ravel()[row]])
        name, index = names[queries.sequence[row]], queries.index[row]
        raise UserError(
            f"{path}, line {_line(path, row)}: asks patch {index} of {name} again (first in line "
            f"{_line(path, before)}), expected every query once; take the repeated line out"
        )


def _empty_pools(queries: Points, distractors: Points) -> tuple[str, ...]:
    """Notes how many queries have no distractor of another sequence."""
    owners = np.unique(distractors.sequence)
    if len(owners) > 1:
        return ()
    empty = int((queries.sequence == owners[0]).sum())
    if not empty:
        return ()
    return (
        f"{empty} of {len(queries)} retrieval queries have an empty pool (all distractors are of "
        f"their own sequence), so they score 1 at every pool size whatever the descriptors",
    )


def _line(path: str, row: int) -> int:
    """Returns the number of the line that a row of a table stands in; blank lines hold none."""
    lines = files.read_bytes(path).splitlines()
    filled = [number for number, line in enumerate(lines, start=1) if line.strip()]
    return filled[row + 1] if row + 1 < len(filled) else row + 2


def _read_table(path: str, names: tuple[str, ...], columns: dict[str, Any]) -> list[np.ndarray]:
    """Reads and checks a task file; returns int32 columns in the order of `names`."""
    import pandas as pd  # half a second that not every command needs

    if not files.exists(path):
        raise UserError(
            f"{path}: is missing, expected the published task files of the split; put it there, "
            f"choose tasks whose files are there, or give no task files to draw tasks instead"
        )
    data = files.read_bytes(path)
    try:
        table = pd.read_csv(io.BytesIO(data), skipinitialspace=True, keep_default_na=False)
    except (ValueError, pd.errors.ParserError) as error:
        why = " ".join(str(error).split())  # pandas ends it with a new line
        raise UserError(
            f"{path}: is no CSV table ({why}); expected columns {','.join(names)}"
        ) from error
    if len(table) and not isinstance(
        table.index, pd.RangeIndex
    ):  # pandas took the first field for a label
        raise UserError(
            f"{path}: its rows have more fields than its header, expected {','.join(names)}; give "
            f"a task file as HPatches publishes it"
        )
    if sorted(map(str, table.columns)) != sorted(names):
        raise UserError(
            f"{path}: has the columns {','.join(map(str, table.columns))}, expected "
            f"{','.join(names)}; give a task file as HPatches publishes it"
        )
    if not len(table):
        raise UserError(f"{path}: has no rows, expected at least one; give a whole task file")
    counts = np.array(columns["counts"], np.int64)
    result: dict[str, np.ndarray] = {}
    for name in (column for column in names if column.startswith("s")):
        codes = pd.Categorical(table[name].astype(str), categories=columns["names"]).codes
        _check(path, table, name, codes >= 0, "one of the image sequences that are scored")
        result[name] = codes
    for name in (column for column in names if not column.startswith("s")):
        numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
        limit = np.float64(TARGETS + 1)
        expected = f"an image number 0..{TARGETS}"
        if name.startswith("idx"):
            limit = counts[result["s" + name[3:]]]  # type: ignore[assignment]
            expected = "a patch number below the number of patches of its sequence"
        good = (numbers >= 0) & (numbers < limit) & (numbers == np.floor(numbers))
        _check(path, table, name, good, expected)
        result[name] = numbers
    return [np.ascontiguousarray(result[name], np.int32) for name in names]


def _check(path: str, table: Any, name: str, good: np.ndarray, expected: str) -> None:
    if good.all():
        return
    row = int(np.flatnonzero(~good)[0])
    sequence = table.iloc[row]["s" + name[3:]] if name.startswith("idx") else ""
    where = f" of {sequence}" if sequence else ""
    raise UserError(
        f"{path}, line {_line(path, row)}: {name} is {table[name].tolist()[row]!r}{where}, "
        f"expected {expected}; the task file does not belong to this data"
    )
