"""The model card: what a SavedModel says of itself, for people.

It is written at export, before anything is scored; the copy that is pushed gets the scores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from trainer.core.variants import TRAIN, VAL
from trainer.model.patch_identity import LICENCE, MATCHING, PATCH

SCORES_HEADING = "## Scores"
_SCORES = re.compile(rf"^{SCORES_HEADING}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_MOST_NAMES = 40


def write(identity: dict[str, Any]) -> str:
    """Returns `MODEL_CARD.md` for a model's identity (`assets.extra/descriptor.json`)."""
    patch, matching = identity[PATCH], identity[MATCHING]
    settings, sequences = identity.get("extraction") or {}, identity.get("sequences", {})
    ratio = "not chosen" if matching["ratio"] is None else f"{matching['ratio']:g}"
    return f"""# Patch descriptor {identity["descriptor_id"]}

- Takes grey patches, uint8; gives {identity["dimension"]} numbers each.
- A patch of {patch["size"]} pixels shows {patch["measurement_region"]:g} sigmas of a point to
  either side, smoothed to {patch["smoothing"]:g}, turned to the dominant gradient.
  `descriptor.json` beside this file says the rest.
- Largest ratio of the nearest to the second nearest distance of a match: {ratio}.

## Trained on

- Data of the format {settings.get("format", "unknown")}, checksum {identity["data_checksum"]}.
- Image sequences trained on: {listed(sequences.get(TRAIN, []))}.
- Image sequences that chose the checkpoint: {listed(sequences.get(VAL, []))}.

{SCORES_HEADING}

None are stored here: a model is written before it is scored. The copy that is pushed has the
scores it was judged by, with intervals over scenes, as have the verdict and the report of its
run. `hpatches evaluate --model` scores it on image sequences that are not listed above.

## Limits

- Patches of another region, orientation or blur are described badly.
- Photographs unlike those it was trained on (other cameras, medical or thermal images) were not
  tested.
- Scores on the image sequences above say nothing: it has seen them.

## Licence

{identity[LICENCE]}
"""


def with_scores(card: str, scores: str) -> str:
    """Returns a card with a section of scores in place of its own.

    Args:
        card: Text of a card.
        scores: Markdown that begins with `SCORES_HEADING`.
    """
    section = scores.rstrip() + "\n"
    if _SCORES.search(card) is None:
        return f"{card.rstrip()}\n\n{section}"
    return _SCORES.sub(lambda _: f"{section}\n", card, count=1).rstrip() + "\n"


def listed(names: Sequence[str]) -> str:
    """Returns names with commas, the first 40 of many.

    Example:
        >>> listed(["i_a", "v_b"]), listed([])
        ('i_a, v_b', 'none')
    """
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return (", ".join(names[:_MOST_NAMES]) or "none") + more
