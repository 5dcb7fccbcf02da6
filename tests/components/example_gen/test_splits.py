import json
from collections import Counter

import pytest

from components.example_gen import splits
from components.example_gen.formats.base import SequenceInput
from components.example_gen.settings import DataSettings, SplitSettings
from trainer.core.errors import UserError


def sequences(*names, **scene_of):
    return [SequenceInput(n, scene_of.get(n, n), n[0], "strips", ()) for n in sorted(names)]


def settings(seed=0, **split):
    return DataSettings(seed=seed, split=SplitSettings(**split))


@pytest.fixture
def hpatches():
    return sequences(*splits.official_split("full")["test"])


def photographs(count):
    """An i_ and a v_ sequence of each photograph."""
    names = [f"{kind}_{n}" for n in range(count) for kind in "iv"]
    return sequences(*names, **{name: name[2:] for name in names})


def write(tmp_path, content):
    path = tmp_path / "splits.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_official_splits_hold_out_8_of_76(hpatches, name):
    assigned = splits.assign_splits(hpatches, settings(rule="official", name=name))
    assert Counter(assigned.values()) == {"train": 68, "val": 8, "eval": 40}
    tested = {each for each, split in assigned.items() if split == "eval"}
    assert tested == set(splits.official_split(name)["test"])


@pytest.mark.parametrize(("name", "tested", "count"), [("illum", "i", 57), ("view", "v", 59)])
def test_what_is_tested_on_one_kind_is_trained_on_the_other(hpatches, name, tested, count):
    extra = sequences("other_scene", f"{tested}_extra")
    assigned = splits.assign_splits(hpatches + extra, settings(rule="official", name=name))
    evaluated = {each for each, split in assigned.items() if split == "eval"}
    assert len(evaluated) == count
    assert {each[0] for each in evaluated} == {tested}
    assert {each[0] for each in assigned if each not in evaluated} == {"i", "v"} - {tested}


def test_sequences_that_a_split_does_not_name_are_left_out(hpatches):
    extra = sequences("i_trees")
    assigned = splits.assign_splits(hpatches + extra, settings(rule="official", name="a"))
    assert "i_trees" not in assigned
    assert len(assigned) == 116


def test_an_absent_sequence_is_told_by_name(hpatches):
    present = [item for item in hpatches if item.name != "v_wapping"]
    with pytest.raises(UserError, match="split 'a': names v_wapping, which the data does not hold"):
        splits.assign_splits(present, settings(rule="official", name="a"))
    with pytest.raises(UserError, match="and 101 more, which the data does not hold"):
        splits.assign_splits(hpatches[:10], settings(rule="official", name="a"))
    skipped = splits.assign_splits(  # what was skipped may be named
        present, settings(rule="official", name="a"), skipped=["v_wapping"]
    )
    assert Counter(skipped.values()) == {"train": 67, "val": 8, "eval": 40}


def test_a_splits_file_of_several_splits_is_chosen_from_by_name(tmp_path):
    path = write(
        tmp_path,
        {
            "mine": {"name": "mine", "train": ["i_a", "v_b", "v_c"], "test": ["v_d"]},
            "yours": {"name": "yours", "test": ["i_a"]},
        },
    )
    inputs = sequences("i_a", "v_b", "v_c", "v_d", "v_e")
    mine = splits.assign_splits(inputs, settings(rule="file", file=path, name="mine"))
    assert mine["v_d"] == "eval"
    assert "v_e" not in mine
    assert Counter(mine.values()) == {"train": 2, "val": 1, "eval": 1}
    yours = splits.assign_splits(inputs, settings(rule="file", file=path, name="yours"))
    assert Counter(yours.values()) == {"train": 3, "val": 1, "eval": 1}


