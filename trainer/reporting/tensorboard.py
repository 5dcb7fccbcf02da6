"""What TensorBoard shows of a run: curves, histograms, the worst triplets, the projector."""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from trainer.core.config import TrainerConfig
from trainer.core.files import writing
from trainer.reporting import pictures, projector, triplets
from trainer.reporting.validation import ValidationSet

_WORST = 12  # triplets drawn
_EVENT_FILE = re.compile(r"\.tfevents\.")

_log = logging.getLogger(__name__)


class TensorBoardWriter:
    """TensorBoard's files of a run.

    Attributes:
        folder: The same.
        writer: For events of other kinds (`trainer.reporting.timeline`).
    """

    def __init__(self, folder: str) -> None:
        self.writer = tf.summary.create_file_writer(folder)
        self.folder = folder
        self._sample: projector.Sample | None = None

    def take_over(self, folder: str) -> None:
        """Copies the curves of the process that this one goes on from, if they lie elsewhere.

        They are no part of what a run depends on: what cannot be copied is left out.

        Args:
            folder: Log folder of the interrupted run; need not be there any more.
        """
        try:
            names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
            for name in filter(_EVENT_FILE.search, names):
                copy = posixpath.join(self.folder, name)
                if not tf.io.gfile.exists(copy):  # nor is it this very folder
                    tf.io.gfile.copy(posixpath.join(folder, name), copy)
        except (OSError, tf.errors.OpError) as error:
            _log.warning("%s: its curves are left out (%s)", folder, error)

    def settings(self, config: TrainerConfig, run: str) -> None:
        """Shows the settings of the run under HPARAMS.

        Args:
            config: All settings; `loss.margin` is the name of one that lies in `loss`.
            run: Hash of the run, which names it there.

        Raises:
            UserError: When it cannot be written.
        """
        values = _flat(config.model_dump(mode="json", exclude={"stages"}))
        values["stages"] = "; ".join(stage.in_words for stage in config.plan)
        with writing(self.folder), self.writer.as_default():
            hparams.hparams(values, trial_id=run)

    def scalars(self, step: int, **groups: Mapping[str, float]) -> None:
        """Draws one point on each curve.

        Everything goes out as one record: an operation per curve would cost milliseconds,
        which short steps on an accelerator cannot hide.

        Args:
            step: Steps of the run so far.
            groups: Values by group and name; their curve is `group/name`.

        Raises:
            UserError: When it cannot be written.
        """
        # The bare message of the event file format; nothing of TF1 runs here.
        summary = tf.compat.v1.Summary()
        for group, values in groups.items():
            for name, value in values.items():
                summary.value.add(tag=f"{group}/{name}", simple_value=value)
        with writing(self.folder), self.writer.as_default():
            tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step=step)

    def batch(self, step: int, patches: np.ndarray, descriptors: np.ndarray, variants: int) -> None:
        """Shows how a fixed batch is told apart: histograms of distances, the worst triplets.

        Descriptors that are not finite are not shown.

        Args:
            step: Steps of the run so far.
            patches: uint8 [S*K, h, w], the K patches of a point next to each other.
            descriptors: float32 [S*K, D].
            variants: K.

        Raises:
            UserError: When it cannot be written.
        """
        if not np.isfinite(descriptors).all():
            return
        distance = triplets.distances(descriptors)
        positive, negative = triplets.pair_distances(distance, variants)
        hardest = triplets.hardest(distance, variants)
        shown = triplets.worst(hardest, variants, _WORST)
        picture = pictures.triplet_picture(patches, shown)
        with writing(self.folder), self.writer.as_default():
            for name, values in (
                ("positive", positive),
                ("negative", negative),
                ("hardest_positive", hardest.positive_distance),
                ("hardest_negative", hardest.negative_distance),
            ):
                tf.summary.histogram(f"distances/{name}", values, step=step)
            tf.summary.image(
                "triplets/worst",
                picture[np.newaxis],
                step=step,
                description="anchor, farthest positive, nearest negative of the probe batch; "
                "green: told apart; the numbers are distances to the anchor",
            )

    def projection(self, validation: ValidationSet, descriptors: np.ndarray) -> None:
        """Gives the projector the present descriptors of a part of the validation set.

        Args:
            validation: Not empty; the same in every call.
            descriptors: float32 [N, D] of its patches, one after the other.

        Raises:
            UserError: When it cannot be written.
        """
        if not np.isfinite(descriptors).all():
            return
        if self._sample is None:
            self._sample = projector.Sample.of(validation)
            projector.write_sample(self._sample, self.folder)
        projector.write_descriptors(self._sample, descriptors, self.folder)

    def flush(self) -> None:
        """Writes what is still in memory.

        Raises:
            UserError: When it cannot be written.
        """
        with writing(self.folder):
            self.writer.flush()


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns the leaves of nested settings by dotted name; those that are not set are left out."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= _flat(value, f"{prefix}{name}.")
        elif value is not None:
            leaves[f"{prefix}{name}"] = (
                value if isinstance(value, bool | int | float) else str(value)
            )
    return leaves
