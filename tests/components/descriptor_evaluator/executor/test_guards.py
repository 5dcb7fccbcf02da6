"""Losses on a guarded slice, which a mean alone would not show."""

import pytest

from tests.support.evaluator_runs import FLOORS, assert_blessing, make_patches, write_examples

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inverted_examples(tmp_path_factory):
    """Noisy patches; the tough ones of `v_` sequences are negatives besides."""

    def patches_of(number, name):
        return make_patches(number, noise=(20.0, 40.0, 60.0), inverted=name[0] == "v")

    return write_examples(tmp_path_factory.mktemp("inverted"), patches_of)


@pytest.mark.usefixtures("without_tfma")
@pytest.mark.parametrize("guarded", [False, True])
def test_a_model_that_gains_on_average_but_loses_on_tough_viewpoint_is_refused_where_guarded(
    run, inverted_examples, guarded
):
    slices = [{}, {"noise": "t", "kind": "v"}] if guarded else [{}]
    settings = FLOORS | {
        "floors": [{"task": "matching", "at_least": 0.1}],
        "production": {"mode": "point", "slices": slices},
    }
    verdict, blessing, _ = run(
        "good", settings, production="blind to contrast", examples=inverted_examples
    )
    assert_blessing(blessing, not guarded)
    gains = {row.task: row.change.mean for row in verdict.table if row.noise == "mean"}
    assert gains["matching"] > 0.1 and gains["retrieval"] > 0.01
    if guarded:
        first, second = verdict.reasons
        assert first.startswith("matching mAP (tough, viewpoint) is ")
        assert second.startswith("retrieval mAP (tough, viewpoint) is ")
        assert "below production; allowed: at most 1.00 below, missed by " in first
