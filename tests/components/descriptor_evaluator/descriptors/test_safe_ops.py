"""Which operations of a SavedModel are let through."""

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from components.descriptor_evaluator.descriptors import safe_ops
from trainer.core.errors import UserError

_PATCHES = tf.TensorSpec([None, 65, 65], tf.uint8, "patches")


def _save(folder, body):
    class Model(tf.Module):
        def __init__(self):
            super().__init__()
            self.weight = tf.Variable(2.0)

        @tf.function(input_signature=[_PATCHES])
        def serve(self, patches):
            return {"descriptors": self.weight * body(tf.cast(patches, tf.float32))}

    module = Model()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    return str(folder)


def _write_file(x):
    tf.io.write_file("/nowhere/x", "x")
    return x


def _write_in_a_branch(x):
    return tf.cond(tf.size(x) > 7, lambda: _write_file(x), lambda: x)


def _save_variables(x):
    tf.raw_ops.SaveV2(prefix="/nowhere/x", tensor_names=["x"], shape_and_slices=[""], tensors=[x])
    return x


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (_write_file, "WriteFile"),
        (_write_in_a_branch, "WriteFile"),
        (_save_variables, "SaveV2"),
        (lambda x: x + tf.cast(tf.strings.length(tf.io.read_file("/etc/passwd")), x.dtype), "Read"),
        (lambda x: tf.py_function(lambda y: y, [x], tf.float32), "EagerPyFunc"),
        (lambda x: tf.numpy_function(lambda y: y, [x], tf.float32), "PyFunc"),
    ],
)
def test_what_could_do_more_than_compute_is_refused_by_name(tmp_path, body, name):
    with pytest.raises(UserError, match=f"holds the operations {name}.*--trust-model"):
        safe_ops.check(_save(tmp_path, body))


def test_a_model_that_computes_passes_although_its_saver_writes_files(tmp_path):
    safe_ops.check(_save(tmp_path, lambda x: tf.nn.relu(tf.reduce_mean(x, axis=2))))


def _graph(tmp_path):
    model = saved_model_pb2.SavedModel()
    path = _save(tmp_path, lambda x: tf.reduce_mean(x, axis=2))
    with open(f"{path}/saved_model.pb", "rb") as file:
        model.ParseFromString(file.read())
    assert safe_ops.unknown_operations(model) == []
    return model


def test_a_saver_that_would_be_run_is_looked_into(tmp_path):
    model = _graph(tmp_path)
    model.meta_graphs[0].ClearField("object_graph_def")  # a model of TensorFlow 1, to the loader
    assert "SaveV2" in safe_ops.unknown_operations(model)


def test_a_served_function_that_is_called_the_saver_is_looked_into(tmp_path):
    model = _graph(tmp_path)
    (graph,) = model.meta_graphs
    by_name = {function.signature.name: function for function in graph.graph_def.library.function}
    served = next(name for name in by_name if "serve" in name and "wrapper" not in name)
    by_name[served].node_def.add(name="evil", op="WriteFile")
    for node in graph.graph_def.node:
        if node.name == graph.saver_def.restore_op_name:
            node.attr["f"].func.name = served
    assert "WriteFile" in safe_ops.unknown_operations(model)
