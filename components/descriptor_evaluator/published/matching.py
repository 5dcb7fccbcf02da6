"""Published matching mAP of 23 descriptors on each of HPatches' 116 image sequences.

Source: the result files of the HPatches benchmark (hpatches-benchmark, `results/`, MIT
licence; Balntas et al., CVPR 2017), split `full`; a sequence's value is the mean over its
five image pairs, in per cent with two decimals (`matching.csv`). They hold for the dataset's
own patches: sequences of the same name that were cut otherwise are easier or harder.
"""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from trainer.core.variants import NOISE_NAMES

SOURCE = "HPatches benchmark, results of split full"
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

    @property
    def by_noise(self) -> dict[str, float]:
        """Means over the image sequences, with `mean` over the noise levels."""
        means = {
            noise: sum(values[noise] for values in self.by_sequence.values())
            / len(self.by_sequence)
            for noise in NOISE_NAMES
        }
        return {**means, "mean": sum(means.values()) / len(means)}


def published_on(sequences: Collection[str]) -> list[PublishedMatching]:
    """Returns the published results on those of some image sequences that HPatches has.

    Args:
        sequences: Names, e.g. `v_graffiti`.

    Returns:
        One result for each descriptor, the best one first; none when HPatches has none of
        the sequences.

    Example:
        >>> best = published_on(["v_graffiti", "mine"])[0]
        >>> best.method, round(best.by_noise["mean"], 3)
        ('SOSNet', 0.563)
    """
    wanted = set(sequences)
    found: dict[str, dict[str, dict[str, float]]] = {}
    with _FILE.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["sequence"] in wanted:
                values = {noise: float(row[name]) / 100 for noise, name in NOISE_NAMES.items()}
                found.setdefault(row["method"], {})[row["sequence"]] = values
    results = [PublishedMatching(method, by_sequence) for method, by_sequence in found.items()]
    return sorted(results, key=lambda result: -result.by_noise["mean"])
