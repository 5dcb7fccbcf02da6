"""Published matching mAP of 23 descriptors on each of HPatches' 116 image sequences.

Source: the result files of the HPatches benchmark (hpatches-benchmark, `results/`, MIT
licence; Balntas et al., CVPR 2017), split `full`; a sequence's value is the mean over its
five image pairs, in per cent with two decimals (`matching.csv`). They hold for the dataset's
own patches: sequences of the same name that were cut otherwise are easier or harder.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trainer.core.errors import UserError
from trainer.core.variants import NOISE_NAMES

SOURCE = "HPatches benchmark, results of split full"
SHOWN = ("SOSNet", "hardnet+", "cvRSIFT")
"""Shown per image sequence unless others are named: the best one, HardNet+, OpenCV's RootSIFT."""
_FILE = Path(__file__).with_name("matching.csv")


@dataclass(frozen=True)
class PublishedMatching:
    """Results of one descriptor.

    Attributes:
        method: Its name in the result files.
        by_sequence: Matching mAP by image sequence and noise level (`e`, `h`, `t`), 0..1.
    """

    method: str
    by_sequence: dict[str, dict[str, float]]

    def mean(self, sequence: str) -> float:
        """Mean over the noise levels on one image sequence, 0..1."""
        values = self.by_sequence[sequence]
        return sum(values.values()) / len(values)

    @property
    def by_noise(self) -> dict[str, float]:
        """Means over the image sequences, with `mean` over the noise levels."""
        means = {
            noise: sum(values[noise] for values in self.by_sequence.values())
            / len(self.by_sequence)
            for noise in NOISE_NAMES
        }
        return {**means, "mean": sum(means.values()) / len(means)}


@cache
def methods() -> tuple[str, ...]:
    """Returns the names of all 23 descriptors, sorted."""
    return tuple(sorted({row["method"] for row in _rows()}, key=str.lower))


def check_methods(names: Sequence[str]) -> tuple[str, ...]:
    """Returns names as the result files write them, each once, in the order given.

    Args:
        names: Names in upper or lower case, e.g. `HardNet+`.

    Raises:
        UserError: When nothing is published under one of them.
    """
    known = {name.lower(): name for name in methods()}
    unknown = [name for name in names if name.lower() not in known]
    if unknown:
        raise UserError(
            f"--published-method: found {unknown[0]}, expected one of {', '.join(methods())}"
        )
    return tuple(dict.fromkeys(known[name.lower()] for name in names))


def published_on(
    sequences: Collection[str], named: Collection[str] = ()
) -> list[PublishedMatching]:
    """Returns the published results on those of some image sequences that HPatches has.

    Args:
        sequences: Names, e.g. `v_graffiti`.
        named: Descriptors, as `methods` names them; empty for all.

    Returns:
        One result for each descriptor, the best one first; none when HPatches has none of
        the sequences.

    Example:
        >>> best = published_on(["v_graffiti", "mine"])[0]
        >>> best.method, round(best.by_noise["mean"], 3)
        ('SOSNet', 0.563)
    """
    by_method: dict[str, dict[str, dict[str, float]]] = {}
    for row in _rows():
        if row["sequence"] in sequences and (not named or row["method"] in named):
            values = {noise: float(row[name]) / 100 for noise, name in NOISE_NAMES.items()}
            by_method.setdefault(row["method"], {})[row["sequence"]] = values
    results = [PublishedMatching(method, by_sequence) for method, by_sequence in by_method.items()]
    return sorted(results, key=lambda result: -result.by_noise["mean"])


def _rows() -> list[dict[str, str]]:
    with _FILE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
