"""What an evaluation works with, and the keys under which its results are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from components.descriptor_evaluator.scoring import provenance
from components.descriptor_evaluator.scoring.scores_cache import ScoresCache, entry_key
from components.descriptor_evaluator.settings import EvaluationSettings
from trainer.core.errors import UserError
from trainer.core.variants import EVAL, SplitName
from trainer.data import manifest
from trainer.data.manifest import Manifest, SequenceEntry


@dataclass(frozen=True)
class Candidate:
    """A model to be scored.

    Attributes:
        name: `candidate`, `production` or that of a reference.
        path: Folder of its SavedModel.
        checksum: Checksum of the SavedModel.
    """

    name: str
    path: str
    checksum: str


@dataclass(frozen=True)
class EvaluationContext:
    """What an evaluation works with.

    The fingerprint is of the code that describes and scores; `folder` is a temporary one for
    descriptors; `make_pipeline` returns a Beam pipeline that runs when its context closes.
    """

    examples: str
    manifest: Manifest
    settings: EvaluationSettings
    cache: ScoresCache
    code_fingerprint: str
    folder: str
    make_pipeline: Callable[[], Any]

    def entries(self, split: SplitName) -> tuple[SequenceEntry, ...]:
        """Returns the image sequences of a split."""
        return self.manifest.splits.get(split, ())

    def key(
        self,
        descriptor: str,
        parameters: dict[str, Any],
        entries: Sequence[SequenceEntry],
        tasks_checksum: str = "",
    ) -> str:
        """Returns the name of a cache entry, which follows from the libraries' versions, too.

        Args:
            descriptor: Checksum of a model, or the name of what is kept.
            parameters: Everything else that changes it; JSON values.
            entries: Image sequences it follows from.
            tasks_checksum: Checksum of the tasks that are scored; "" when there are none.
        """
        return entry_key(
            descriptor,
            parameters | {"versions": provenance.versions()},
            data_checksum(entries),
            tasks_checksum,
            self.code_fingerprint,
        )


def open_context(
    examples: str,
    settings: EvaluationSettings,
    cache: ScoresCache,
    code_fingerprint: str,
    folder: str,
    make_pipeline: Callable[[], Any],
) -> EvaluationContext:
    """Reads the manifest and returns a context.

    Raises:
        UserError: When there is no manifest or no held-out image sequence.
    """
    content = manifest.read(examples)
    if not content.splits.get(EVAL):
        raise UserError(
            f"{examples}: there is no image sequence in the split eval; give the data a split "
            f"that holds some out"
        )
    return EvaluationContext(
        examples, content, settings, cache, code_fingerprint, folder, make_pipeline
    )


def data_checksum(entries: Sequence[SequenceEntry]) -> str:
    """sha256 over the content of some image sequences: equal data, equal checksum."""
    digest = hashlib.sha256()
    for entry in sorted(entries, key=lambda entry: entry.name):
        digest.update(f"{entry.name}/{entry.scene}/{entry.kind}/{entry.checksum}\n".encode())
    return digest.hexdigest()
