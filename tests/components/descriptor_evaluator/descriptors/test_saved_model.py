"""Describing with SavedModels, ours and others'."""

import errno
import json

import numpy as np
import pytest
import tensorflow as tf

from components.descriptor_evaluator.descriptors import csv_tree, saved_model
from components.descriptor_evaluator.descriptors.describer import Describer
from components.descriptor_evaluator.scoring.evaluate import evaluate_release
from tests.support.releases import COUNTS, make_release, patches_of
from trainer.core.errors import UserError


class Rows(tf.Module):
    """Describes a patch by the means of its rows."""

    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.uint8, "patches")])
    def serve(self, patches):
        rows = tf.reduce_mean(tf.cast(patches, tf.float32), axis=2)
        return {"descriptors": self.weight * rows}

    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.float32, "patches")])
    def of_floats(self, patches):
        return {"descriptors": tf.reduce_mean(patches, axis=2)}

    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.uint8, "images")])
    def of_images(self, images):
        return {"descriptors": tf.reduce_mean(tf.cast(images, tf.float32), axis=2)}


def save(path, signature="serving_default", method="serve", identity=None):
    module = Rows()
    tf.saved_model.save(module, str(path), signatures={signature: getattr(module, method)})
    if identity is not None:
        (path / "assets.extra").mkdir()
        (path / "assets.extra" / "descriptor.json").write_text(json.dumps(identity))
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    identity = {"descriptor_id": "rows", "sequences": {"train": ["v_far"]}, "scenes": {}}
    return save(tmp_path_factory.mktemp("model") / "rows", identity=identity)


def test_patches_come_out_variant_by_variant(model):
    patches = patches_of("v_one", 3)
    loaded = saved_model.load_model(model)
    expected = 2.0 * patches.mean(axis=3, dtype=np.float64).swapaxes(0, 1)
    for batch_size in (1024, 7):
        described = saved_model.describe_patches(loaded, patches, batch_size)
        assert described.shape == (16, 3, 65) and described.dtype == np.float32
        np.testing.assert_allclose(described, expected, rtol=1e-5)


def test_the_identity_is_read(model, tmp_path):
    assert saved_model.load_model(model).identity["descriptor_id"] == "rows"
    assert saved_model.load_model(save(tmp_path / "bare")).identity is None


@pytest.mark.parametrize(
    ("signature", "method", "message"),
    [
        ("other", "serve", "has the signatures other, expected serving_default from uint8 patches"),
        ("serving_default", "of_floats", r"other: serving_default maps float32 patches \(None, No"),
        ("serving_default", "of_images", r"other: serving_default maps uint8 images \(None, None"),
    ],
)
def test_other_signatures_are_refused(tmp_path, signature, method, message):
    with pytest.raises(UserError, match=message):
        saved_model.load_model(save(tmp_path / "other", signature, method))


@pytest.mark.parametrize(
    "file",
    ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"],
)
def test_truncated_models_are_refused(tmp_path, file):
    path = tmp_path / "cut"
    save(path)
    content = (path / file).read_bytes()
    (path / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"cut: cannot be loaded as a SavedModel"):
        saved_model.load_model(str(path))
    with pytest.raises(UserError, match=r"holds no saved_model\.pb"):
        saved_model.load_model(str(tmp_path))


class Sized(tf.Module):
    """Takes patches of one shape, and may fail or describe by nothing."""

    def __init__(self, shape, behaviour):
        super().__init__()

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8, "patches")])
        def serve(patches):
            described = tf.reduce_mean(tf.cast(patches, tf.float32), axis=2)
            if behaviour == "empty":
                described = described[:, :0]
            if behaviour == "only 32":
                described = tf.reshape(described, [-1, 32])
                with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(patches)[1], 32)]):
                    described = tf.identity(described)
            return {"descriptors": described}

        self.serve = serve


def save_sized(path, shape, behaviour=""):
    module = Sized(shape, behaviour)
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})
    return str(path)


@pytest.mark.parametrize("shape", [[None, 32, 32], [1, 65, 65], [None, 65, 64]])
def test_models_of_patches_of_another_size_are_refused(tmp_path, shape):
    with pytest.raises(UserError, match=r"maps uint8 patches .*expected uint8 patches \[N, 65, 65"):
        saved_model.load_model(save_sized(tmp_path / "m", shape))


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("only 32", r"m: cannot describe patches of 65x65 \(.+\)"),
        ("empty", r"m: gave an array of shape \(48, 0\) .*one row of numbers per patch"),
    ],
)
def test_what_cannot_be_described_is_refused_in_one_sentence(tmp_path, behaviour, message):
    model = saved_model.load_model(save_sized(tmp_path / "m", [None, None, None], behaviour))
    with pytest.raises(UserError, match=message):
        saved_model.describe_patches(model, patches_of("v_one", 3))


