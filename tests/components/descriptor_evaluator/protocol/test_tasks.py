"""Drawing tasks by the published rules, and reading the published files."""

import numpy as np
import pytest

from components.descriptor_evaluator.protocol.tasks import (
    POOL_SIZES,
    SequenceInfo,
    Tasks,
    TaskSettings,
    contrast,
    draw,
    load_official,
    matching_only,
)
from trainer.core.errors import UserError

INFOS = [
    SequenceInfo("v_one", "one", "v", 40),
    SequenceInfo("i_one", "one", "i", 30),
    SequenceInfo("i_two", "two", "i", 50, np.linspace(0, 20, 50).astype(np.float32)),
    SequenceInfo("v_three", "three", "v", 2),
]
SCENES = {info.name: info.scene for info in INFOS}


@pytest.fixture(scope="module")
def drawn():
    return draw(INFOS, TaskSettings(seed=7))


def names_of(tasks, numbers):
    return np.array(tasks.names)[numbers]


def scenes_of(tasks, numbers):
    return np.array([SCENES[name] for name in names_of(tasks, numbers)])


def test_positives_show_one_point_in_two_images_and_negatives_do_not(drawn):
    pairs = drawn.positives
    assert (pairs.sequence1 == pairs.sequence2).all()
    assert (pairs.index1 == pairs.index2).all()
    assert (pairs.image1 != pairs.image2).all()
    negatives = drawn.intra  # two points of one image sequence
    assert (negatives.sequence1 == negatives.sequence2).all()
    assert (negatives.index1 != negatives.index2).all()
    negatives = drawn.inter  # never of one scene
    first, second = (scenes_of(drawn, n) for n in (negatives.sequence1, negatives.sequence2))
    assert (first != second).all()


def test_pair_sets_are_equally_long_and_share_their_first_patch(drawn):
    assert len(drawn.positives) == len(drawn.intra) == len(drawn.inter) == 20 * 122
    for column in ("sequence1", "image1", "index1"):
        first = getattr(drawn.positives, column)
        np.testing.assert_array_equal(first, getattr(drawn.intra, column))
        np.testing.assert_array_equal(first, getattr(drawn.inter, column))


def test_every_index_exists_and_image_five_never_occurs_as_published(drawn):
    counts = np.array(drawn.counts)
    for pairs in (drawn.positives, drawn.intra, drawn.inter):
        assert (pairs.index1 < counts[pairs.sequence1]).all()
        assert (pairs.index2 < counts[pairs.sequence2]).all()
        assert set(np.concatenate([pairs.image1, pairs.image2])) == {0, 1, 2, 3, 4}


def test_sequences_are_drawn_alike_whatever_their_size(drawn):
    share = np.bincount(drawn.positives.sequence1) / len(drawn.positives)
    np.testing.assert_allclose(share, 0.25, atol=0.03)


def test_queries_and_distractors_are_distinct_and_do_not_overlap(drawn):
    points = [
        (sequence, index)
        for table in (drawn.queries, drawn.distractors)
        for sequence, index in zip(table.sequence, table.index, strict=True)
    ]
    assert len(points) == len(set(points))
    assert len(drawn.queries) == int(0.2 * 122)


def test_queries_and_distractors_have_contrast(drawn):
    two = drawn.names.index("i_two")
    for table in (drawn.queries, drawn.distractors):
        chosen = table.index[table.sequence == two]
        assert len(chosen) and (INFOS[2].ref_contrast[chosen] > 10).all()


def test_contrast_is_the_standard_deviation_in_grey_levels():
    patches = np.zeros((2, 65, 65), np.uint8)
    patches[1, :, ::2] = 20  # 33 of 65 columns
    share = 33 / 65
    expected = [0.0, 20 * np.sqrt(share * (1 - share))]
    np.testing.assert_allclose(contrast(patches), expected, rtol=1e-5)


def test_without_any_contrast_the_rule_is_dropped_and_that_is_noted():
    flat = [SequenceInfo(name, name, "v", 20, np.zeros(20, np.float32)) for name in ("v_a", "v_b")]
    tasks = draw(flat, TaskSettings())
    assert len(tasks.queries) and "contrast" in tasks.notes[0]


def test_one_scene_leaves_inter_and_retrieval_out_and_says_so():
    tasks = draw([INFOS[0], INFOS[1]], TaskSettings())
    assert tasks.inter is None and tasks.queries is None and tasks.positives is not None
    assert len(tasks.notes) == 2
    assert "two scenes" in tasks.notes[0] and "two scenes" in tasks.notes[1]


