"""What is compiled for TPUs."""

import pytest

from benchmarks.tpu.cases import CASES, LOSSES, SMALL, Case
from benchmarks.tpu.chips import CHIPS
from trainer.core import registry
from trainer.core.config import LossConfig


def test_every_loss_and_miner_is_compiled_on_several_cores():
    steps = [case for case in CASES if case.work == "step"]
    losses = [LossConfig(**LOSSES[case.loss]) for case in steps if case.cores > 1]
    assert {loss.name for loss in losses} == set(registry.LOSSES)
    assert {loss.mining for loss in losses} == set(registry.MINERS)
    assert any(loss.second_order for loss in losses)
    assert any(loss.norm_penalty for loss in losses)
    assert {case.cores for case in steps} == {1, 4}
    assert any(case.resident for case in steps)


def test_every_chip_both_shapes_and_both_widths_are_compiled():
    steps = [case for case in CASES if case.work == "step"]
    assert {case.chip for case in CASES} == set(CHIPS)
    assert {(case.points, case.patches_per_point) for case in steps} == {(1024, 2), (128, 8)}
    assert {case.width for case in steps} == {0.25, 1}


def test_results_do_not_take_each_others_place():
    assert len({case.key for case in (*CASES, SMALL)}) == len(CASES) + 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_a_batch_is_shared_evenly_and_of_pairs_where_the_loss_wants_pairs(case: Case):
    assert case.points % case.cores == 0
    assert case.patches_per_point == 2 or not LossConfig(**case.loss_settings).of_pairs
