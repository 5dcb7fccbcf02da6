"""Descriptors that tell their point by something else than the patch."""

import numpy as np
import pytest

from components.descriptor_evaluator.descriptors import identity_leaks
from trainer.core.errors import UserError

ROWS = np.arange(60)
NAMES = np.random.default_rng(9).permutation(10_000)[:60]


def noise(count=60, dimension=5, seed=0):
    return np.random.default_rng(seed).normal(size=(16, count, dimension)).astype(np.float32)


def with_column(values, column=3):
    given = noise()
    given[:, :, column] = values
    return given


def in_all_files_but_one():
    given = with_column(ROWS)
    given[7, :, 3] = np.random.default_rng(0).permutation(60)
    return given


@pytest.mark.parametrize(
    "given",
    [
        with_column(ROWS),
        with_column(-3.0 * ROWS),
        with_column(ROWS + 1000 * np.arange(16)[:, None]),
        with_column(ROWS + 0.3 * noise()[:, :, 0]),
        in_all_files_but_one(),
    ],
)
def test_a_row_number_is_refused_with_its_column(given):
    with pytest.raises(UserError, match=r"v_a: column 4 is \(nearly\) the row number"):
        identity_leaks.refuse_columns("v_a", given)


def test_a_row_number_of_few_rows_is_refused():
    given = noise(count=6)
    given[:, :, 0] = np.arange(6)
    with pytest.raises(UserError, match="column 1 is"):
        identity_leaks.refuse_columns("v_a", given)


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        NAMES + np.random.default_rng(1).uniform(-0.4, 0.4, (16, 60)),  # written anew in each file
        np.log1p(np.random.default_rng(2).permutation(60)),
        NAMES // 400,  # places: several points share one
    ],
)
def test_a_column_that_names_the_points_is_refused(names):
    with pytest.raises(UserError, match="v_a: column 4 names the points"):
        identity_leaks.refuse_columns("v_a", with_column(names))


def test_what_is_no_name_is_taken():
    given = noise()
    given[:, :, 0] = 1
    given[:, :, 1] = ROWS % 2
    given[:, :, 2] += ROWS / 20  # points in the order of their place in the image
    given[:, 5, 4] = np.nan
    identity_leaks.refuse_columns("v_a", given)


def test_good_descriptors_are_no_names():
    clean = np.random.default_rng(0).normal(size=(1, 60, 128))
    nearly_equal = (clean + 0.02 * noise(dimension=128)).astype(np.float32)
    noisy = (clean + 0.5 * noise(dimension=128)).astype(np.float32)
    for given in (nearly_equal, noisy):
        identity_leaks.refuse_columns("v_a", given)


def order(code, dimension=8):
    """Sequences of scenes of their own whose descriptors hold a code of the row, too."""
    given = {}
    for seed, name in enumerate(("i_a", "v_b", "v_c")):
        values = noise(dimension=dimension, seed=seed)
        codes = np.broadcast_to(code, (16, *code.shape))
        given[name] = np.concatenate([codes, values], axis=2).astype(np.float32)
    return given


def test_a_code_of_the_row_is_refused():
    scenes = {"i_a": "a", "v_b": "b", "v_c": "c"}
    given = order(4 * np.eye(60))
    for values in given.values():
        identity_leaks.refuse_columns("x", values)  # no column alone tells it
    with pytest.raises(UserError, match=r"x\.csv: descriptors follow the order of the rows: 100%"):
        identity_leaks.refuse_order(given, scenes, "x.csv")
    identity_leaks.refuse_order(given, dict.fromkeys(scenes, "a"), "x.csv")


@pytest.mark.parametrize("code", [np.zeros((60, 1)), np.ones((60, 8)), np.full((60, 2), np.nan)])
def test_what_does_not_follow_the_order_is_taken(code):
    scenes = {"i_a": "a", "v_b": "b", "v_c": "c"}
    identity_leaks.refuse_order(order(code), scenes, "x.csv")
    collapsed = {name: np.ones_like(values) for name, values in order(code).items()}
    identity_leaks.refuse_order(collapsed, scenes, "x.csv")