def test_single_points_leave_verification_out_and_say_so():
    tasks = draw([SequenceInfo(name, name, "v", 1) for name in "abc"], TaskSettings())
    assert tasks.positives is None and "verification is absent" in tasks.notes[0]


def test_pool_sizes_are_the_published_ones_up_to_the_data():
    infos = [SequenceInfo(f"v_{n}", f"v_{n}", "v", 1000) for n in range(3)]
    tasks = draw(infos, TaskSettings(max_distractors=900))
    own = np.bincount(tasks.distractors.sequence)
    assert tasks.pool_sizes == (100, 500, 5 + 900 - own.min())


def test_the_seed_decides_and_order_of_sequences_does_not():
    again = draw(INFOS[::-1], TaskSettings(seed=7))
    other = draw(INFOS, TaskSettings(seed=8))
    assert again.checksum == draw(INFOS, TaskSettings(seed=7)).checksum
    assert other.checksum != again.checksum


def test_stored_tasks_come_back(tmp_path, drawn):
    drawn.save(str(tmp_path))
    stored = Tasks.load(str(tmp_path))
    assert stored.checksum == drawn.checksum
    assert stored.notes == drawn.notes and stored.pool_sizes == drawn.pool_sizes
    np.testing.assert_array_equal(stored.inter.index2, drawn.inter.index2)
    assert [path.name for path in tmp_path.iterdir()] == ["tasks.npz"]
    content = (tmp_path / "tasks.npz").read_bytes()
    drawn.save(str(tmp_path))
    assert (tmp_path / "tasks.npz").read_bytes() == content
    matching_only(INFOS).save(str(tmp_path))
    assert Tasks.load(str(tmp_path)).positives is None


def test_truncated_or_damaged_stored_tasks_are_refused(tmp_path, drawn):
    path = tmp_path / "tasks.npz"
    drawn.save(str(tmp_path))
    content = path.read_bytes()
    truncated = [content[: int(part * len(content))] for part in (0.0, 0.01, 0.5, 0.999)]
    for damaged in (*truncated, b"PK nothing", b"PK\x03\x04" + bytes(40)):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"tasks\.npz: holds no tasks"):
            Tasks.load(str(tmp_path))


# Published files

PAIRS = "s1,t1,idx1,s2,t2,idx2\n"
COUNTS = {"v_a": 3, "v_b": 2}


def write(folder, **changes):
    content = {
        "verif_pos": PAIRS + "v_a,0,0,v_a,3,0\nv_b,1,1,v_b,5,1\n",
        "verif_neg_intra": PAIRS + "v_a,0,0,v_a,3,2\nv_b,1,1,v_b,5,0\n",
        "verif_neg_inter": PAIRS + "v_a,0,0,v_b,3,1\nv_b,1,1,v_a,5,2\n",
        "retr_queries": "s,idx\nv_a,2\n",
        "retr_distractors": "s,idx\nv_b,1\nv_a,0\n",
    } | changes
    for stem, text in content.items():
        if text is not None:
            (folder / f"{stem}_split-x.csv").write_text(text)
    return str(folder)


def test_published_files_are_read_in_order(tmp_path):
    tasks = load_official(write(tmp_path), "x", COUNTS)
    assert tasks.inter.sequence1.tolist() == [0, 1]
    assert tasks.inter.sequence2.tolist() == [1, 0]
    assert tasks.intra.image2.tolist() == [3, 5] and tasks.intra.index2.tolist() == [2, 0]
    assert tasks.distractors.sequence.tolist() == [1, 0]
    assert tasks.groups == ("v_a", "v_b") and tasks.pool_sizes == POOL_SIZES


def test_the_scene_does_not_change_the_published_pools(tmp_path):
    tasks = load_official(write(tmp_path), "x", COUNTS, scenes={"v_a": "s", "v_b": "s"})
    assert tasks.scenes == ("s", "s") and tasks.groups == ("v_a", "v_b")


