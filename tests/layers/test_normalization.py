"""BatchNormalization."""

import numpy as np
import pytest

import lamina as lm
from lamina.layers import BatchNormalization

random = np.random.default_rng(0)


@pytest.mark.parametrize("axis", [-1, 1, 2, 3, -2])
def test_training_and_inference(axis):
    x = random.normal(2, 3, size=(6, 4, 5, 3)).astype("float32")
    layer = BatchNormalization(axis, momentum=0.9, epsilon=0.01, gamma_initializer=lm.initializers.Constant(2.0))
    others = tuple(i for i in range(4) if i != axis % 4)
    shape = [1] * 4
    shape[axis] = x.shape[axis]
    mean, variance = x.mean(others, dtype=float), x.var(others, dtype=float)
    y = layer(x, training=True)
    expected = 2 * (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + 0.01)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.1 * mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.numpy(), 0.9 + 0.1 * variance, rtol=1e-4)
    moving_mean = layer.moving_mean.numpy().reshape(shape)
    moving_variance = layer.moving_variance.numpy().reshape(shape)
    expected = 2 * (x - moving_mean) / np.sqrt(moving_variance + 0.01)
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-4, atol=1e-5)
    assert [v.name for v in layer.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [v.shape for v in layer.weights] == [(x.shape[axis],)] * 4


def test_a_frozen_layer_stays_in_inference():
    x = random.normal(2, 3, size=(6, 3)).astype("float32")
    layer = BatchNormalization()
    layer.trainable = False
    y = layer(x, training=True)
    np.testing.assert_allclose(y.numpy(), x / np.sqrt(1.001), rtol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), 0)


def test_without_scale_and_centre():
    layer = BatchNormalization(scale=False, center=False)
    x = random.normal(size=(6, 3)).astype("float32")
    y = layer(x, training=True).numpy()
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-6)
    assert [v.name for v in layer.weights] == ["moving_mean", "moving_variance"]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"momentum": 1.5}, ValueError, "momentum must be from 0 to 1, got 1.5"),
        ({"epsilon": 0}, ValueError, "epsilon must be positive, got 0"),
        ({"epsilon": -1}, ValueError, "epsilon must be positive, got -1"),
        ({"axis": 1.5}, TypeError, "axis must be an integer, got 1.5"),
        ({"axis": [1, 2]}, TypeError, r"axis must be an integer, got \[1, 2\]"),
    ],
)
def test_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        BatchNormalization(**arguments)


@pytest.mark.parametrize("axis", [0, 4, -4])
def test_refused_axes(axis):
    with pytest.raises(ValueError, match="is not one of x's"):
        BatchNormalization(axis)(np.ones((2, 3, 4, 5)))


def test_configuration_round_trip():
    config = BatchNormalization(1, 0.9, 1e-5, center=False, gamma_regularizer="l2").get_config()
    assert BatchNormalization.from_config(config).get_config() == config
