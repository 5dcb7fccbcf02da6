"""The roofline of a program on a chip."""

import pytest

from benchmarks.tpu.chips import CHIPS


def test_operations_bound_a_program_that_moves_little():
    roofline = CHIPS["v5e"].roofline(flops=197e12, traffic=819e6)
    assert roofline.seconds == pytest.approx(1.0)
    assert roofline.bound == "compute"


def test_traffic_bounds_a_program_that_computes_little():
    roofline = CHIPS["v5e"].roofline(flops=197e9, traffic=819e9 / 4)
    assert roofline.seconds == pytest.approx(0.25)
    assert roofline.bound == "memory"


def test_a_core_has_its_share_of_the_chip_alone():
    assert CHIPS["v3"].roofline(flops=123e12, traffic=0).seconds == pytest.approx(2.0)
    assert CHIPS["v3"].roofline(flops=0, traffic=900e9).seconds == pytest.approx(2.0)
