"""What a plan asks of the training data."""

import pytest

from trainer.core.config import StageConfig
from trainer.data.manifest import Manifest, SequenceEntry
from trainer.data.plan_points import enough_for


def _listing(*sequences: tuple[str, str, int]) -> Manifest:
    entries = tuple(
        SequenceEntry(name=name, scene=scene, kind="v", count=count, shards=(), checksum="")
        for name, scene, count in sequences
    )
    return Manifest(splits={"train": entries, "val": entries[:1]})


_EIGHT = _listing(*((f"{kind}_{scene}", scene, 10) for scene in "abcdefgh" for kind in "iv"))


def _kept(stage: StageConfig, *more: StageConfig, seed: int = 1) -> tuple[str, ...]:
    enough = enough_for((stage, *more), _EIGHT, seed)
    assert enough.splits["val"] == _EIGHT.splits["val"]
    return tuple(entry.name for entry in enough.splits["train"])


def test_no_more_scenes_are_packed_than_a_plan_draws_points_of():
    stage = StageConfig(points_per_batch=5, max_steps=9)
    kept = _kept(stage)  # 45 points, of scenes of 20
    assert len(kept) == 2 * 3
    assert list(kept) == sorted(kept, key=[entry.name for entry in _EIGHT.splits["train"]].index)
    assert len({name[2:] for name in kept}) == 3  # whole scenes
    assert len(_kept(stage, stage)) == 2 * 5  # 90 points
    assert kept == _kept(stage)
    assert len({_kept(stage, seed=seed) for seed in range(9)}) > 3


@pytest.mark.parametrize(("steps", "scenes"), [(7, 7), (8, 8), (9, 8)])
def test_a_plan_that_draws_them_all_gets_all(steps, scenes):
    # 20 points a step: 140 are seven scenes of 20, 160 are all eight.
    stages = [StageConfig(points_per_batch=10, max_steps=2)] * steps
    assert len(_kept(*stages)) == 2 * scenes


def test_a_batch_can_choose_among_four_times_its_points():
    # One image sequence of 10 points a scene: 15 points a batch want 60 to choose from.
    assert len(_kept(StageConfig(points_per_batch=15, max_steps=1))) == 2 * 6
    assert len(_kept(StageConfig(points_per_batch=30, max_steps=1))) == 2 * 8  # there is no more


def test_an_image_sequence_is_kept_that_holds_the_points_that_look_alike():
    sizes = dict(zip("abcdefgh", (5, 5, 5, 5, 5, 5, 5, 20), strict=True))
    listing = _listing(*((f"v_{scene}", scene, size) for scene, size in sizes.items()))
    for seed in range(9):
        stage = StageConfig(points_per_batch=6, max_steps=1, same_sequence_fraction=1.0)
        kept = {entry.name for entry in enough_for((stage,), listing, seed).splits["train"]}
        assert "v_h" in kept
