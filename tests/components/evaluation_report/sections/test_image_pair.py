import dataclasses

import numpy as np
import pytest

from components.descriptor_evaluator.protocol.scores import UnitScore
from components.evaluation_report.material import Material, NotShownError
from components.evaluation_report.sections import image_pair
from components.example_gen.formats import images, reading
from components.example_gen.settings import DataSettings
from components.matching import descriptors
from tests.support.pictures import texture, write_sequence
from trainer.data.manifest import Manifest, SequenceEntry


def row(sequence, unit, ap, noise="h", kind="v", task="matching"):
    return UnitScore(task, noise, kind, sequence, "a", unit, {"ap": ap})


def test_the_pair_in_the_middle_is_taken():
    rows = [row("v_a", "1", 0.9), row("v_a", "2", 0.5), row("v_b", "4", 0.3), row("v_b", "1", 0.1)]
    rows += [row("v_c", "1", 0.4, noise="e"), row("i_c", "1", 0.4, kind="i")]
    rows += [row("v_c", "7", 0.4, task="retrieval")]
    assert image_pair.middle_pair(rows) == ("v_b", 4)
    assert image_pair.middle_pair([row("i_c", "3", 0.4, kind="i")]) == ("i_c", 3)
    with pytest.raises(NotShownError, match="no image pair"):
        image_pair.middle_pair([])


def test_a_pair_of_an_image_sequence_is_read_with_its_homography(tmp_path):
    write_sequence(tmp_path / "v_a")
    settings = DataSettings(format="sequences")
    pair, matrix = image_pair.read_pair(str(tmp_path), "v_a", 3, settings)
    (item,), _ = reading.list_sequences("sequences", str(tmp_path), settings)
    for found, place in zip(pair, (0, 3), strict=True):
        assert np.array_equal(found.image, images.read_grey(item.files[place]))
    np.testing.assert_allclose(matrix, np.loadtxt(tmp_path / "v_a" / "H_1_4"))
    assert pair[1].path == "v_a, image 4"
    with pytest.raises(NotShownError, match="images of v_b are not at hand"):
        image_pair.read_pair(str(tmp_path), "v_b", 1, settings)


def test_the_pair_of_a_patch_release_is_read_from_its_image_sequences(tmp_path):
    write_sequence(tmp_path / "images" / "v_a")
    (tmp_path / "images" / "v_half").mkdir()  # of another sequence: not looked at
    (tmp_path / "images" / "v_half" / "H_1_2").touch()
    root, settings = str(tmp_path / "images"), DataSettings(format="strips")
    pair, matrix = image_pair.read_pair(root, "v_a", 3, settings)
    assert np.array_equal(pair[1].image, images.read_grey(f"{root}/v_a/4.ppm"))
    np.testing.assert_allclose(matrix, np.loadtxt(tmp_path / "images" / "v_a" / "H_1_4"))
    with pytest.raises(NotShownError, match="images of v_b that they were cut from are not"):
        image_pair.read_pair(root, "v_b", 3, settings)
    (tmp_path / "patches" / "v_a").mkdir(parents=True)
    (tmp_path / "patches" / "v_a" / "ref.png").touch()  # the patch release itself
    with pytest.raises(NotShownError, match="the data are patches"):
        image_pair.read_pair(str(tmp_path / "patches"), "v_a", 3, settings)


def test_a_photographs_pair_is_rendered_as_it_was_for_the_patches(tmp_path):
    (tmp_path / "a.png").write_bytes(images.encode_png(texture(420, 360)))
    settings = DataSettings(format="photos", seed=4)
    first = image_pair.read_pair(str(tmp_path), "v_a", 2, settings)
    again = image_pair.read_pair(str(tmp_path), "v_a", 2, settings)
    assert np.array_equal(first[0][1].image, again[0][1].image)
    assert first[0][0].size == (210, 180) and first[1].shape == (3, 3)


def test_both_descriptors_are_drawn(tmp_path, monkeypatch):
    write_sequence(tmp_path / "v_a")
    monkeypatch.setattr(
        descriptors, "load_model", lambda path, trusted: descriptors.baseline("pixels")
    )
    entry = SequenceEntry(name="v_a", scene="a", kind="v", count=1, shards=(), checksum="")
    material = Material("evaluation", model="model", images=str(tmp_path))
    settings = DataSettings(format="sequences").model_dump(mode="json")
    material.__dict__["manifest"] = Manifest(splits={"eval": (entry,)}, settings=settings)
    material.__dict__["rows"] = {"candidate": (row("v_a", "1", 0.5), row("v_gone", "1", 0.4))}
    found = image_pair.section(material)
    assert (found["sequence"], found["target"]) == ("v_a", 1)
    assert [panel["title"].split(":")[0] for panel in found["panels"]] == ["pixels", "rootsift"]
    assert all(panel["picture"].startswith("data:image/jpeg") for panel in found["panels"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"images": ""}, "not at hand"),
        ({"images": "/absent"}, "not at hand"),
        ({"model": ""}, "model is not known"),
    ],
)
def test_what_is_missing_is_told(tmp_path, changes, reason):
    material = dataclasses.replace(
        Material("evaluation", model="model", images=str(tmp_path)), **changes
    )
    settings = DataSettings(format="sequences").model_dump(mode="json")
    material.__dict__["manifest"] = Manifest(splits={}, settings=settings)
    with pytest.raises(NotShownError, match=reason):
        image_pair.section(material)
