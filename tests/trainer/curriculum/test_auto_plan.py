"""The plan that is made for the data, the memory and the device."""

import itertools

import pytest

from trainer.core.config import StageConfig, TrainerConfig, demo_plan
from trainer.core.errors import UserError
from trainer.curriculum.auto_plan import Resources, check_size, plan, resolve

_GIB = 2**30
_PATCH = 300_000  # bytes, about those of width 0.25


def _resources(points: int, largest: int | None = None, **other) -> Resources:
    settings = {"patch_bytes": _PATCH, "memory": 16 * _GIB, **other}
    return Resources(points, points if largest is None else largest, **settings)


def _shapes(stages: tuple[StageConfig, ...]) -> list[tuple[int, int, int]]:
    return [(s.points_per_batch, s.patches_per_point, s.max_steps) for s in stages]


def test_the_demos_data_on_a_cpu_get_the_demos_batch_for_longer():
    (made,) = plan(_resources(5942, 2758))  # 500 patches of each: 2,971,000 / 2048
    (tuned,) = demo_plan()
    assert _shapes((made,)) == [(1024, 2, 1450)]
    assert made.model_copy(update={"max_steps": tuned.max_steps}) == tuned


@pytest.mark.parametrize(
    ("resources", "shapes"),
    [
        # 76 x 1300 points are worth 49.4 million patches; a CPU takes 3.6 million.
        (_resources(98_800), [(1024, 2, 1750)]),
        # On an accelerator all of them, in batches of 4096: 12,060 steps.
        (_resources(98_800, device="gpu"), [(128, 2, 1000), (512, 2, 1000), (2048, 2, 12000)]),
        # Small data are seen no more often than large ones: 500,000 patches / 800.
        (_resources(1000, 400), [(200, 2, 1250)]),
        (_resources(8), [(8, 2, 250)]),
    ],
)
def test_every_size_of_data_gets_its_plan(resources, shapes):
    assert _shapes(plan(resources)) == shapes


def test_losses_of_pairs_get_a_plan_that_they_can_take():
    hardnet = TrainerConfig(stages="auto", loss={"mining": "hardnet"})
    assert {s.patches_per_point for s in resolve(hardnet, _resources(5942)).plan} == {2}


@pytest.mark.parametrize(
    ("resources", "points"),
    [
        (_resources(5942, 100), 48),  # half of what fills one at most
        # Half of 64 MiB holds 111 patches: 55 points of 2.
        (_resources(5942, 2758, memory=64 * 2**20), 48),
        (_resources(5942, 2758, memory=64 * 2**20, replicas=4), 216),  # that of all counts
    ],
)
def test_data_and_memory_bound_the_batch(resources, points):
    assert plan(resources)[-1].points_per_batch == points


@pytest.mark.parametrize("replicas", [1, 2, 3, 7, 8, 12, 64])
@pytest.mark.parametrize("points", [64, 150, 5000, 98_800, 10**7])
@pytest.mark.parametrize("device", ["cpu", "gpu", "tpu"])
def test_every_plan_is_one_that_a_run_takes(replicas, points, device):
    stages = plan(_resources(points, device=device, replicas=replicas))
    config = TrainerConfig(stages=stages)  # the batches grow, steps and noises fit
    for stage in config.plan:
        assert stage.points_per_batch % replicas == 0
        assert 8 <= stage.points_per_batch <= points
        assert stage.warm_up_steps < stage.max_steps
    if points >= 5000:
        assert all(s.points_per_batch % 8 == 0 for s in stages)
    for stage, following in itertools.pairwise(stages):
        assert following.batch <= 16 * stage.batch
    assert stages[-1].schedule == "linear"


@pytest.mark.parametrize("replicas", [65, 128, 256])
@pytest.mark.parametrize("points", [400, 98_800])
def test_a_large_slice_gets_batches_that_it_can_share(replicas, points):
    batches = [
        stage.points_per_batch
        for stage in plan(_resources(points, device="tpu", replicas=replicas))
    ]
    assert all(batch % replicas == 0 for batch in batches)
    assert min(batches) >= replicas
    assert batches[-1] == max(batches)


def test_more_data_never_get_fewer_patches():
    seen = []
    for points in (20, 100, 1000, 5000, 20_000, 98_800, 10**6):
        last = plan(_resources(points, points // 2))[-1]
        seen.append(last.batch * last.max_steps)
    assert seen == sorted(seen)


def test_too_little_data_or_memory_is_refused_in_one_sentence():
    with pytest.raises(UserError, match=r"stages is auto.* at most 7 .*expected at least 8; add"):
        plan(_resources(100, 7))
    check_size(8)
    with pytest.raises(UserError, match="expected at least 12"):
        check_size(10, replicas=6)
    with pytest.raises(UserError, match="stages is auto, but 8 MiB of memory hold a batch of 6"):
        plan(_resources(1000, memory=8 * 2**20))


def test_only_auto_is_resolved():
    given = TrainerConfig()
    assert resolve(given, _resources(8)) is given
    made = resolve(TrainerConfig(stages="auto", seed=7), _resources(5942, 2758))
    assert made.plan == plan(_resources(5942, 2758))
    assert made.seed == 7
    assert {stage.noises for stage in plan(_resources(5942, 2758), ("e", "h"))} == {("e", "h")}
