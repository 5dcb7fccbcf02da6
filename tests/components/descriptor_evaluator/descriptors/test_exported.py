"""Exported files that cannot be used are refused in a sentence."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from components.descriptor_evaluator.descriptors import exported, saved_model
from trainer.core.errors import UserError


def onnx_file(path, given="patches", gives="descriptors", kind=TensorProto.UINT8, shape=None):
    """Writes a model that gives the first row of every patch."""
    nodes = [
        helper.make_node("Cast", [given], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["cast"], [gives], axes=[1], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "rows",
        [helper.make_tensor_value_info(given, kind, shape or ["N", 8, 8])],
        [helper.make_tensor_value_info(gives, TensorProto.FLOAT, ["N", 8])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)])
    model.ir_version = 7
    onnx.save(model, str(path))
    return str(path)


def test_a_model_without_identity_describes_and_says_nothing(tmp_path):
    path = onnx_file(tmp_path / "m.onnx")
    model = saved_model.load_model(path)
    assert model.identity is None
    patches = np.full((3, 2, 16, 16), 7, np.uint8)  # resized to 8
    described = saved_model.describe_patches(model, patches)
    assert described.shape == (2, 3, 8)
    assert (described == 7).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"given": "images"}, "maps images to descriptors, expected uint8 patches"),
        ({"gives": "features"}, "maps patches to features"),
        ({"kind": TensorProto.FLOAT}, "expected uint8 patches"),
        ({"shape": ["N", 8, 9]}, "expected square patches"),
        ({"shape": ["N", "h", "h"]}, "expected square patches"),
    ],
)
def test_a_model_of_something_else_is_refused(tmp_path, change, said):
    with pytest.raises(UserError, match=said):
        saved_model.load_model(onnx_file(tmp_path / "m.onnx", **change))


@pytest.mark.parametrize("name", ["m.onnx", "m.tflite"])
def test_a_file_that_is_none_is_refused(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(UserError, match=f"{name}: is no file, expected a model"):
        saved_model.check_folder(str(path))
    for content in (b"", b"neither", bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"{name}: cannot be loaded as a {path.suffix[1:]}"):
            saved_model.load_model(str(path))


def test_an_identity_that_is_not_json_is_refused(tmp_path):
    path = onnx_file(tmp_path / "m.onnx")
    model = onnx.load(path)
    helper.set_model_props(model, {"descriptor": "{"})
    onnx.save(model, path)
    with pytest.raises(UserError, match=r"m\.onnx: is not JSON"):
        saved_model.load_model(path)


def test_names_tell_files_from_folders():
    assert exported.is_exported("a/M.ONNX") and exported.is_exported("gs://b/m.tflite")
    assert not exported.is_exported("a/m.onnx/1") and not exported.is_exported("onnx")
