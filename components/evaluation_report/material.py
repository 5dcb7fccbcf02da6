"""What a report is drawn from: the folders of a run, each read when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from components.core import files
from components.core.names import CANDIDATE, PRODUCTION
from components.descriptor_evaluator.gate import verdict
from components.descriptor_evaluator.gate.verdict import Verdict
from components.descriptor_evaluator.protocol.scores import UnitScore
from components.descriptor_evaluator.report_data import exhibits
from components.descriptor_evaluator.scoring import result_files
from trainer.core.documents import read_json
from trainer.data import manifest
from trainer.data.manifest import Manifest
from trainer.model.names import IDENTITY_FILE


class NotShownError(Exception):
    """Something that a section needs is not there; the message is a sentence for readers."""


@dataclass(frozen=True)
class Material:
    """The folders of one run, local or remote; an empty string is a folder that is not known.

    Attributes:
        evaluation: DescriptorEvaluator's output.
        examples: ExampleGen's output.
        model: Folder of the candidate's SavedModel.
        model_run: The trainer's logs and timeline.
        images: The data folder, which may hold the images that patches were cut from.
        name: Names the run to its readers.
        configuration: What else the run was told: JSON, beside what the folders say.
    """

    evaluation: str
    examples: str = ""
    model: str = ""
    model_run: str = ""
    images: str = ""
    name: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def verdict(self) -> Verdict:
        """The gate's verdict."""
        return verdict.read(self.evaluation)

    @cached_property
    def about(self) -> dict[str, Any]:
        """What was scored, with which settings and versions; empty when nobody wrote it."""
        return _json(self.evaluation, result_files.ABOUT_FILE) or {}

    @cached_property
    def exhibits(self) -> dict[str, dict[str, Any]]:
        """Curves and indices by the name of what was scored.

        Raises:
            NotShownError: When the evaluation chose none.
        """
        chosen = exhibits.read(self.evaluation)
        if not chosen:
            raise NotShownError(
                "the evaluation chose nothing to show (evaluation.exhibits is off, or no model "
                "could be scored)"
            )
        return chosen

    @cached_property
    def rows(self) -> dict[str, tuple[UnitScore, ...]]:
        """Unit scores by the name of what was scored; the candidate's first.

        Raises:
            NotShownError: When nothing was scored.
        """
        names = result_files.scored_names(self.evaluation)
        if not names:
            raise NotShownError("the model could not be scored")
        return {name: result_files.read_scores(self.evaluation, name) for name in in_order(names)}

    @cached_property
    def manifest(self) -> Manifest:
        """What the examples hold.

        Raises:
            NotShownError: When the examples are not known.
        """
        if not self.examples:
            raise NotShownError("the examples of the run are not known")
        return manifest.read(self.examples)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the model says of itself; empty when it says nothing."""
        return _json(self.model, IDENTITY_FILE) or {}

    @cached_property
    def timeline(self) -> list[dict[str, Any]]:
        """The events of the training run.

        Raises:
            NotShownError: When there is no timeline.
        """
        events = _json(self.model_run, "timeline.json")
        if not events:
            raise NotShownError("the timeline of the training run is not there")
        return events

    @cached_property
    def training_result(self) -> dict[str, Any]:
        """How the training run went; empty when nobody wrote it."""
        return _json(self.model_run, "training_result.json") or {}


def in_order(names: list[str]) -> list[str]:
    """Sorts what was scored as it is shown: candidate, production, handcrafted descriptors.

    Example:
        >>> in_order(["rootsift", "production", "candidate"])
        ['candidate', 'production', 'rootsift']
    """
    first = [name for name in (CANDIDATE, PRODUCTION) if name in names]
    return first + sorted(set(names) - set(first))


def _json(folder: str, name: str) -> Any:
    path = files.join(folder, name)
    if not folder or not files.exists(path):
        return None
    return read_json(files.read_text(path))
