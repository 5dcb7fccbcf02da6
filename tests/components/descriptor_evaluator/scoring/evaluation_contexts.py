"""A context without data, for tests of what is kept under which name."""

import pytest

from components.descriptor_evaluator.scoring.evaluation_context import EvaluationContext
from components.descriptor_evaluator.scoring.scores_cache import ScoresCache
from components.descriptor_evaluator.settings import EvaluationSettings
from trainer.data.manifest import Manifest, SequenceEntry


def entry(name, checksum="c"):
    """An image sequence of three points."""
    return SequenceEntry(name=name, scene="a", kind="v", count=3, shards=(), checksum=checksum)


def context(tmp_path, val=(), code="code", **settings):
    """One held-out image sequence and those of `val`."""
    splits = {"eval": (entry("v_e"),), "val": val}
    return EvaluationContext(
        "examples",
        Manifest(splits=splits),
        EvaluationSettings.model_validate(settings),
        ScoresCache(str(tmp_path)),
        code,
        "folder",
        lambda: pytest.fail("no pipeline is needed"),
    )
