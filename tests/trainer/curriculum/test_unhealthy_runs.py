"""Runs that diverge, that cannot grow, or whose model is of no use."""

import json
import zlib

import numpy as np
import pytest

from tests.support import synthetic
from tests.support.training import folders_in, small_config, small_stage
from trainer.core.config import ControllerConfig, LossConfig, ModelConfig, ValidationConfig
from trainer.engine import loop

pytestmark = pytest.mark.slow

_CLEAN = synthetic.point_patches
_BARE = ModelConfig(network="l2net", width=0.1, dimension=64, final_normalisation="none")


def _noisy_patches(sequence: str, scene: str, index: int) -> np.ndarray:
    """The textures under so much noise of each patch's own that no network learns them at once."""
    clean = _CLEAN(sequence, scene, index).astype(np.float32)
    rng = np.random.default_rng(zlib.crc32(f"{sequence} {index}".encode()))
    return (0.2 * clean + 0.8 * rng.integers(0, 256, clean.shape)).astype(np.uint8)


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> str:
    root = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(synthetic, "point_patches", _noisy_patches)
        splits = {"train": {"v_a": ("a", 16), "i_b": ("b", 16)}, "val": {"v_c": ("c", 60)}}
        synthetic.write_examples(root, splits)
    return str(root)


def _train(examples, tmp_path, *stages, **settings):
    config = small_config(
        *stages, model=_BARE, validation=ValidationConfig(every_steps=20), **settings
    )
    result = loop.train(config, examples, None, folders_in(tmp_path))
    events = json.loads((tmp_path / "out" / "timeline.json").read_text())
    return result, events


def test_a_divergence_is_rolled_back_before_it_is_called_good(examples, tmp_path):
    stage = small_stage(8, 4, 60, learning_rate=1.0, warm_up_steps=0)
    loss = LossConfig(name="squared_hinge")
    result, events = _train(examples, tmp_path, stage, loss=loss)
    kinds = [event["event"] for event in events]
    first = kinds.index("rollback")
    assert events[first]["reason"] == "the network diverges"
    assert "good" not in kinds[:first]
    assert result.patches <= 60 * 32
    assert result.normalized_loss < 10  # at a rate of 1 it ends above 500 without the controller


def test_a_hard_stage_that_failed_is_tried_again_within_the_plans_patches(examples, tmp_path):
    """Whether a run at the edge of collapse fails once or twice is up to the processor's rounding:
    of several such runs one is to fail, to be tried again and to go through.
    """
    trained = []
    for number, rate in enumerate((0.05, 0.03, 0.1, 0.04, 0.07)):
        easy, hard = small_stage(8, 2, 20), small_stage(24, 6, 80, learning_rate=rate)
        loss = LossConfig(name="soft_margin", margin=0)
        result, events = _train(examples, tmp_path / str(number), easy, hard, loss=loss)
        assert [entry["patches"] for entry in result.planned] == [20 * 16, 80 * 144]
        assert result.patches <= 20 * 16 + 80 * 144
        again = [event for event in events if event["reason"].startswith("growth is tried again")]
        assert not again or result.rollbacks
        if again:
            trained.append(result.planned[1]["trained"])
            if trained[-1] > 80 * 144 / 4:
                return
    pytest.fail(f"growth was tried again in {len(trained)} runs of 5: {trained} patches")


def test_a_model_that_ends_below_pixels_says_so(examples, tmp_path):
    stage = small_stage(8, 4, 10, learning_rate=5.0, warm_up_steps=0)
    off = ControllerConfig(enabled=False)
    result, _ = _train(examples, tmp_path, stage, controller=off)
    assert result.validation["mean"] < result.pixels
    assert "normalised pixels" in result.shortfall
