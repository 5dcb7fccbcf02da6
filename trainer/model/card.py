"""The model card: what a SavedModel says of itself, for people."""

from __future__ import annotations

from typing import Any

from trainer.core.variants import TRAIN, VAL
from trainer.model.patch_identity import LICENCE, MATCHING, PATCH

_MOST_NAMES = 40


def write(identity: dict[str, Any]) -> str:
    """Returns `MODEL_CARD.md` for a model's identity (`assets.extra/descriptor.json`)."""
    patch, matching = identity[PATCH], identity[MATCHING]
    settings = identity.get("extraction") or {}
    ratio = "not chosen" if matching["ratio"] is None else f"{matching['ratio']:g}"
    return f"""# Patch descriptor {identity["descriptor_id"]}

- Takes grey patches, uint8; gives {identity["dimension"]} numbers each.
- A patch of {patch["size"]} pixels shows {patch["measurement_region"]:g} sigmas of a point to
  either side, smoothed to {patch["smoothing"]:g}, turned to the dominant gradient.
  `descriptor.json` beside this file says the rest.
- Largest ratio of the nearest to the second nearest distance of a match: {ratio}.

## Trained on

- Data of the format {settings.get("format", "unknown")}, checksum {identity["data_checksum"]}.
- Image sequences trained on: {_names(identity, TRAIN)}.
- Image sequences that chose the checkpoint: {_names(identity, VAL)}.

## Scores

None are stored here: a model is written before it is scored. `hpatches evaluate --model` scores
it, with intervals over scenes, on image sequences that are not listed above; the verdict and the
report of its run have the scores it was judged by.

## Limits

- Patches of another region, orientation or blur are described badly.
- Photographs unlike those it was trained on (other cameras, medical or thermal images) were not
  tested.
- Scores on the image sequences above say nothing: it has seen them.

## Licence

{identity[LICENCE]}
"""


def _names(identity: dict[str, Any], split: str) -> str:
    names = identity.get("sequences", {}).get(split, [])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return (", ".join(names[:_MOST_NAMES]) or "none") + more
