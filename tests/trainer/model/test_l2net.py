"""The network."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.core.config import ModelConfig
from trainer.model import l2net

_SMALL = ModelConfig(width=0.125, dimension=64)


def _outputs(config: ModelConfig, training: bool = False, **options):
    network = l2net.build(config, seed=1, **options)
    patches = np.random.default_rng(0).normal(size=(16, 32, 32, 1)).astype(np.float32)
    return [values.numpy() for values in network(tf.constant(patches), training=training)]


@pytest.mark.parametrize(("width", "parameters"), [(0.25, 0.28e6), (0.5, 0.60e6), (1.0, 1.34e6)])
def test_published_sizes(width, parameters):
    config = ModelConfig(network="l2net", width=width)
    kernels = l2net.build(config, 1).trainable_variables
    assert sum(int(np.prod(kernel.shape)) for kernel in kernels) == pytest.approx(
        parameters, rel=0.05
    )
    assert len(kernels) == 7  # only convolutions are trained
    assert all("kernel" in kernel.name for kernel in kernels)
    channels = [layer.filters(1.0) for layer in l2net.CONVOLUTIONS["l2net"]]
    assert channels == [32, 32, 64, 64, 128, 128]
    assert {layer.filters(0.001) for layer in l2net.CONVOLUTIONS["l2net"]} == {1}


def test_the_strided_network_halves_the_resolution_at_once_and_again_before_the_end():
    network = l2net.build(ModelConfig(), 1)
    shapes = [network.get_layer(f"conv{k}").output.shape[1:] for k in range(1, 6)]
    assert shapes == [(16, 16, 32), (16, 16, 32), (8, 8, 64), (8, 8, 64), (1, 1, 128)]
    assert network.get_layer("conv1").kernel.shape == (6, 6, 1, 32)


@pytest.mark.parametrize("dimension", [64, 128, 256])
def test_descriptors_have_the_dimension(dimension):
    config = _SMALL.model_copy(update={"dimension": dimension})
    assert [values.shape for values in _outputs(config)] == [(16, dimension)] * 2


@pytest.mark.parametrize("ending", ["l2", "batch_norm_l2"])
def test_normalised_descriptors_have_length_one(ending):
    _, descriptors = _outputs(_SMALL.model_copy(update={"final_normalisation": ending}))
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, rtol=1e-5)
    assert l2net.on_unit_sphere(ending)
    assert np.array_equal(l2net.l2_normalise(tf.zeros([2, 4])), np.zeros((2, 4)))


def test_without_normalisation_the_embedding_is_the_descriptor():
    embedding, descriptors = _outputs(_SMALL.model_copy(update={"final_normalisation": "none"}))
    np.testing.assert_array_equal(embedding, descriptors)
    assert not l2net.on_unit_sphere("none")


def test_the_final_batch_norm_pins_every_dimension():
    config = _SMALL.model_copy(update={"final_normalisation": "batch_norm"})
    embedding, descriptors = _outputs(config, training=True)
    np.testing.assert_allclose(descriptors.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(descriptors.std(0), 1, rtol=1e-3)
    assert not np.allclose(embedding, descriptors)


def test_the_seed_decides_the_weights():
    first, again = (l2net.build(_SMALL, 1).get_weights() for _ in range(2))
    other = l2net.build(_SMALL, 2).get_weights()
    assert all(np.array_equal(left, right) for left, right in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_bfloat16_ends_in_float32():
    embedding, descriptors = _outputs(_SMALL, bfloat16=True)
    exact = _outputs(_SMALL)[1]
    assert embedding.dtype == descriptors.dtype == np.float32
    assert 0 < np.abs(descriptors - exact).max() < 0.1


def test_dropout_depends_on_its_seed_alone_and_is_for_training():
    config = ModelConfig(width=0.1, dimension=64, dropout=0.5, final_normalisation="none")
    network = l2net.build(config, seed=1)
    inputs = tf.random.stateless_normal([8, 32, 32, 1], [1, 2])

    def embedded(seed: list[int] | None, training: bool = True) -> np.ndarray:
        l2net.seed_dropout(network, None if seed is None else tf.constant(seed))
        return network(inputs, training=training)[0].numpy()

    np.testing.assert_array_equal(embedded([3, 4]), embedded([3, 4]))
    assert not np.allclose(embedded([3, 4]), embedded([3, 5]))
    assert not np.allclose(embedded([3, 4]), embedded(None))
    np.testing.assert_array_equal(embedded([3, 4], training=False), embedded(None, training=False))


def test_dropout_drops_its_share_and_keeps_the_mean():
    layer = l2net.SeededDropout(0.25, dtype="float32")
    layer.seed = tf.constant([1, 2])
    kept = layer(tf.ones([100, 100]), training=True).numpy()
    assert set(np.unique(kept)) == {0.0, np.float32(1 / 0.75)}
    assert (kept == 0).mean() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("final", ["l2", "batch_norm_l2"])
def test_the_descriptors_before_l2_have_the_direction_of_those_after(final):
    network = l2net.build(_SMALL.model_copy(update={"final_normalisation": final}), seed=1)
    patches = tf.random.stateless_normal([6, 32, 32, 1], [1, 2])
    embedding, descriptors, before = l2net.with_lengths(network)(patches, training=True)
    np.testing.assert_allclose(l2net.l2_normalise(before), descriptors, atol=1e-6)
    same = np.allclose(before, embedding)
    assert same == (final == "l2")  # a batch norm lies in between


def test_the_last_convolution_is_a_convolution():
    layer = l2net.build(_SMALL, 1).get_layer("conv5")
    features = np.random.default_rng(0).normal(size=(16, 8, 8, 32)).astype(np.float32)
    expected = tf.nn.conv2d(features, layer.kernel, 1, "VALID")
    np.testing.assert_allclose(layer(features), expected, atol=1e-4)
