"""The network of a SavedModel as arrays."""

import json

import numpy as np
import pytest
import tensorflow as tf

from components.model_export import network, onnx_file
from components.model_export.graph import Graph
from tests.support.synthetic import point_patches
from trainer.core.config import ModelConfig, TrainerConfig
from trainer.data import image, manifest
from trainer.model import export, l2net
from trainer.model.names import IDENTITY_FILE


def save(path, config: ModelConfig, normalisation: image.Normalisation) -> str:
    """Saves a network whose batch norms have statistics worth folding."""
    built = l2net.build(config, seed=1)
    rng = np.random.default_rng(0)
    for variable in built.non_trainable_variables:
        values = rng.uniform(0.5, 2, variable.shape)
        variable.assign(values if "variance" in variable.name else values - 1)
    patches = point_patches("v_a", "a", 0, 32)
    inputs = image.normalise(tf.constant(patches), normalisation)
    reference = export.Reference(patches, built(inputs, training=False)[1].numpy())
    examples = manifest.Manifest(splits={"train": (), "val": (), "eval": ()})
    itself = export.describe_itself(built, TrainerConfig(model=config), normalisation, examples)
    export.save(built, normalisation, itself, str(path), reference)
    return str(path)


@pytest.mark.parametrize(
    ("kind", "ending", "normalise"),
    [("l2net", "batch_norm", "dataset"), ("strided", "l2", "patch"), ("l2net", "none", "patch")],
)
def test_every_network_is_read_as_it_is_served(kind, ending, normalise, tmp_path):
    config = ModelConfig(network=kind, width=0.1, dimension=64, final_normalisation=ending)
    how = image.Normalisation(kind=normalise, mean=100, deviation=40, floor=3)
    path = save(tmp_path / "model", config, how)
    patches = np.concatenate([point_patches("v_b", "b", 1), np.full((1, 65, 65), 9, np.uint8)])
    serve = tf.saved_model.load(path).signatures["serving_default"]
    expected = serve(patches=tf.constant(patches))["descriptors"].numpy()
    read = network.load(path)
    assert read.unit_length == (ending == "l2")
    assert read.dimension == 64
    described = Graph(read, 65).describe(patches)["descriptors"].numpy()
    np.testing.assert_allclose(described, expected, rtol=1e-4, atol=1e-5)
    by_opencv = onnx_file.with_opencv(onnx_file.build(read, 65))
    np.testing.assert_allclose(by_opencv(patches), expected, rtol=1e-4, atol=1e-5)


def test_a_model_of_an_earlier_version_names_its_network_once(tmp_path):
    config = ModelConfig(network="l2net", width=0.1, dimension=64)
    path = save(tmp_path / "model", config, image.Normalisation())
    file = tmp_path / "model" / IDENTITY_FILE
    identity = json.loads(file.read_text())
    del identity["architecture"]["network"]
    file.write_text(json.dumps(identity))
    assert len(network.load(path).convolutions) == len(l2net.CONVOLUTIONS["l2net"])
