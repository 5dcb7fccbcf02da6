"""What a plan asks of the training data: whether they fill its batches, and how many it needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainer.core.config import StageConfig
from trainer.core.errors import UserError
from trainer.core.variants import TRAIN
from trainer.data.batches import check_same_sequence_fraction, too_large
from trainer.data.manifest import Manifest

_SCENE_STREAM = 3  # sets its random numbers apart from those of `batches` and `host_infeed`
_LEAST_CHOICE = 4  # batches: where scenes hold fewer points, some come up much more often


def most_per_batch(listing: Manifest) -> int:
    """Most points of the train split that a batch can hold.

    Raises:
        UserError: When the train split is empty.
    """
    return sum(_largest_of_scenes(listing).values())


def _largest_of_scenes(listing: Manifest) -> dict[str, int]:
    """Returns the size of the largest image sequence of every scene of the train split."""
    if not listing.count(TRAIN):
        raise UserError(
            "the train split holds no point; expected at least one image sequence "
            "there: check the data's split settings"
        )
    largest: dict[str, int] = {}
    for entry in listing.splits[TRAIN]:
        largest[entry.scene] = max(entry.count, largest.get(entry.scene, 0))
    return largest


def check_stages(plan: Sequence[StageConfig], listing: Manifest) -> None:
    """Refuses a plan that the data cannot fill, before they are packed.

    Raises:
        UserError: When the train split is empty, or a stage's S or its fraction from one image
            sequence is too large for it.
    """
    largest = _largest_of_scenes(listing)
    most = sum(largest.values())
    for stage in plan:
        if stage.points_per_batch > most:
            raise too_large(stage.points_per_batch, most, listing.count(TRAIN), len(largest))
        check_same_sequence_fraction(
            stage.points_per_batch, stage.same_sequence_fraction, max(largest.values())
        )


def enough_for(plan: Sequence[StageConfig], listing: Manifest, seed: int) -> Manifest:
    """Leaves out training scenes, drawn by seed, that a plan would never come to.

    A plan draws a number of points that is known beforehand. Of data that hold more, only as many
    whole scenes are kept as have that number, so that the packed array is never larger than the
    plan can use.

    Args:
        plan: Stages, all of which the data can fill (`check_stages`).
        listing: What there is.
        seed: Draws the scenes.

    Returns:
        The same listing where the plan comes to all points.
    """
    drawn = sum(stage.max_steps * stage.points_per_batch for stage in plan)
    if listing.count(TRAIN) <= drawn:
        return listing
    largest = _largest_of_scenes(listing)
    points = dict.fromkeys(largest, 0)
    for entry in listing.splits[TRAIN]:
        points[entry.scene] += entry.count
    scenes = sorted(points)
    rng = np.random.default_rng([seed, _SCENE_STREAM])
    order = [scenes[place] for place in rng.permutation(len(scenes))]
    sizes = np.array([largest[scene] for scene in order])
    batch = max(stage.points_per_batch for stage in plan)
    alike = max(round(each.same_sequence_fraction * each.points_per_batch) for each in plan)
    suffices = np.cumsum([points[scene] for scene in order]) >= drawn
    suffices &= np.cumsum(sizes) >= _LEAST_CHOICE * batch
    suffices &= np.maximum.accumulate(sizes) >= alike
    if not suffices.any():
        return listing
    kept = set(order[: int(suffices.argmax()) + 1])
    entries = tuple(entry for entry in listing.splits[TRAIN] if entry.scene in kept)
    return listing.model_copy(update={"splits": {**listing.splits, TRAIN: entries}})
