"""Matches of many photographs, from files of made-up features."""

import sqlite3
from contextlib import closing

import h5py
import numpy as np
import pytest

from components.matching.features import formats, pairs
from tests.components.matching.features.described import IDENTITY, features, noisy
from trainer.core.errors import UserError

KINDS = ("h5", "npz", "db")


@pytest.fixture
def scene(tmp_path):
    """Writes features of three photographs, of which the first two show the same points."""
    one = features("a/1.jpg", count=40)
    two, order = noisy(one, "a/2.jpg")
    identity = {**IDENTITY, "matching": {"ratio": 0.8, "max_distance": 0.9}}
    for kind in KINDS:
        path = str(tmp_path / f"scene.{kind}")
        with formats.writer(path)(path, identity) as add:
            for item in (one, two, features("b.jpg", count=30, seed=4)):
                add(item)
    return tmp_path, np.argsort(order)


@pytest.mark.parametrize("kind", KINDS)
def test_all_pairs_of_any_file_are_matched(scene, kind):
    folder, second = scene
    done = pairs.match(str(folder / f"scene.{kind}"), str(folder / "matches.h5"))
    assert done.pairs == 3
    with h5py.File(folder / "matches.h5") as file:
        assert sorted(file) == ["a-1.jpg", "a-2.jpg"]
        np.testing.assert_array_equal(file["a-1.jpg/a-2.jpg/matches0"][()], second)
        others = [file[f"a-{k}.jpg/b.jpg/matches0"][()] for k in (1, 2)]
    assert done.matches == 40 + sum((rows >= 0).sum() for rows in others)


def test_the_rule_is_the_models_unless_another_is_given(scene):
    folder, _ = scene
    path = str(folder / "scene.npz")
    done = pairs.match(path, str(folder / "1.h5"))
    assert (done.rule.ratio, done.rule.distance) == (0.8, 0.9)
    done = pairs.match(path, str(folder / "2.h5"), ratio=1.0, distance=0.01)
    assert (done.rule.ratio, done.rule.distance, done.matches) == (1.0, 0.01, 0)


def test_only_the_pairs_of_a_list_are_matched_and_go_to_the_database(scene):
    folder, second = scene
    listed = folder / "pairs.txt"
    listed.write_text("# two views\na/2.jpg a/1.jpg\n\na/1.jpg a/2.jpg\n")
    database = str(folder / "scene.db")
    done = pairs.match(str(folder / "scene.h5"), database, pairs_file=str(listed))
    assert (done.pairs, done.matches) == (1, 40)
    with closing(sqlite3.connect(database)) as opened:
        ((number, blob),) = opened.execute("SELECT pair_id, data FROM matches").fetchall()
    rows = np.frombuffer(blob, np.uint32).reshape(-1, 2)
    assert number == 2147483647 + 2  # images 1 and 2, in this order though listed otherwise
    np.testing.assert_array_equal(second[rows[:, 0]], rows[:, 1])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "lists no pair"),
        ("a/1.jpg\n", r"line 1 is 'a/1.jpg', expected the names of two images"),
        ("a/1.jpg a/2.jpg\na/1.jpg a/1.jpg\n", "line 2 is"),
        ("a/1.jpg z.jpg\n", r"z.jpg is not among the 3 photographs of .*scene.h5 \(a/1.jpg"),
    ],
)
def test_a_bad_list_is_refused_and_nothing_is_left(scene, content, sentence):
    folder, _ = scene
    (folder / "pairs.txt").write_text(content)
    before = sorted(folder.iterdir())
    with pytest.raises(UserError, match=f"pairs.txt: {sentence}"):
        pairs.match(
            str(folder / "scene.h5"), str(folder / "m.h5"), pairs_file=str(folder / "pairs.txt")
        )
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("scene.h5", "is there already"),
        ("m.txt", r"names no format, expected hloc's matches"),
        ("m.db", r"is missing, expected the database that `hpatches features` wrote"),
        ("none/m.h5", "cannot be written"),
    ],
)
def test_places_where_matches_cannot_go_are_refused(scene, output, sentence):
    folder, _ = scene
    with pytest.raises(UserError, match=sentence):
        pairs.match(str(folder / "scene.h5"), str(folder / output))


@pytest.mark.parametrize(
    ("path", "sentence"), [("f.txt", "names no format"), ("f.h5", "is missing")]
)
def test_files_without_features_are_refused(tmp_path, path, sentence):
    with pytest.raises(UserError, match=f"--features: .*{sentence}"):
        pairs.match(str(tmp_path / path), str(tmp_path / "m.h5"))


def test_one_photograph_or_descriptors_of_two_lengths_cannot_be_matched(tmp_path):
    for name, items in (
        ("one.npz", [features("a.jpg")]),
        ("two.npz", [features("a.jpg"), features("b.jpg", dimension=64)]),
    ):
        path = str(tmp_path / name)
        with formats.writer(path)(path, {}) as add:
            for item in items:
                add(item)
    with pytest.raises(UserError, match="holds one photograph, expected two or more"):
        pairs.match(str(tmp_path / "one.npz"), str(tmp_path / "m.h5"))
    with pytest.raises(UserError, match=r"a.jpg has descriptors of 128 numbers and b.jpg of 64"):
        pairs.match(str(tmp_path / "two.npz"), str(tmp_path / "m.h5"))
