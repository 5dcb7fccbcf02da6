"""What TensorBoard's projector finds."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.plugins.projector import projector_plugin
from werkzeug.test import Client

from tests.support.synthetic import packed
from trainer.core.config import ValidationConfig
from trainer.reporting import projector
from trainer.reporting.pictures import sprite_sheet
from trainer.reporting.validation import ValidationSet


@pytest.fixture
def validation() -> ValidationSet:
    return ValidationSet.of(packed([3, 2], [0, 1]), ValidationConfig())


class _Site:
    """TensorBoard's projector, asked as the browser asks it."""

    def __init__(self, folder):
        provider = SimpleNamespace(list_runs=lambda *_, **__: [SimpleNamespace(run_name=".")])
        context = SimpleNamespace(data_provider=provider, logdir=str(folder))
        self._routes = projector_plugin.ProjectorPlugin(context).get_plugin_apps()

    def get(self, route: str, **query: str) -> bytes:
        response = Client(self._routes[route]).get("/", query_string=query)
        assert response.status_code == 200, response.data
        return response.data


def test_the_reference_and_a_target_of_every_noise_are_shown(validation):
    sample = projector.Sample.of(validation)
    first = [("u_0", 0, variant) for variant in ("ref", "e1", "h1", "t1")]
    assert sample.labels[:5] == (*first, ("u_0", 1, "ref"))
    assert sample.labels[-1] == ("u_1", 1, "t1")
    assert sample.rows.tolist() == [p * 16 + v for p in range(5) for v in (0, 1, 6, 11)]
    flat = np.concatenate([part.reshape(-1, 32, 32) for part in validation.patches])
    np.testing.assert_array_equal(sample.patches, flat[sample.rows])


def test_no_more_patches_are_shown_than_a_browser_moves():
    config = ValidationConfig(points_per_sequence=400, max_points=2000)
    many = ValidationSet.of(packed([400, 400, 400], [0, 1, 2]), config)
    labels = projector.Sample.of(many).labels
    assert len(labels) == 3 * 85 * 4
    assert {index for name, index, _ in labels if name == "u_1"} >= {0, 399}
    few_each = ValidationSet.of(
        packed([2] * 300, list(range(300))), ValidationConfig(max_points=4000)
    )
    assert len(projector.Sample.of(few_each).labels) == 1024


def test_tensorboard_finds_descriptors_labels_and_sprites(validation, tmp_path):
    sample = projector.Sample.of(validation)
    descriptors = np.random.default_rng(0).normal(size=(80, 6)).astype(np.float32)
    projector.write_sample(sample, str(tmp_path))
    projector.write_descriptors(sample, descriptors, str(tmp_path))
    site = _Site(tmp_path)
    assert json.loads(site.get("/runs")) == ["."]
    (embedding,) = json.loads(site.get("/info", run="."))["embeddings"]
    assert embedding["tensorShape"] == [20, 6]
    assert embedding["sprite"]["singleImageDim"] == [32, 32]
    asked = {"run": ".", "name": embedding["tensorName"]}
    shown = np.frombuffer(site.get("/tensor", **asked), np.float32).reshape(20, 6)
    np.testing.assert_allclose(shown, descriptors[sample.rows], rtol=1e-4)
    lines = site.get("/metadata", **asked).decode().splitlines()
    assert lines[:3] == ["sequence\tindex\tvariant", "u_0\t0\tref", "u_0\t0\te1"]
    assert len(lines) == 21
    sprites = tf.io.decode_png(site.get("/sprite_image", **asked))[..., 0].numpy()
    np.testing.assert_array_equal(sprites, sprite_sheet(sample.patches))


def test_without_descriptors_the_projector_is_not_offered(validation, tmp_path):
    projector.write_sample(projector.Sample.of(validation), str(tmp_path))
    assert json.loads(_Site(tmp_path).get("/runs")) == []


def test_later_descriptors_take_the_place_of_earlier_ones(validation, tmp_path):
    sample = projector.Sample.of(validation)
    projector.write_sample(sample, str(tmp_path))
    for value in (1, 2):
        projector.write_descriptors(sample, np.full((80, 3), value, np.float32), str(tmp_path))
    shown = np.loadtxt(tmp_path / "projector" / "descriptors.tsv")
    assert shown.shape == (20, 3)
    assert (shown == 2).all()