def test_only_the_files_of_asked_tasks_are_needed(tmp_path):
    folder = write(tmp_path, verif_pos=None, verif_neg_intra=None, verif_neg_inter=None)
    assert len(load_official(folder, "x", COUNTS, ("retrieval",)).queries) == 1
    with pytest.raises(UserError, match=r"verif_pos_split-x\.csv"):
        load_official(folder, "x", COUNTS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"retr_queries": "s,idx\nv_a,2\nv_c,0\n"},
            r"retr_queries_split-x.csv, line 3: s is 'v_c', expected one of the image sequences",
        ),
        ({"retr_queries": "s,idx\nv_a,3\n"}, r"line 2: idx is 3 of v_a, expected a patch number"),
        ({"retr_queries": "s,idx\nv_a,-1\n"}, "line 2: idx is -1"),
        ({"retr_queries": "s,idx\nv_a,1.5\n"}, "line 2: idx is 1.5"),
        ({"retr_queries": "s,idx\nv_a,one\n"}, "line 2: idx is 'one'"),
        ({"retr_queries": "name,number\nv_a,1\n"}, "has the columns name,number, expected s,idx"),
        ({"retr_queries": "s,idx\nv_a\n"}, r"retr_queries_split-x.csv, line 2: idx is "),
        ({"retr_queries": "s,idx\nv_a,1\nv_a,1,1\n"}, r"retr_queries_split-x.csv: is no CSV table"),
        ({"retr_queries": "s,idx\nv_a,1,1\n"}, "its rows have more fields than its header"),
        (
            {"verif_pos": "s1,t1\nv_a,0\n"},
            "verif_pos_split-x.csv: has the columns s1,t1, expected s1,t1,idx1,s2,t2,idx2",
        ),
        ({"verif_neg_inter": PAIRS + "v_a,0,0,v_y,3,1\n"}, "line 2: s2 is 'v_y', expected one of"),
        ({"retr_queries": "s,idx\n"}, "has no rows"),
        (
            {"retr_queries": "s,idx\nv_a,2\n\nv_b,0\nv_a,2\n"},
            r"retr_queries_split-x.csv, line 5: asks patch 2 of v_a again \(first in line 2\)",
        ),
        ({"retr_queries": ""}, "is no CSV table"),
        ({"verif_pos": PAIRS + "v_a,6,0,v_a,3,0\n"}, "line 2: t1 is 6, expected an image number"),
        ({"verif_neg_inter": PAIRS + "v_a,0,0,v_b,3,2\n"}, "line 2: idx2 is 2 of v_b, expected a"),
        (
            {"verif_neg_inter": PAIRS + "v_a,0,0,v_b,3,1\n"},
            "verif_neg_inter_split-x.csv: holds 1 pairs, expected 2 as in verif_pos_split-x.csv",
        ),
    ],
)
def test_task_files_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        load_official(write(tmp_path, **changes), "x", COUNTS)


def test_the_real_retrieval_files_of_split_a(shared):
    import pandas as pd

    folder = shared / "hpatches"
    parts = [pd.read_csv(folder / f"retr_{key}_split-a.csv") for key in ("queries", "distractors")]
    counts = (pd.concat(parts).groupby("s")["idx"].max() + 1).to_dict()
    tasks = load_official(str(folder), "a", counts, ("retrieval",))
    assert len(tasks.names) == 40
    assert (len(tasks.queries), len(tasks.distractors)) == (10_000, 20_000)
    first = (tasks.names[tasks.distractors.sequence[0]], int(tasks.distractors.index[0]))
    assert first == ("i_whitebuilding", 1463)
    counts["v_strand"] -= 1
    with pytest.raises(UserError, match="of v_strand, expected a patch number below"):
        load_official(str(folder), "a", counts, ("retrieval",))


@pytest.mark.parametrize("blank", ["\n", "  \n", "\r\n"])
def test_blank_lines_are_counted(tmp_path, blank):
    text = f"s,idx\n{blank}v_a,2\n{blank}{blank}v_a,9\n"
    folder = write(tmp_path)
    (tmp_path / "retr_queries_split-x.csv").write_bytes(text.encode())
    with pytest.raises(UserError, match=r"line 6: idx is '?9'? of v_a"):
        load_official(folder, "x", COUNTS)


def test_empty_pools_are_noted(tmp_path):
    changes = {"retr_queries": "s,idx\nv_a,1\nv_b,1\nv_a,2\n", "retr_distractors": "s,idx\nv_a,0\n"}
    tasks = load_official(write(tmp_path, **changes), "x", COUNTS)
    assert len(tasks.notes) == 1
    assert tasks.notes[0].startswith("2 of 3 retrieval queries have an empty pool")
    assert load_official(write(tmp_path, retr_queries="s,idx\nv_b,1\n"), "x", COUNTS).notes == ()
    assert not load_official(str(tmp_path), "x", COUNTS, ("matching",)).notes
