import dataclasses
import json

import pytest

from components.evaluation_report.material import Material, NotShownError
from components.evaluation_report.sections import filters, provenance
from tests.components.evaluation_report.run_folders import POINTS


def test_the_data_by_hand(run):
    section = provenance.data_section(run)
    train, val, scored = section["splits"]
    assert (train["name"], val["name"], scored["name"]) == ("train", "val", "eval")
    assert scored["scenes"] == ["one", "two"] and scored["sequences"] == 3
    assert scored["kinds"] == "1 illumination, 2 viewpoint"
    assert (scored["points"], scored["patches"]) == (3 * POINTS, 3 * POINTS * 16)
    assert section["skipped"] == [{"name": "v_bad", "reason": "2.ppm is <empty>"}]
    assert section["format"] == "an HPatches patch release"
    assert section["checksum"] == run.manifest.checksum


def test_versions_seeds_and_settings(run):
    section = provenance.versions_section(run)
    assert ("descriptor id", "abc") in section["checksums"]
    assert ("evaluation patches", "d" * 64) in section["checksums"]
    assert ("training run", "0123456789abcdef") in section["checksums"]
    assert section["seeds"] == [
        ("data.seed", "3"), ("training.seed", "7"), ("evaluation and gate.gate.seed", "5"),
    ]  # fmt: skip
    assert section["recipes"] == [("rootsift-smoothed", "blur 3.5 px, size 1/5, border 0.25")]
    assert section["made_with"] == [("numpy", "1.2.3"), ("tensorflow", "2.16.2")]
    settings = {name: json.loads(text) for name, text in section["settings"]}
    assert settings["training"] == {"seed": 7, "model": {"width": 0.25}}
    assert settings["pipeline"] == {"warm_start": False, "push": {"destination": "serving"}}
    names = [name for name, _ in section["drawn_with"]]
    assert {"python", "tfx", "tensorflow", "matplotlib"} <= set(names)


def test_a_model_that_says_nothing_leaves_the_datas_own_settings(run):
    section = provenance.versions_section(dataclasses.replace(run, model=""))
    settings = {name: json.loads(text) for name, text in section["settings"]}
    assert set(settings) == {"data", "evaluation and gate", "pipeline"}
    assert settings["data"]["format"] == "strips"


def test_the_filters_are_read_and_stretched_each_by_itself(run):
    kernel = filters.read_kernel(run.model)
    assert kernel.shape == (3, 3, 1, 4)
    sheet = filters.sheet(kernel)
    assert sheet.shape == (42, 4 * 42 + 3 * 6)
    # The first filter goes from -1 to 32/35 - ... in equal steps; its darkest corner is -1.
    assert sheet[0, 0] == 0 and sheet[-1, -1] == 255
    assert sheet[0, 42] == 255  # the gap is paper
    section = filters.section(run)
    assert (section["count"], section["size"]) == (4, "3 x 3")


def test_a_model_without_that_layer_has_no_filters(run, tmp_path):
    with pytest.raises(NotShownError, match="carries no variables"):
        filters.read_kernel(str(tmp_path))
    with pytest.raises(NotShownError, match="not known"):
        filters.section(Material("evaluation"))
