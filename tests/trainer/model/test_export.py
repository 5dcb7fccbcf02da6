"""The SavedModel and what it says about itself."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests.support.synthetic import point_patches
from trainer.core.config import ModelConfig, TrainerConfig
from trainer.core.errors import UserError
from trainer.data import image, manifest, records
from trainer.model import byte_codes, card, export, l2net
from trainer.model.names import CARD_FILE, IDENTITY_FILE

_CONFIG = TrainerConfig(model=ModelConfig(width=0.1, dimension=64))
_ENTRY = manifest.SequenceEntry(
    name="i_a", scene="a", kind="i", count=2, shards=("x",), checksum="c"
)
_EXAMPLES = manifest.Manifest(
    splits={"train": (_ENTRY,), "val": (), "eval": (_ENTRY.model_copy(update={"name": "i_z"}),)},
    settings={"seed": 3},
)
_PER_PATCH = image.Normalisation(kind="patch")
_ENDINGS = ("none", "l2", "batch_norm", "batch_norm_l2")


def _network(ending: str = "batch_norm_l2", seed: int = 1):
    """A network whose batch norms have statistics worth folding."""
    config = _CONFIG.model.model_copy(update={"final_normalisation": ending})
    network = l2net.build(config, seed)
    rng = np.random.default_rng(0)
    for variable in network.non_trainable_variables:
        values = rng.uniform(0.5, 2, variable.shape)
        variable.assign(values if "variance" in variable.name else values - 1)
    return network


def _save(path, network=None, normalisation=_PER_PATCH, reference=None):
    network = network or _network()
    identity = export.describe_itself(network, _CONFIG, normalisation, _EXAMPLES)
    if reference is None:
        small = _patches(32)
        reference = export.Reference(small, _direct(network, small, normalisation))
    export.save(network, normalisation, identity, str(path), reference)
    return str(path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> str:
    return _save(tmp_path_factory.mktemp("export") / "model")


def _patches(size: int = 65) -> np.ndarray:
    return point_patches("v_a", "a", 0, size)


def _direct(network, patches: np.ndarray, normalisation=_PER_PATCH) -> np.ndarray:
    """Descriptors by the way of training: resize as Transform does, then the Keras model."""
    packed = tf.cast(image.resize_area(tf.constant(patches)), tf.uint8)
    return network(image.normalise(packed, normalisation), training=False)[1].numpy()


@pytest.mark.parametrize("ending", _ENDINGS)
def test_served_descriptors_are_those_of_training(tmp_path, ending):
    network = _network(ending)
    loaded = tf.saved_model.load(_save(tmp_path / "model", network))
    served = loaded.signatures["serving_default"](patches=tf.constant(_patches()))["descriptors"]
    expected = _direct(network, _patches())
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(served, expected, atol=1e-5 * scale)


def test_another_activation_is_exported_as_it_was_trained(tmp_path, monkeypatch):
    class Tanh(tf_keras.layers.Layer):
        def call(self, values):
            return tf.tanh(values)

    with monkeypatch.context() as patched:
        patched.setattr(tf_keras.layers, "ReLU", Tanh)
        network = _network()
    loaded = tf.saved_model.load(_save(tmp_path / "model", network))
    served = loaded.signatures["serving_default"](patches=tf.constant(_patches()))["descriptors"]
    np.testing.assert_allclose(served, _direct(network, _patches()), atol=1e-5)
    assert np.abs(served - _direct(_network(), _patches())).max() > 0.1


@pytest.mark.parametrize("settings", [{"bfloat16": True}, {"synchronized": True}])
def test_it_serves_in_float32_however_it_was_trained(tmp_path, settings):
    exact = _network()
    network = l2net.build(_CONFIG.model.model_copy(update={"dropout": 0.2}), 1, **settings)
    network.set_weights(exact.get_weights())
    small = _patches(32)
    reference = export.Reference(small, _direct(network, small), rounded=True)
    loaded = tf.saved_model.load(_save(tmp_path / "model", network, reference=reference))
    served = loaded.signatures["serving_default"](patches=tf.constant(_patches()))["descriptors"]
    np.testing.assert_allclose(served, _direct(exact, _patches()), atol=1e-5)


@pytest.mark.parametrize(
    ("rounded", "factor"), [(False, 1.002), (True, 1.2), (False, -1), (False, np.nan)]
)
def test_an_export_that_differs_from_the_trained_network_fails(
    tmp_path, monkeypatch, rounded, factor
):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").write_text("")
    network, copy = _network(), export._in_float32

    def wrong(trained):
        served = copy(trained)
        embedding, descriptors = served.outputs
        return tf_keras.Model(served.inputs, (embedding, factor * descriptors))

    monkeypatch.setattr(export, "_in_float32", wrong)
    small = _patches(32)
    reference = export.Reference(small, _direct(network, small), rounded)
    with pytest.raises(UserError, match="not exported, as the SavedModel describes 16 patches"):
        _save(path, network, reference=reference)
    assert [entry.name for entry in path.iterdir()] == ["old"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_dataset_normalisation_is_served(tmp_path):
    normalisation = image.Normalisation(kind="dataset", mean=110.0, deviation=40.0)
    network = _network()
    loaded = tf.saved_model.load(_save(tmp_path / "model", network, normalisation))
    served = loaded.signatures["serving_default"](patches=tf.constant(_patches()))["descriptors"]
    np.testing.assert_allclose(served, _direct(network, _patches(), normalisation), atol=1e-5)


def test_signatures_are_the_agreed_ones(saved):
    signatures = tf.saved_model.load(saved).signatures
    assert set(signatures) == {"serving_default", "serialized_records", "uint8_descriptors"}
    serving = signatures["serving_default"]
    (given,) = serving.structured_input_signature[1].values()
    assert (given.name, given.dtype, given.shape.as_list()) == ("patches", tf.uint8, [None] * 3)
    assert serving.structured_outputs["descriptors"].shape.as_list() == [None, 64]
    from_records = signatures["serialized_records"]
    (given,) = from_records.structured_input_signature[1].values()
    assert (given.name, given.dtype, given.shape.as_list()) == ("records", tf.string, [None])
    assert from_records.structured_outputs["descriptors"].shape.as_list() == [None, 16, 64]


def test_bytes_are_the_descriptors_to_half_a_step(saved):
    signatures = tf.saved_model.load(saved).signatures
    patches = tf.constant(_patches())
    codes = signatures["uint8_descriptors"](patches=patches)["descriptors"].numpy()
    described = signatures["serving_default"](patches=patches)["descriptors"].numpy()
    np.testing.assert_array_equal(codes, byte_codes.encode_array(described))
    told = export.read_identity(saved)["uint8"]
    reach = 127 * told["step"]
    decoded = (codes.astype(np.float32) - told["zero"]) * told["step"]
    np.testing.assert_allclose(
        decoded, described.clip(-reach, reach), rtol=0, atol=0.51 * told["step"]
    )


@pytest.mark.parametrize("ending", ["none", "batch_norm"])
def test_descriptors_of_any_length_are_not_served_as_bytes(tmp_path, ending):
    path = _save(tmp_path / "model", _network(ending))
    signatures = tf.saved_model.load(path).signatures
    assert set(signatures) == {"serving_default", "serialized_records"}


def test_patches_of_any_size_are_described(saved):
    serving = tf.saved_model.load(saved).signatures["serving_default"]
    for shape in ((3, 65, 65), (2, 32, 32), (1, 80, 50)):
        described = serving(patches=tf.zeros(shape, tf.uint8))["descriptors"]
        assert described.shape == (shape[0], 64)
    lengths = np.linalg.norm(serving(patches=tf.constant(_patches()))["descriptors"], axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)


def test_no_patch_at_all_gets_no_descriptor(saved):
    signatures = tf.saved_model.load(saved).signatures
    for shape in ((0, 65, 65), (0, 32, 32)):
        none = signatures["serving_default"](patches=tf.zeros(shape, tf.uint8))["descriptors"]
        assert none.shape == (0, 64)
    none = signatures["serialized_records"](records=tf.zeros([0], tf.string))["descriptors"]
    assert none.shape == (0, 16, 64)


def test_records_get_the_same_descriptors_as_their_patches(saved):
    signatures = tf.saved_model.load(saved).signatures
    sequences = [point_patches("v_a", "a", index) for index in range(2)]
    serialized = [
        records.encode(records.PointPatches("v_a", "a", "v", index, patches))
        for index, patches in enumerate(sequences)
    ]
    by_record = signatures["serialized_records"](records=tf.constant(serialized))["descriptors"]
    assert by_record.shape == (2, 16, 64)
    for index, patches in enumerate(sequences):
        by_patch = signatures["serving_default"](patches=tf.constant(patches))["descriptors"]
        np.testing.assert_allclose(by_record[index], by_patch, atol=1e-5)


@pytest.mark.slow
def test_a_clean_process_without_project_code_loads_it(saved, tmp_path):
    np.save(tmp_path / "patches.npy", _patches())
    code = (
        "import sys, numpy as np, tensorflow as tf\n"
        "loaded = tf.saved_model.load(sys.argv[1])\n"
        "patches = tf.constant(np.load('patches.npy'))\n"
        "found = loaded.signatures['serving_default'](patches=patches)['descriptors']\n"
        "assert not {'trainer', 'tf_keras'} & set(sys.modules)\n"
        "np.save('descriptors.npy', found)\n"
    )
    command = [sys.executable, "-I", "-c", code, saved]
    # TensorFlow Transform, if another test imported it, has switched Keras 2 on for children.
    clean = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    served = np.load(tmp_path / "descriptors.npy")
    np.testing.assert_allclose(served, _direct(_network(), _patches()), atol=1e-5)


def test_no_optimizer_travels_with_it(saved):
    names = [name for name, _ in tf.train.list_variables(saved + "/variables/variables")]
    weights = [name for name in names if name.startswith("network/")]
    assert len(weights) == 5 + 2 * 5
    assert {name.split("/")[0] for name in names} == {"network", "_CHECKPOINTABLE_OBJECT_GRAPH"}


def test_the_model_knows_what_it_is(saved):
    identity = export.read_identity(saved)
    assert identity is not None
    assert identity["dimension"] == 64
    assert identity["architecture"]["width"] == 0.1
    assert identity["preprocessing"]["normalisation"]["kind"] == "patch"
    assert identity["extraction"] == {"seed": 3}
    assert identity["patch"]["measurement_region"] == 5.0
    assert identity["matching"] == {"ratio": None, "max_distance": None}
    assert identity["licence"].startswith("Code: Apache-2.0.")
    assert identity["data_checksum"] == _EXAMPLES.checksum
    assert identity["sequences"] == {"train": ["i_a"], "val": []}
    assert identity["scenes"] == {"train": ["a"], "val": []}
    assert identity["versions"]["tensorflow"] == tf.__version__
    assert len(identity["descriptor_id"]) == 32


def test_a_card_for_people_lies_beside_it(saved):
    identity = export.read_identity(saved)
    assert (Path(saved) / CARD_FILE).read_text() == card.write(identity)


def test_the_descriptor_id_is_of_weights_and_preprocessing():
    def identify(network, normalisation=_PER_PATCH, examples=_EXAMPLES):
        return export.describe_itself(network, _CONFIG, normalisation, examples)["descriptor_id"]

    first = identify(_network())
    assert first == identify(_network(), examples=manifest.Manifest(splits={}))
    assert first != identify(_network(seed=2))
    assert first != identify(_network(), image.Normalisation(kind="patch", floor=2.0))


def test_a_model_without_identity_has_none(tmp_path):
    assert export.read_identity(str(tmp_path)) is None


def test_the_checksum_sees_every_byte_and_name_but_the_cards(saved, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(saved, copy)
    assert export.model_checksum(str(copy)) == export.model_checksum(saved + "/")
    (copy / CARD_FILE).write_text("with scores")  # is no part of what the model is
    assert export.model_checksum(f"{copy}/") == export.model_checksum(saved)
    identity = copy / "assets.extra" / "descriptor.json"
    identity.write_text(identity.read_text() + " ")
    changed = export.model_checksum(str(copy))
    identity.rename(identity.with_name("other.json"))
    renamed = export.model_checksum(str(copy))
    assert len({export.model_checksum(saved), changed, renamed}) == 3


def test_an_earlier_model_is_replaced_and_nothing_else_left(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").write_text("")
    _save(path)
    assert not (path / "old").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
    json.loads((path / "assets.extra" / "descriptor.json").read_text())


def test_a_warm_start_takes_over_weights_and_statistics(saved):
    network = l2net.build(_CONFIG.model, seed=9)
    export.load_weights(network, saved)
    np.testing.assert_allclose(
        _direct(network, _patches()), _direct(_network(), _patches()), atol=1e-6
    )


def test_a_warm_start_from_another_architecture_is_refused(saved, tmp_path):
    wider = l2net.build(ModelConfig(width=0.25, dimension=64), seed=1)
    with pytest.raises(UserError, match="warm start needs the same architecture"):
        export.load_weights(wider, saved)
    with pytest.raises(UserError, match="no variables"):
        export.load_weights(wider, str(tmp_path))
    other_ending = ModelConfig(width=0.1, dimension=64, final_normalisation="l2")
    with pytest.raises(UserError, match=r"final_norm_moving_mean is \[64\] there"):
        export.load_weights(l2net.build(other_ending, seed=1), saved)


def test_an_ending_that_shows_in_no_variable_is_refused_too(saved):
    without_l2 = ModelConfig(width=0.1, dimension=64, final_normalisation="batch_norm")
    with pytest.raises(UserError, match="final_normalisation is batch_norm_l2 there, and does not"):
        export.load_weights(l2net.build(without_l2, seed=1), saved)


def test_a_broken_identity_is_refused_by_name(tmp_path):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / IDENTITY_FILE).write_text("{")
    with pytest.raises(UserError, match=r"descriptor\.json: not the identity"):
        export.read_identity(str(tmp_path))


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/model: cannot be written"):
        _save(tmp_path / "file" / "model")


def test_the_same_network_has_the_same_bytes_whatever_was_traced_before(saved, tmp_path):
    for count in range(3):
        tf.function(lambda values, count=count: values + count)(tf.constant(1.0))
    again = _save(tmp_path / "model")
    assert export.model_checksum(again) == export.model_checksum(saved)
    other = _save(tmp_path / "other", _network(seed=2))
    assert export.model_checksum(other) != export.model_checksum(saved)


def test_the_fingerprint_is_that_of_what_was_written(saved):
    fingerprint = tf.saved_model.experimental.read_fingerprint(saved)
    assert fingerprint.saved_model_checksum and fingerprint.saved_object_graph_hash