def test_a_file_of_one_split_needs_no_name(tmp_path):
    path = write(tmp_path, {"train": ["i_a", "v_b"], "test": ["v_d"]})
    rule = settings(rule="file", file=path)
    lists = splits.load_split_lists(rule.split)
    assert lists == {"name": "file", "train": ["i_a", "v_b"], "test": ["v_d"]}
    inputs = sequences("i_a", "v_b", "v_d")
    assert splits.assign_splits(inputs, rule)["v_d"] == "eval"
    (tmp_path / "splits.json").unlink()  # for which the resolved lists stand in
    assert splits.assign_splits(inputs, rule, lists=lists)["v_d"] == "eval"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no split"),
        ({"a": {"train": ["x"]}}, "'test' of split 'a' is no list of names"),
        ({"a": {"test": ["x"], "train": "y"}}, "'train' of split 'a' is no list of names"),
        ({"a": {"test": ["x", "x"]}}, "names x twice in 'test'"),
        ({"a": {"test": ["x"]}, "b": {"test": ["y"]}}, "several splits and no name is given"),
    ],
)
def test_a_bad_splits_file_is_refused(tmp_path, content, sentence):
    path = write(tmp_path, content)
    with pytest.raises(UserError, match=sentence) as caught:
        splits.load_split_lists(SplitSettings(rule="file", file=path))
    assert path in str(caught.value)
    path = write(tmp_path, {"a": {"test": ["x"]}, "b": {"test": ["y"]}})
    with pytest.raises(UserError, match="holds no split 'd', expected one of a, b"):
        splits.read_split_file(path, "d")


@pytest.mark.parametrize(
    ("train", "test", "sentence"),
    [
        (["i_a", "i_b"], [], "'eval' has no image sequence left"),
        ([], ["i_a"], "'train' has no image sequence left"),
        (["i_b"], ["i_a"], "leaves 1 scene to train on"),
        (["i_a", "i_b"], ["i_b"], "i_b stands in train and in test"),
        (["i_a", "i_b"], ["v_a"], "train and test share the scene house"),
    ],
)
def test_an_empty_or_a_shared_side_is_refused(tmp_path, train, test, sentence):
    path = write(tmp_path, {"train": train, "test": test})
    inputs = sequences("i_a", "i_b", "v_a", i_a="house", v_a="house")
    with pytest.raises(UserError, match=sentence):
        splits.assign_splits(inputs, settings(rule="file", file=path))


def test_a_share_never_parts_the_sequences_of_a_scene():
    for seed in range(10):
        assigned = splits.assign_splits(photographs(17), settings(seed, eval_share=0.3))
        sides = {}
        for name, split in assigned.items():
            sides.setdefault(name[2:], set()).add(split)
        assert all(len(side) == 1 for side in sides.values())
        assert Counter(assigned.values()) == {"eval": 10, "val": 2, "train": 22}


def test_a_share_follows_the_seed():
    def drawn(seed):
        return splits.assign_splits(photographs(17), settings(seed))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_a_share_is_balanced_over_the_kinds():
    inputs = sequences("i_leuven", "i_trees", "i_ubc", "v_bark", "v_graffiti", "v_wall")
    for seed in range(10):
        assigned = splits.assign_splits(inputs, settings(seed, eval_share=0.3))
        tested = sorted(name[0] for name, split in assigned.items() if split == "eval")
        assert tested == ["i", "v"]
        assert Counter(assigned.values()) == {"train": 3, "val": 1, "eval": 2}


def test_too_few_scenes_for_a_share_are_refused():
    with pytest.raises(UserError, match=r"split\.eval_share 0\.3: 'eval' has no image sequence"):
        splits.assign_splits(photographs(1), settings())
    with pytest.raises(UserError, match="leaves 1 scene to train on"):
        splits.assign_splits(photographs(2), settings())
    assert Counter(splits.assign_splits(photographs(3), settings()).values()) == {
        "train": 2,
        "val": 2,
        "eval": 2,
    }


def test_the_official_lists_are_those_of_the_benchmark(shared):
    published = json.loads((shared / "hpatches" / "splits.json").read_text())
    for name, split in published.items():
        ours = splits.official_split(name)
        assert ours["test"] == sorted(split["test"])
        assert ours["train"] == (sorted(split["train"]) if "train" in split else None)
