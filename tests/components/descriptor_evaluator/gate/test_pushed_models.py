from components.descriptor_evaluator.gate.pushed_models import pushed_models
from components.serving.pusher.push_log import PushEntry


def push(version, checksum):
    return PushEntry(action="push", version=version, checksum=checksum)


def rollback(version, checksum, replaced):
    return PushEntry(
        action="rollback", version=version, checksum=checksum, replaced_version=replaced
    )


def test_every_pushed_model_counts_once_with_its_newest_version():
    log = [push(1, "a"), push(2, "b"), push(3, "a")]
    assert pushed_models(log) == {"a": 3, "b": 2}
    assert pushed_models([]) == {}


def test_a_model_that_was_taken_back_does_not_count():
    log = [push(1, "a"), push(2, "b"), rollback(3, "a", replaced=2)]
    assert pushed_models(log) == {"a": 3}


def test_a_model_that_was_pushed_again_counts_again():
    log = [push(1, "a"), push(2, "b"), rollback(3, "a", replaced=2), push(4, "b")]
    assert pushed_models(log) == {"a": 3, "b": 4}


def test_a_rollback_of_an_unknown_version_takes_nothing_away():
    assert pushed_models([push(1, "a"), rollback(9, "c", replaced=7)]) == {"a": 1, "c": 9}
