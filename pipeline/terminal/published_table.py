"""Published results beside what was scored, on the image sequences that both know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from components.descriptor_evaluator.published.matching import SOURCE, PublishedMatching
from pipeline.terminal.tables import make_table, percent
from trainer.core.variants import NOISE_NAMES, NOISES

NOTHING_PUBLISHED = (
    "Nothing published stands beside these scores: matching mAP is published, of HPatches' 116 "
    "image sequences by their names."
)


def published_table(
    scored: Mapping[str, Mapping[str, Mapping[str, float | None]]],
    published: Sequence[PublishedMatching],
) -> Table:
    """Returns matching mAP of all descriptors, the best one first.

    Args:
        scored: Matching mAP by descriptor, image sequence and noise level, 0..1.
        published: Results on sequences that are among them (`published_on`).
    """
    sequences = sorted(published[0].by_sequence)
    rows: list[tuple[str, str, dict[str, float]]] = [
        (result.method, "published", result.by_noise) for result in published
    ]
    for name, by_sequence in scored.items():
        ours = PublishedMatching(name, _known(by_sequence, sequences))
        rows.append((name, "here", ours.by_noise))
    title = Text(f"matching mAP in per cent on {len(sequences)} image sequences; {_origin()}")
    table = make_table(title, ("descriptor", ""), (*NOISE_NAMES.values(), "mean"))
    for name, origin, means in sorted(rows, key=lambda row: -row[2]["mean"]):
        style = "bold" if origin == "here" else ""
        cells = (percent(means[key]) for key in (*NOISES, "mean"))
        table.add_row(Text(name), origin, *cells, style=style)
    return table


def _known(
    by_sequence: Mapping[str, Mapping[str, float | None]], sequences: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Returns the values of some image sequences; 0 for what is not finite, the worst there is."""
    return {
        name: {noise: by_sequence[name][noise] or 0.0 for noise in NOISES} for name in sequences
    }


def published_sequences_table(
    scored: Mapping[str, Mapping[str, float]], published: Sequence[PublishedMatching]
) -> Table:
    """Returns matching mAP per image sequence, what was scored first.

    Args:
        scored: Matching mAP (ties counted against) by descriptor and image sequence, 0..1;
            NaN where it is not finite.
        published: Results on sequences that are among them (`published_on`).
    """
    sequences = sorted(published[0].by_sequence)
    columns = {name: [means[key] for key in sequences] for name, means in scored.items()}
    for result in published:
        values = [result.mean(key) for key in sequences]
        columns[f"{result.method}, published"] = values
    title = Text(
        f"matching mAP in per cent on {len(sequences)} image sequences, mean over easy, hard "
        f"and tough; {_origin()}"
    )
    table = make_table(title, ("sequence",), tuple(columns))
    for place, name in enumerate(sequences):
        last = place == len(sequences) - 1
        cells = (percent(values[place]) for values in columns.values())
        table.add_row(Text(name), *cells, end_section=last)
    means = (percent(sum(values) / len(values)) for values in columns.values())
    table.add_row("mean", *means)
    return table


def _origin() -> str:
    return f"published ones ({SOURCE}) are of the dataset's own patches"


def published_json(published: Sequence[PublishedMatching]) -> dict[str, Any]:
    """Returns the published results for `--json`."""
    return {
        "source": SOURCE,
        "matching": {result.method: result.by_sequence for result in published},
    }
