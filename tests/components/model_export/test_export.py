"""A SavedModel becomes a file for another runtime, which says the same of patches."""

import dataclasses
import json
import shutil

import cv2
import numpy as np
import pytest
from safetensors import safe_open

from components.core.area_resize import resize
from components.descriptor_evaluator.descriptors import exported, patch_identity, saved_model
from components.model_export import export, network, onnx_file, torch_file
from pipeline.commands.descriptors.export import FORMATS
from trainer.core.errors import UserError
from trainer.model.names import IDENTITY_FILE

pytestmark = pytest.mark.slow


def run(model, format, output, release, **options):
    path = str(output / f"model{export.SUFFIXES[format]}")
    return path, export.export_model(model, format, path, data=release, **options)


@pytest.mark.parametrize("size", export.SIZES)
@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_it_describes_patches_as_the_saved_model_does(
    format, size, model, patches, served, release, output
):
    path, compared = run(model, format, output, release, size=size)
    loaded = exported.read(path)
    assert loaded.size == size
    for count in (81, 1, 5):  # any batch, in any order
        np.testing.assert_allclose(loaded.describe(patches[:count]), served[:count], atol=1e-4)
    assert all(one.max_difference < 1e-5 and not one.matching_map for one in compared)
    assert [one.patches for one in compared] == [16 * 13] * len(compared)


def test_opencv_runs_the_onnx_file(model, patches, served, release, output):
    path, _ = run(model, "onnx", output, release)
    runtime = cv2.dnn.readNetFromONNX(path)
    for kind, count in ((np.uint8, 81), (np.uint8, 2), (np.float32, 7)):
        runtime.setInput(patches[:count].astype(kind))
        np.testing.assert_allclose(runtime.forward(), served[:count], atol=1e-4)


@pytest.mark.parametrize(("format", "largest"), [("tflite-float16", 0.01), ("tflite-int8", 0.3)])
def test_what_rounding_costs_is_measured_and_stored(
    format, largest, model, patches, served, release, output
):
    path, (compared,) = run(model, format, output, release)
    scores = compared.matching_map
    assert scores["lost"] == pytest.approx(scores["saved_model"] - scores["export"])
    assert 0 < compared.max_difference < largest
    described = exported.read(path).describe(patches)
    assert 1e-7 < np.abs(described - served).max() < largest
    stored = saved_model.read_identity(path)["export"]
    assert stored["format"] == format
    assert stored["compared"][0]["matching_map"] == scores


def test_rounded_weights_make_smaller_files(model, release, output):
    sizes = {}
    for format in ("tflite", "tflite-float16", "tflite-int8"):
        path, _ = run(model, format, output, release)
        sizes[format] = len((output / path).read_bytes())
    assert sizes["tflite-int8"] < sizes["tflite-float16"] < sizes["tflite"]


@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_the_file_says_of_itself_what_the_saved_model_does(format, model, release, output):
    path, _ = run(model, format, output, release)
    own = saved_model.read_identity(path)
    assert own.pop("export")["input_size"] == 65
    assert own == saved_model.read_identity(model)
    assert patch_identity.of_model(path) == patch_identity.of_model(model)
    assert saved_model.load_model(path).identity["descriptor_id"] == own["descriptor_id"]


def test_the_torch_weights_are_the_networks(model, patches, served, release, output):
    path, (compared,) = run(model, "torch", output, release)
    weights = path.replace(".py", ".safetensors")
    with safe_open(weights, framework="np") as file:
        identity = json.loads(file.metadata()["descriptor"])
    assert identity["licence"] and identity["patch"]["size"] == 65
    assert compared.max_difference < 1e-5
    describe = torch_file.in_tensorflow((output / weights).read_bytes(), network.load(model), 65)
    np.testing.assert_allclose(describe(patches), served, atol=1e-4)
    compile((output / path).read_text(), path, "exec")


def test_the_same_model_has_the_same_bytes(model, release, output):
    for format in ("onnx", "tflite"):
        path, _ = run(model, format, output, release)
        first = (output / path).read_bytes()
        assert (output / run(model, format, output, release)[0]).read_bytes() == first


@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_an_export_that_differs_is_not_written(format, model, release, output, monkeypatch):
    def altered(path):
        right = loaded(path)
        return dataclasses.replace(right, projection=right.projection * 0.99 + 0.001)

    loaded = network.load
    monkeypatch.setattr(network, "load", altered)
    with pytest.raises(UserError, match=r"not written, as .* describes 208 patches differently"):
        run(model, format, output, release)
    assert not list(output.iterdir())


def test_a_difference_that_is_no_number_is_refused(model, release, output, monkeypatch):
    def broken(content):
        return lambda patches: np.full((len(patches), 64), np.nan, np.float32)

    monkeypatch.setattr(onnx_file, "with_opencv", broken)
    with pytest.raises(UserError, match="OpenCV describes 208 patches differently"):
        run(model, "onnx", output, release)
    assert not list(output.iterdir())


def test_int8_needs_patches_that_it_is_not_measured_on(model, release, output):
    one = output / "one"
    shutil.copytree(f"{release}/v_one", one / "v_one")
    with pytest.raises(UserError, match="one image sequence with points, expected at least two"):
        run(model, "tflite-int8", output, str(one))


def test_a_model_that_is_not_ours_is_refused(model, release, output):
    copy = output / "copy"
    shutil.copytree(model, copy)
    identity = copy / IDENTITY_FILE
    content = json.loads(identity.read_text())
    for key, value, said in (
        ("architecture", {"name": "vgg"}, "does not describe a network of this version"),
        ("architecture", {"name": "l2net", "width": "wide"}, "does not describe a network"),
        ("preprocessing", {}, "'normalisation' is missing"),
    ):
        identity.write_text(json.dumps({**content, key: value}))
        with pytest.raises(UserError, match=said):
            run(str(copy), "onnx", output, release)
    identity.unlink()
    with pytest.raises(UserError, match=r"does not say what it is \(assets.extra/descriptor.json"):
        run(str(copy), "onnx", output, release)
    with pytest.raises(UserError, match=r"holds no saved_model\.pb"):
        run(str(output / "none"), "onnx", output, release)


def test_names_that_do_not_fit_are_refused_before_the_work(tmp_path):
    for format, name, said in (
        ("onnx", "model.tflite", "does not end in .onnx"),
        ("tflite-int8", "model", "does not end in .tflite"),
        ("torch", "my-model.py", "cannot be imported by Python"),
        ("onnx", "absent/model.onnx", "expected a file name in a folder that is there"),
    ):
        with pytest.raises(UserError, match=said):
            export.check_output(format, str(tmp_path / name))
    assert tuple(export.SUFFIXES) == FORMATS


def test_patches_of_32_pixels_are_described_alike(model, patches, release, output):
    path, _ = run(model, "onnx", output, release)
    small = resize(patches, 32)
    there = saved_model.describe_patches(saved_model.load_model(model), small[:, None])[0]
    path, _ = run(model, "onnx", output, release, size=32)
    np.testing.assert_allclose(exported.read(path).run(small), there, atol=1e-4)
