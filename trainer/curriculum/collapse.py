"""Which probe signals are healthy, and which tell of a collapse, of its onset, or of divergence.

A network diverges when a step was so large that its descriptors fly apart and the loss with
them: far above both the start and the collapse point. The loss must tell it too, since the running
statistics of a final batch norm lag behind in the first steps, and spread the descriptors of
the probe while the network learns.
"""

from __future__ import annotations

import math
from typing import Literal

from trainer.curriculum.probe import ProbeSignals

HEALTHY_DISTANCE = 0.7  # relative probe distance of a state that is surely good
HEALTHY_RANK = 0.2  # effective rank, relative to the start, below which no state is good
LEARNING_LOSS = 0.9  # a normalized loss below this cannot be that of a collapsed network
ONSET_DISTANCE = 0.5  # relative probe distance at the onset of a collapse
ONSET_DISTANCE_EASIER = 0.15  # after a rollback, where it may fall for a while and grow again
COLLAPSED_DISTANCE = 0.1  # relative probe distance that is a collapse at once
COLLAPSED_RANK = 0.1  # effective rank, relative to the start, that is a collapse at once
COLLAPSE_LOSS = 0.98  # normalized loss below which there is no onset
DIVERGED_DISTANCE = 3.0  # mean distance of random pairs, relative to the start
DIVERGED_LOSS = 2.0  # normalized loss in training, relative to the start or the collapse point
_SCALES_APART = 6.0  # the most that random pairs need to be apart, in distance scales of the loss

Sign = Literal["collapse", "onset", ""]


def healthy_distance(start: ProbeSignals, distance_scale: float) -> float:
    """Returns the mean distance of random pairs to judge later ones by.

    It is that at the start, unless the descriptors start so far apart that the loss could not
    keep them there (networks without a final normalisation start 5.6 apart).

    Args:
        start: Signals before the first step.
        distance_scale: Distance at which the loss works (`Loss.distance_scale`).
    """
    return max(min(start.pair_distance, _SCALES_APART * distance_scale), 1e-12)


def onset_distance(easier: bool) -> float:
    """Returns the relative probe distance that is the onset of a collapse.

    Args:
        easier: Whether the stage has been made easier by a rollback.
    """
    return ONSET_DISTANCE_EASIER if easier else ONSET_DISTANCE


def sign(distance: float, rank: float, loss: float, easier: bool) -> Sign:
    """Judges a probe.

    Args:
        distance: Mean distance of random pairs, relative to the healthy one.
        rank: Effective rank, relative to the start.
        loss: The lower of the normalized losses in training and on the probe.
        easier: Whether the stage has been made easier by a rollback.
    """
    if not (math.isfinite(distance) and math.isfinite(rank)) or distance < COLLAPSED_DISTANCE:
        return "collapse"
    if not loss > COLLAPSE_LOSS:
        return ""
    if rank < COLLAPSED_RANK:
        return "collapse"
    return "onset" if distance < onset_distance(easier) else ""


def diverges(growth: float, loss: float, start_loss: float) -> bool:
    """Tells whether a network flies apart, where `sign` sees nothing wrong.

    Args:
        growth: Mean distance of random pairs, relative to the start.
        loss: Normalized loss in training.
        start_loss: Normalized loss of the probe batch before the first step.
    """
    return growth > DIVERGED_DISTANCE and loss > DIVERGED_LOSS * max(1.0, start_loss)


def is_good(distance: float, growth: float, rank: float, loss: float) -> bool:
    """Tells whether a state is one to roll back to.

    Args:
        distance: Mean distance of random pairs, relative to the healthy one.
        growth: The same, relative to the start.
        rank: Effective rank, relative to the start.
        loss: Normalized loss in training.
    """
    if not math.isfinite(distance) or not rank >= HEALTHY_RANK:
        return False
    in_reach = distance >= HEALTHY_DISTANCE and growth <= DIVERGED_DISTANCE
    return in_reach or loss < LEARNING_LOSS
