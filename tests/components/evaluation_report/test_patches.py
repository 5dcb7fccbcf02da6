"""Patches in the page: the album, the worst mistakes, the map."""

import base64
import dataclasses
import re

import cv2
import numpy as np
import pytest

from components.evaluation_report import patch_album
from components.evaluation_report.material import NotShownError
from components.evaluation_report.patch_album import Place
from components.evaluation_report.sections import map_picture, mistakes
from tests.components.evaluation_report.run_folders import POINTS
from tests.support.releases import patches_of

MATCH = {
    "noise": "h", "sequence": "v_one", "target": 2, "reference": 3, "wrong": 5,
    "distance": 0.25, "right_distance": None,
}  # fmt: skip
ROW = {
    "noise": "t", "sequence": "v_two", "index": 4, "ap": 0.125, "ranks": [2, None, 3, 1200, 5],
    "first": [
        {"sequence": "i_one", "index": 0, "variant": "ref", "right": False, "distance": 0.5},
        {"sequence": "v_two", "index": 4, "variant": "t1", "right": True, "distance": 12.34},
    ],
}  # fmt: skip


def pixels_of(uri: str) -> np.ndarray:
    head, _, content = uri.partition(",")
    assert head == "data:image/png;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_UNCHANGED)


def with_exhibits(run, **shown):
    material = dataclasses.replace(run)
    material.__dict__["exhibits"] = {"candidate": shown}
    return material


def test_the_patches_asked_for_are_read(run):
    places = [Place("v_one", 5, "h2"), Place("v_one", 0, "ref"), Place("i_one", 7, "t5")]
    album = patch_album.read(run.examples, run.manifest, places)
    assert set(album) == set(places)
    for place, variant in zip(places, (7, 0, 15), strict=True):
        expected = patches_of(place.sequence, POINTS)[place.index, variant]
        assert np.array_equal(album[place], expected)


def test_patches_that_the_split_does_not_hold_are_left_out(run):
    places = [Place("v_three", 0, "ref"), Place("v_one", POINTS, "ref")]
    assert patch_album.read(run.examples, run.manifest, places) == {}


def test_a_picture_comes_back_from_the_page():
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.array_equal(pixels_of(patch_album.data_uri(grey)), grey)
    assert pixels_of(patch_album.data_uri(grey, 4)).shape == (4, 4)
    assert pixels_of(patch_album.data_uri(grey, 99)).shape == (8, 8)
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 200
    assert pixels_of(patch_album.data_uri(red))[0, 0].tolist() == [0, 0, 200]  # blue comes first


def test_a_false_match_shows_what_was_taken_beside_what_was_right(run):
    section = mistakes.section(with_exhibits(run, false_matches=[MATCH]))
    (group,) = section["matches"]
    assert group["noise"] == "hard" and section["rows"] == []
    (item,) = group["items"]
    patches = patches_of("v_one", POINTS)
    for role, place in {"reference": (3, 0), "wrong": (5, 7), "right": (3, 7)}.items():
        assert np.array_equal(pixels_of(item[role]), patches[place])
    assert (item["distance"], item["right_distance"]) == ("0.250", "-")


def test_a_retrieval_row_shows_the_query_and_what_was_retrieved(run):
    section = mistakes.section(with_exhibits(run, retrieval_rows=[ROW]))
    (item,) = section["rows"][0]["items"]
    assert np.array_equal(pixels_of(item["query"]), patches_of("v_two", POINTS)[4, 0])
    assert [entry["right"] for entry in item["first"]] == [False, True]
    assert np.array_equal(
        pixels_of(item["first"][1]["picture"]), patches_of("v_two", POINTS)[4, 11]
    )
    assert item["ranks"] == "2, never, 3, 1,200, 5"
    assert [entry["distance"] for entry in item["first"]] == ["0.500", "12.3"]


def test_patches_that_are_gone_leave_empty_frames(run):
    gone = MATCH | {"sequence": "v_gone"}
    section = mistakes.section(with_exhibits(run, false_matches=[gone]))
    assert section["matches"][0]["items"][0]["wrong"] == ""


def test_a_model_without_mistakes_has_none_to_show(run):
    with pytest.raises(NotShownError, match="no false match"):
        mistakes.section(with_exhibits(run, false_matches=[], retrieval_rows=[]))
    with pytest.raises(NotShownError, match="too few"):
        map_picture.section(with_exhibits(run))


def test_the_map_by_hand():
    point = {"sequence": "v_one", "index": 3, "variants": ["ref", "e1", "h2", "t5"]}
    point |= {"x": [0.0, 1.0, 0.5, 0.5], "y": [0.0, 1.0, 0.5, 0.5]}
    patch = np.full((65, 65), 9, np.uint8)
    text = map_picture.draw([point], {Place("v_one", 3, "e1"): patch})
    # From (30, 970), the lower left, to the upper right and (twice) the middle.
    assert re.findall(r'd="([^"]*)"', text) == [
        "M30 970L970 30", "M30 970L500 500", "M30 970L500 500",
    ]  # fmt: skip
    assert len(re.findall("<rect", text)) == 4 and len(re.findall("<image", text)) == 1
    assert '<image x="948" y="8" width="44" height="44"' in text
    colours = re.findall(r'stroke="(#\w+)"', text)
    assert colours == list(map_picture.FRAME.values())
    assert "<title>v_one 3, h2</title>" in text


def test_the_map_of_a_run_has_all_its_thumbnails(run):
    section = map_picture.section(run)
    assert section["count"] == 24 and section["picture"].count("<image") == 4 * 24
