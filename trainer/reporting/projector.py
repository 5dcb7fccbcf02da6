"""Descriptors with their patches for TensorBoard's embedding projector."""

from __future__ import annotations

import io
import posixpath
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from google.protobuf import text_format

from trainer.core.files import write_text, writing
from trainer.core.variants import VARIANTS, variant_index
from trainer.reporting.pictures import sprite_sheet
from trainer.reporting.validation import ValidationSet

FOLDER = "projector"
CONFIG_FILE = "projector_config.pbtxt"  # where the projector looks, in the log folder itself
SPRITE, METADATA, TENSORS = "sprite.png", "metadata.tsv", "descriptors.tsv"
_SHOWN = (0, *(variant_index(noise, 1) for noise in "eht"))  # one image at every noise
_MOST_POINTS = 256  # 1,024 patches: as many as a browser moves smoothly


@dataclass(frozen=True)
class Sample:
    """Which patches of a validation set the projector shows, and how they look.

    Attributes:
        rows: int [n], places in the set's patches, one after the other.
        patches: uint8 [n, 32, 32].
        labels: (image sequence, index of the point, variant) of each.
    """

    rows: np.ndarray
    patches: np.ndarray
    labels: tuple[tuple[str, int, str], ...]

    @classmethod
    def of(cls, validation: ValidationSet) -> Sample:
        """Takes evenly spread points of every image sequence: the reference and a target per noise.

        Args:
            validation: Not empty.
        """
        share = max(1, _MOST_POINTS // len(validation.patches))
        rows: list[int] = []
        patches: list[np.ndarray] = []
        labels: list[tuple[str, int, str]] = []
        start = 0
        for name, index, part in zip(
            validation.names, validation.indices, validation.patches, strict=True
        ):
            places = np.linspace(0, len(part) - 1, min(share, len(part))).round().astype(int)
            for place in places[: _MOST_POINTS - len(labels) // len(_SHOWN)]:
                for variant in _SHOWN:
                    rows.append((start + place) * len(VARIANTS) + variant)
                    patches.append(part[place, variant])
                    labels.append((name, int(index[place]), VARIANTS[variant]))
            start += len(part)
        return cls(np.array(rows), np.array(patches), tuple(labels))


def write_sample(sample: Sample, folder: str) -> None:
    """Writes what stays the same over a run: sprites, metadata and the configuration.

    Raises:
        UserError: When it cannot be written.
    """
    inside = posixpath.join(folder, FOLDER)
    with writing(inside):
        tf.io.gfile.makedirs(inside)
        with tf.io.gfile.GFile(posixpath.join(inside, SPRITE), "wb") as file:
            file.write(tf.io.encode_png(sprite_sheet(sample.patches)[..., None]).numpy())
    lines = ["sequence\tindex\tvariant"]
    for name, index, variant in sample.labels:
        lines.append(f"{' '.join(name.split())}\t{index}\t{variant}")
    write_text(posixpath.join(inside, METADATA), "\n".join(lines) + "\n")


def write_descriptors(sample: Sample, descriptors: np.ndarray, folder: str) -> None:
    """Writes the sample's descriptors, in place of earlier ones.

    The configuration comes last: the projector reads nothing before it is there.

    Args:
        sample: Patches shown by the projector.
        descriptors: float32 [N, D] of the whole validation set.
        folder: TensorBoard's log folder.

    Raises:
        UserError: When it cannot be written.
    """
    table = io.StringIO()
    np.savetxt(table, descriptors[sample.rows], fmt="%.5g", delimiter="\t")
    write_text(posixpath.join(folder, FOLDER, TENSORS), table.getvalue())
    write_text(posixpath.join(folder, CONFIG_FILE), _configuration(sample))


def _configuration(sample: Sample) -> str:
    # Imported here: only what is written needs it, and it comes with TensorFlow.
    from tensorboard.plugins.projector import ProjectorConfig

    config = ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = "descriptors"
    embedding.tensor_path = posixpath.join(FOLDER, TENSORS)
    embedding.metadata_path = posixpath.join(FOLDER, METADATA)
    embedding.sprite.image_path = posixpath.join(FOLDER, SPRITE)
    embedding.sprite.single_image_dim.extend(reversed(sample.patches.shape[1:]))
    return text_format.MessageToString(config)