def test_a_model_of_our_size_alone_is_taken(tmp_path):
    model = saved_model.load_model(save_sized(tmp_path / "m", [None, 65, 65]))
    assert saved_model.describe_patches(model, patches_of("v_one", 3)).shape == (16, 3, 65)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        MemoryError(),
        tf.errors.ResourceExhaustedError(None, None, "out of memory"),
    ],
)
def test_a_failing_machine_is_no_damaged_model(model, monkeypatch, error):
    def load(path):
        raise error

    monkeypatch.setattr(tf.saved_model, "load", load)
    with pytest.raises(type(error)):
        saved_model.load_model(model)


@pytest.mark.parametrize(
    "identity",
    [{"sequences": []}, {"scenes": {"train": "v_a"}}, {"sequences": {"val": [1]}}],
)
def test_an_identity_of_another_shape_is_refused(tmp_path, identity):
    path = tmp_path / "descriptor.json"
    path.write_text(json.dumps(identity))
    with pytest.raises(UserError, match=r"descriptor\.json: `(sequences|scenes)` is .*expected an"):
        saved_model.read_identity_of_descriptors(str(tmp_path))


def test_a_release_becomes_the_benchmarks_tree(model, tmp_path):
    root = make_release(tmp_path / "release")
    done = saved_model.describe_release(model, root, str(tmp_path / "out"))
    assert done["sequences"] == 3 and done["patches"] == 16 * sum(COUNTS.values())
    tree = csv_tree.read_tree(str(tmp_path / "out"), COUNTS)
    loaded = saved_model.load_model(model)
    direct = saved_model.describe_patches(loaded, patches_of("v_three", COUNTS["v_three"]))
    np.testing.assert_array_equal(tree["v_three"], direct)
    identity = saved_model.read_identity_of_descriptors(str(tmp_path / "out"))
    assert identity["descriptor_id"] == "rows"
    describers = [
        Describer("stored", descriptors=str(tmp_path / "out")),
        Describer("model", model=model),
    ]
    stored, scored = evaluate_release(root, describers)
    for task in ("verification", "matching", "retrieval"):
        assert stored[task] == scored[task]


def test_a_failure_leaves_no_output(model, tmp_path):
    root = make_release(tmp_path / "release")
    strip = tmp_path / "release" / "v_three" / "t5.png"  # the last sequence
    strip.write_bytes(strip.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"t5\.png"):
        saved_model.describe_release(model, root, str(tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["release"]
    with pytest.raises(UserError, match="release: found a folder that is not empty"):
        saved_model.describe_release(model, root, root)


IDENTITY = {
    "sequences": {"train": ["v_wall", "i_leuven"], "val": ["v_bark"]},
    "scenes": {"train": ["wall"], "val": ["bark"]},
}


@pytest.mark.parametrize(
    ("names", "scenes"), [(["v_wall"], ["x"]), (["v_bark"], ["x"]), (["v_new"], ["wall"])]
)
def test_a_model_is_not_scored_on_what_it_was_trained_on(names, scenes):
    with pytest.raises(UserError, match="the model was trained on"):
        saved_model.refuse_if_trained_on(IDENTITY, names, scenes)
    saved_model.refuse_if_trained_on(IDENTITY, ["v_other"], ["other"])
    saved_model.refuse_if_trained_on(None, names, scenes)


def test_a_model_of_an_earlier_version_calls_scenes_sources(tmp_path):
    folder = tmp_path / "assets.extra"
    folder.mkdir()
    earlier = {"sequences": {}, "sources": IDENTITY["scenes"]}
    (folder / "descriptor.json").write_text(json.dumps(earlier))
    identity = saved_model.read_identity(str(tmp_path))
    with pytest.raises(UserError, match="the model was trained on wall"):
        saved_model.refuse_if_trained_on(identity, ["v_new"], ["wall"])


def test_evaluation_refuses_a_model_that_was_trained_on_the_test_scenes(tmp_path):
    root = make_release(tmp_path / "release")
    model = save(tmp_path / "model", identity={"sequences": {"train": ["i_two"]}, "scenes": {}})
    with pytest.raises(UserError, match="trained on i_two"):
        evaluate_release(root, [Describer("model", model=model)])
