import pytest

from components.descriptor_evaluator.gate.validation import Failure, Validation, crashed
from components.descriptor_evaluator.gate.verdict import Check
from components.descriptor_evaluator.protocol.scores import Slice

EASY = Failure("baseline", Slice("matching", "e"), "ap", "over_rootsift on matching, e is -0.2")
TOUGH = Failure("baseline", Slice("matching", "t"), "ap", "over_rootsift on matching, t is -0.3")
FLOOR = Failure("floor", Slice("matching"), "ap", "candidate on matching is 0.1")


def refused(name, part, metric="ap"):
    return Check(name, False, "Refused.", part, metric)


def test_a_validation_that_is_ok_passes():
    check = Validation(ok=True, slices=3).as_check(())
    assert check.passed
    assert check.name == "tfma"
    assert "3 slices" in check.sentence


def test_what_the_gate_refused_is_not_told_again():
    check = Validation(False, 3, (EASY,)).as_check([refused("baseline", Slice("matching", "e"))])
    assert not check.passed
    assert check.sentence == "TFMA's validation refuses the same slices."


@pytest.mark.parametrize(
    "others",
    [
        [],
        [refused("floor", Slice("matching", "e"))],
        [refused("baseline", Slice("retrieval", "e"))],
        [refused("baseline", Slice("matching", "e"), "auc")],
        [Check("baseline", True, "Kept.", Slice("matching", "e"), "ap")],
    ],
)
def test_what_only_tfma_refuses_is_told(others):
    check = Validation(False, 3, (EASY,)).as_check(others)
    assert not check.passed
    assert check.sentence == f"TFMA's validation failed: {EASY.words}."


def test_a_long_story_is_cut_short():
    check = Validation(False, 3, (EASY, TOUGH, FLOOR), ("the slice x is missing",)).as_check(())
    assert check.sentence == (
        f"TFMA's validation failed: the slice x is missing; {EASY.words} (and 2 more)."
    )


@pytest.mark.parametrize(
    "validation",
    [
        Validation(ok=False),
        Validation(ok=True, failures=(EASY,)),
        Validation(ok=True, problems=("there is no threshold",)),
        crashed(KeyError("units")),
    ],
)
def test_anything_but_a_clean_pass_refuses(validation):
    assert not validation.as_check(()).passed


def test_a_crash_is_named():
    assert "it crashed (KeyError: 'units')" in crashed(KeyError("units")).as_check(()).sentence
