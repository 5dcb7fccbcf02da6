"""The garbage collector rests during imports, and only then."""

import gc

import pytest

from trainer.core.importing import importing


@pytest.fixture(autouse=True)
def _nothing_stays_frozen():
    yield
    gc.enable()
    gc.unfreeze()


def test_the_collector_rests_and_goes_on_without_what_was_made():
    with importing():
        assert not gc.isenabled()
        made = [[number] for number in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(made)


def test_it_goes_on_after_an_import_that_failed():
    with pytest.raises(ModuleNotFoundError), importing():
        import trainer.nothing  # noqa: F401
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    with importing():
        pass
    assert not gc.isenabled()
