"""From serialized records to patches."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.synthetic import Transform, point_patches
from trainer.core.errors import UserError
from trainer.data import image, records, resizing


def _records(count: int) -> list[bytes]:
    sequences = [
        records.PointPatches("v_b", "b", "v", index, point_patches("v_b", "b", index))
        for index in range(count)
    ]
    return [records.encode(sequence) for sequence in sequences]


@pytest.fixture(params=["transform_fn", "transform_signature"])
def graph(request, tmp_path) -> str:
    """Graphs that invert the grey levels, saved as Transform saves in TF2 and TF1 mode."""
    module = Transform(inverted=True)
    folder = str(tmp_path / "graph" / "transform_fn")
    if request.param == "transform_fn":
        tf.saved_model.save(module, folder)
    else:
        plain = tf.Module()
        inputs = {
            name: tf.TensorSpec([None, *spec.shape], spec.dtype, name)
            for name, spec in records.feature_spec().items()
        }
        call = tf.function(lambda **features: module.transform_fn(features))
        concrete = call.get_concrete_function(**inputs)
        tf.saved_model.save(plain, folder, signatures={"transform_signature": concrete})
    return str(tmp_path / "graph")


def test_patches_are_resized_by_area_and_rounded():
    resized = resizing.resizer(None)(_records(3))
    assert resized.dtype == np.uint8
    expected = [image.resize_area(tf.constant(point_patches("v_b", "b", n))) for n in range(3)]
    np.testing.assert_array_equal(resized, np.stack(expected))


def test_patches_go_through_the_transform_graph(graph):
    resized = resizing.resizer(graph)(_records(2))
    np.testing.assert_array_equal(resized, 255 - resizing.resizer(None)(_records(2)))


def test_what_is_no_transform_graph_is_refused(tmp_path):
    with pytest.raises(UserError, match="transform_fn: no Transform graph can be loaded"):
        resizing.resizer(str(tmp_path))
    tf.saved_model.save(tf.Module(), resizing.graph_folder(str(tmp_path)))
    with pytest.raises(UserError, match="not the graph of a Transform"):
        resizing.resizer(str(tmp_path))


def test_the_record_that_cannot_be_resized_is_named_by_its_number_in_the_shard():
    batch = [*_records(2), b"no example"]
    with pytest.raises(UserError, match="shard: record 66 cannot be read"):
        resizing.resized(resizing.resizer(None), batch, "shard", first=64)


def test_bytes_of_another_number_of_patches_are_refused():
    short = tf.constant([bytes(15 * 65 * 65)] * 16)
    with pytest.raises(tf.errors.InvalidArgumentError):
        resizing.patches_from_bytes(short)
