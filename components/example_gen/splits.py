"""Dividing image sequences into train, val and eval, never parting those of one scene.

Official splits are those of HPatches (`official_splits.json`, the benchmark's own file).
`illum` and `view` name test sequences only: what is tested on one kind is trained on the
other.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from components.core import files
from components.example_gen.formats.base import SequenceInput, generator
from components.example_gen.settings import DataSettings, SplitSettings
from trainer.core.documents import read_json
from trainer.core.errors import UserError
from trainer.core.variants import EVAL, ILLUMINATION, KINDS, TRAIN, VAL, VIEWPOINT, SplitName

SplitLists: TypeAlias = dict[str, Any]
_OTHER_KIND = {"illum": (VIEWPOINT,), "view": (ILLUMINATION,)}
_OFFICIAL = Path(__file__).with_name("official_splits.json")


def load_split_lists(split: SplitSettings) -> SplitLists | None:
    """Resolves what a split rule names, so that it can become part of a cache key.

    Returns:
        `{"name", "test": [...], "train": [...] or None}`, sorted; None for the rule
        `share`, which needs no lists. `train` is None when the split only names what to
        test on: then the rest trains (of the other kind for `illum` and `view`).

    Raises:
        UserError: When the file cannot be understood or does not hold the split.
    """
    if split.rule == "share":
        return None
    if split.rule == "official":
        return official_split(str(split.name))
    return read_split_file(str(split.file), split.name)


def official_split(name: str) -> SplitLists:
    """Returns an official split (a, b, c, illum, view or full).

    Raises:
        UserError: When there is none of that name.
    """
    return _choose(json.loads(_OFFICIAL.read_text()), name, "the official splits of HPatches")


def read_split_file(path: str, name: str | None = None) -> SplitLists:
    """Reads a splits file.

    Args:
        path: JSON, `{"<name>": {"train": [...], "test": [...]}, ...}` as HPatches' own, or
            one split `{"train": [...], "test": [...]}`.
        name: Name of the split; may be None when the file holds one.

    Raises:
        UserError: When it is no such file or does not hold the split.
    """
    try:
        content = read_json(files.read_text(path))
    except ValueError as error:
        raise UserError(f"{path}: is not JSON ({error}), expected a splits file") from error
    if isinstance(content, dict) and isinstance(content.get("test"), list):
        content = {str(name or content.get("name", "file")): content}
    return _choose(content, name, path)


def assign_splits(
    inputs: Sequence[SequenceInput],
    settings: DataSettings,
    lists: Mapping[str, Any] | None = None,
    skipped: Collection[str] = (),
) -> dict[str, SplitName]:
    """Says for each image sequence whether it trains, steers training, or is scored.

    Args:
        inputs: The image sequences there are.
        settings: Split rule and seed.
        lists: Result of `load_split_lists`; resolved here when None.
        skipped: Names that were there but are left out as bad; a split may name them.

    Returns:
        name -> `train`, `val` or `eval`. Sequences that a split does not name are absent.

    Raises:
        UserError: When a split names an absent sequence, train and eval share a sequence or
            a scene, or one of the three would be empty.
    """
    rule = settings.split
    if rule.rule == "share":
        tested = _draw_eval(inputs, rule.eval_share, settings.seed)
        trained = [item for item in inputs if item not in tested]
        label = f"data.split.eval_share {rule.eval_share:g}"
    else:
        resolved = lists if lists is not None else load_split_lists(rule)
        assert resolved is not None
        label = f"split '{resolved['name']}'"
        if rule.rule == "file":
            label = f"{rule.file}: {label}"
        tested, trained = _apply(inputs, resolved, set(skipped), label, rule.rule == "official")
    for items, word in ((tested, EVAL), (trained, TRAIN)):
        if not items:
            raise UserError(
                f"{label}: '{word}' has no image sequence left out of {len(inputs)} "
                f"({len({item.scene for item in inputs})} scenes), expected at least one; add "
                f"data or choose another split"
            )
    shared = {item.scene for item in tested} & {item.scene for item in trained}
    if shared:
        raise UserError(
            f"{label}: train and test share the scene {', '.join(sorted(shared))}, expected "
            f"scenes of their own (see scenes.csv; copies of one picture are one scene, too); put "
            f"all their sequences on one side"
        )
    held_out = _draw_val(trained, rule.val_share, settings.seed, label)
    assigned: dict[str, SplitName] = {item.name: EVAL for item in tested}
    for item in trained:
        assigned[item.name] = VAL if item.scene in held_out else TRAIN
    return assigned


def _choose(content: Any, name: str | None, where: str) -> SplitLists:
    if not isinstance(content, dict) or not content:
        raise UserError(f"{where}: holds no split, expected an object of splits by name")
    if name is None and len(content) == 1:
        name = next(iter(content))
    if name not in content:
        asked = f"no split '{name}'" if name else "several splits and no name is given"
        raise UserError(f"{where}: holds {asked}, expected one of {', '.join(sorted(content))}")
    split = content[name]
    lists: dict[str, list[str] | None] = {}
    for key in ("test", "train"):
        value = split.get(key) if isinstance(split, dict) else None
        if value is None and key == "train" and isinstance(split, dict):
            lists[key] = None
            continue
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise UserError(f"{where}: '{key}' of split '{name}' is no list of names, expected one")
        twice = sorted({entry for entry in value if value.count(entry) > 1})
        if twice:
            raise UserError(f"{where}: split '{name}' names {', '.join(twice)} twice in '{key}'")
        lists[key] = sorted(value)
    return {"name": name, **lists}


def _apply(
    inputs: Sequence[SequenceInput],
    lists: Mapping[str, Any],
    skipped: set[str],
    label: str,
    official: bool,
) -> tuple[list[SequenceInput], list[SequenceInput]]:
    """Returns (tested, trained) as the lists say."""
    by_name = {item.name: item for item in inputs}
    test, train = set(lists["test"]), lists["train"]
    if train is None:
        other = _OTHER_KIND.get(lists["name"], KINDS) if official else KINDS
        train = {item.name for item in inputs if item.name not in test and item.kind in other}
    both = sorted(test & set(train))
    if both:
        raise UserError(f"{label}: {_some(both)} stands in train and in test, expected one of them")
    absent = sorted((test | set(train)) - set(by_name) - skipped)
    if absent:
        raise UserError(
            f"{label}: names {_some(absent)}, which the data does not hold; expected a folder "
            f"of every image sequence that the split names"
        )
    return (
        [by_name[name] for name in sorted(test - skipped)],
        [by_name[name] for name in sorted(set(train) - skipped)],
    )


def _draw_eval(inputs: Sequence[SequenceInput], share: float, seed: int) -> list[SequenceInput]:
    """Draws a share of the scenes, balanced over their kinds (i, v, both)."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for item in inputs:
        kinds[item.scene].add(item.kind)
    groups: dict[str, list[str]] = defaultdict(list)
    for scene in sorted(kinds):
        groups["".join(sorted(kinds[scene]))].append(scene)
    rng = generator(seed, "", EVAL)
    for name in sorted(groups):
        rng.shuffle(groups[name])
    wanted = min(max(1, round(share * len(kinds))), len(kinds) - 1)
    chosen: set[str] = set()
    taken = dict.fromkeys(groups, 0)
    while len(chosen) < wanted:
        # The group that lags most behind its share gives the next scene.
        left = sorted(group for group in groups if taken[group] < len(groups[group]))
        name = max(left, key=lambda group: share * len(groups[group]) - taken[group])
        chosen.add(groups[name][taken[name]])
        taken[name] += 1
    return [item for item in inputs if item.scene in chosen]


def _draw_val(trained: Sequence[SequenceInput], share: float, seed: int, label: str) -> set[str]:
    """Draws scenes until they hold the share of the training sequences, at least one."""
    count: dict[str, int] = defaultdict(int)
    for item in trained:
        count[item.scene] += 1
    if len(count) < 2:
        raise UserError(
            f"{label}: leaves {len(count)} scene to train on ({', '.join(count)}), expected at "
            f"least 2, because one is held out to steer training; add data or test on less"
        )
    names = sorted(count)
    order = [names[place] for place in generator(seed, "", VAL).permutation(len(names))]
    wanted = max(1, round(share * len(trained)))
    chosen: set[str] = set()
    held = 0
    for scene in order[:-1]:
        if held >= wanted:
            break
        chosen.add(scene)
        held += count[scene]
    return chosen


def _some(names: Sequence[str]) -> str:
    """The first names of a list that may be long."""
    rest = len(names) - 5
    return ", ".join(names[:5]) + (f" and {rest} more" if rest > 0 else "")
