"""Published results, held to the benchmark's own files where they are at hand."""

import json

import pytest

from components.descriptor_evaluator.published.matching import (
    SHOWN,
    check_methods,
    methods,
    published_on,
)
from trainer.core.errors import UserError


def test_the_four_sequences_give_the_published_means():
    results = published_on(["i_leuven", "v_bark", "v_graffiti", "v_wall", "mine"])
    means = {result.method: round(100 * result.by_noise["mean"], 1) for result in results}
    assert len(results) == 23
    assert results[0].method == "SOSNet"
    assert (means["SOSNet"], means["hardnet+"], means["rootsift"]) == (59.0, 57.9, 31.2)
    assert sorted(results[0].by_sequence) == ["i_leuven", "v_bark", "v_graffiti", "v_wall"]
    assert published_on(["mine"]) == []


def test_only_named_descriptors_are_given():
    (result,) = published_on(["v_graffiti", "v_wall"], ["SOSNet"])
    assert result.method == "SOSNet"
    assert result.mean("v_graffiti") == pytest.approx((0.7292 + 0.5793 + 0.3800) / 3, abs=1e-9)


def test_names_are_taken_in_any_case_and_others_are_refused_with_the_known_ones():
    assert check_methods(["HardNet+", "sosnet", "SOSNet"]) == ("hardnet+", "SOSNet")
    assert set(SHOWN) <= set(methods())
    with pytest.raises(UserError, match=r"found mine, expected one of 32x32-CDbin-256, .*SOSNet"):
        check_methods(["SOSNet", "mine"])


def test_every_value_is_that_of_the_result_files(shared):
    files = json.loads((shared / "hpatches" / "published_results.json").read_text())
    names = files["SOSNet"]["full"]["matching"]
    for result in published_on(names):
        pairs = files[result.method]["full"]["matching"]
        assert sorted(result.by_sequence) == sorted(pairs)
        for name, by_noise in result.by_sequence.items():
            for noise, value in by_noise.items():
                assert value == pytest.approx(sum(pairs[name][noise]) / 5, abs=6e-5)
