import numpy as np
import pytest

from components.descriptor_evaluator.descriptors import binary
from trainer.core.errors import UserError


def bits(size=256, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (16, 5, size)).astype(np.float32)


def packed(values):
    return np.packbits(values.astype(np.uint8), axis=-1).astype(np.float32)


@pytest.mark.parametrize("write", [packed, lambda values: values, lambda values: 2 * values - 1])
def test_bits_come_back_however_they_were_written(write):
    given = {"v_a": bits(seed=1), "v_b": bits(seed=2)}
    found = binary.to_bits({name: write(values) for name, values in given.items()}, "orb.csv")
    assert found["v_a"].dtype == np.float32
    for name, values in given.items():
        np.testing.assert_array_equal(found[name], values)


def test_bytes_that_happen_to_be_0_and_1_are_bytes_where_others_are():
    given = {"v_a": np.ones((16, 5, 32), np.float32), "v_b": packed(bits())}
    assert binary.to_bits(given, "orb.csv")["v_a"].shape == (16, 5, 256)


@pytest.mark.parametrize("value", [0.5, -3, 256, np.nan, np.inf])
def test_other_numbers_are_refused(value):
    values = packed(bits())
    values[3, 2, 1] = value
    with pytest.raises(UserError, match=rf"hamming: x\.csv describes v_a with the number {value}"):
        binary.to_bits({"v_a": values}, "x.csv")
    assert not binary.packed_notes({"v_a": values}, "x.csv")


def test_bytes_of_a_model_or_baseline_are_no_bits():
    with pytest.raises(UserError, match=r"expected bits \(0 and 1\); use another distance"):
        binary.to_bits({"v_a": packed(bits())}, "sift", packed=False)
    np.testing.assert_array_equal(
        binary.to_bits({"v_a": bits()}, "orb", packed=False)["v_a"], bits()
    )


@pytest.mark.parametrize("size", [128, 256, 488, 512])
def test_what_looks_packed_is_remarked_on(size):
    (note,) = binary.packed_notes({"v_a": packed(bits(size))}, "x.csv")
    assert note.startswith(f"x.csv: {size // 8} whole numbers 0..255 for each patch; if")


@pytest.mark.parametrize("values", [bits(32), bits(1024) * 255, np.full((16, 5, 32), 0.5)])
def test_what_does_not_look_packed_is_not(values):
    assert binary.packed_notes({"v_a": values}, "x.csv") == []
