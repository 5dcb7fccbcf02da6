"""Processes that are killed for good; `python -m benchmarks kill` does it more often."""

import pytest

from benchmarks.training import kill
from benchmarks.training.kill import Kill


@pytest.mark.slow
def test_a_run_that_was_killed_everywhere_ends_with_the_weights_of_an_undisturbed_one(tmp_path):
    after_steps = (Kill("export", 1), Kill("finish", 1))
    kills = (Kill("steps", 3), Kill("stage", 1), Kill("checkpoint", 4), *after_steps)
    trial = kill.try_kills(tmp_path, kills, stages=2, steps=20)
    assert trial.equal_weights
    assert trial.equal_course
    assert trial.tidied
    assert trial.resumed[-1] == 40  # the export alone was left
    assert trial.resumed == tuple(sorted(trial.resumed))


def test_random_kills_hit_every_place_and_are_the_same_for_the_same_seed():
    kills = kill.random_kills(20, seed=3)
    assert len(kills) == 20
    assert {each.place for each in kills} == {"steps", "stage", "checkpoint", "export", "finish"}
    assert kills == kill.random_kills(20, seed=3) != kill.random_kills(20, seed=4)
