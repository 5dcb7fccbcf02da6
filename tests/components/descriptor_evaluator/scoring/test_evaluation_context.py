import pytest

from components.descriptor_evaluator.scoring.evaluation_context import data_checksum, open_context
from components.descriptor_evaluator.scoring.scores_cache import ScoresCache
from components.descriptor_evaluator.settings import EvaluationSettings
from tests.components.descriptor_evaluator.scoring.evaluation_contexts import entry
from trainer.core.errors import UserError
from trainer.data import manifest
from trainer.data.manifest import Manifest


def test_the_data_checksum_does_not_depend_on_order_but_on_content():
    first, second = entry("v_a"), entry("v_b")
    checksum = data_checksum([first, second])
    assert data_checksum([second, first]) == checksum
    assert data_checksum([first]) != checksum
    moved = first.model_copy(update={"scene": "b"})
    assert data_checksum([moved, second]) != checksum


def test_examples_that_hold_nothing_out_are_refused(tmp_path):
    manifest.write(Manifest(splits={"train": (entry("v_a"),)}), str(tmp_path))
    with pytest.raises(UserError, match="no image sequence in the split eval"):
        open_context(
            str(tmp_path), EvaluationSettings(), ScoresCache(None), "", "folder", lambda: None
        )
