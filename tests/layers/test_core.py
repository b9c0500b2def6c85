"""Input, Dense, Activation, Flatten, Reshape, Dropout."""

import numpy as np
import pytest

import lamina as lm
from lamina.layers import Activation, Dense, Dropout, Flatten, InputLayer, Reshape

random = np.random.default_rng(0)
x = random.normal(size=(5, 4)).astype("float32")


def activation_reference(name, z):
    return {
        "linear": lambda: z,
        "relu": lambda: np.maximum(z, 0),
        "sigmoid": lambda: 1 / (1 + np.exp(-z)),
        "tanh": lambda: np.tanh(z),
        "softmax": lambda: np.exp(z) / np.exp(z).sum(-1, keepdims=True),
        "binary_step": lambda: (z >= 0).astype(z.dtype),
    }[name]()


@pytest.mark.parametrize("activation", ["linear", "relu", "sigmoid", "tanh", "softmax", "binary_step"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_dense(activation, use_bias):
    layer = Dense(3, activation, use_bias, bias_initializer="ones")
    y = layer(x)
    z = x.astype(float) @ layer.kernel.numpy() + use_bias
    np.testing.assert_allclose(y.numpy(), activation_reference(activation, z), rtol=1e-5, atol=1e-6)
    assert len(layer.weights) == 1 + use_bias
    assert layer.compute_output_shape((None, 4)) == (None, 3)


def test_dense_works_on_the_last_axis():
    cube = random.normal(size=(2, 3, 5, 4)).astype("float32")
    layer = Dense(7)
    y = layer(cube)
    assert y.shape == (2, 3, 5, 7)
    np.testing.assert_allclose(y.numpy(), cube @ layer.kernel.numpy(), rtol=1e-5, atol=1e-5)
    assert layer.compute_output_shape((None, 3, 5, 4)) == (None, 3, 5, 7)
    assert layer.flops((None, 3, 5, 4)) == 15 * 7 * 9


def test_dense_takes_a_function_or_a_layer_as_activation():
    for activation in (lambda t: lm.ops.relu(t), Activation("relu")):
        layer = Dense(3, activation)
        np.testing.assert_allclose(layer(x).numpy(), np.maximum(x @ layer.kernel.numpy(), 0), rtol=1e-5, atol=1e-6)
    assert Dense(3, lm.ops.relu).get_config()["activation"] == "relu"
    with pytest.raises(ValueError, match="cannot be saved"):
        Dense(3, lambda t: t).get_config()


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"units": 0}, ValueError, "units must be a positive integer, got 0"),
        ({"units": -1}, ValueError, "units must be a positive integer, got -1"),
        ({"units": 2.5}, TypeError, "units must be a positive integer, got 2.5"),
        ({"units": True}, TypeError, "units must be a positive integer, got True"),
        ({"units": 2, "activation": "rulu"}, ValueError, "activation must be a function or one of .*, got 'rulu'"),
        ({"units": 2, "kernel_initializer": "glorot"}, ValueError, "initializers: .*'glorot'"),
        ({"units": 2, "kernel_regularizer": "l3"}, ValueError, "regularizers: .*'l3'"),
        ({"units": 2, "unit": 3}, TypeError, "Dense: unknown arguments unit: it takes units,"),
    ],
)
def test_dense_refuses(arguments, error, text):
    with pytest.raises(error, match=text):
        Dense(**arguments)


def test_dense_refuses_inputs():
    with pytest.raises(ValueError, match=r"x must have shape \(N, ..., inputs\)"):
        Dense(2)(np.ones(3))
    layer = Dense(2)
    layer(x)
    with pytest.raises(ValueError, match="dense: x"):
        layer(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"x must have 4 entries along its last axis, got shape \(None, 3\)"):
        layer(lm.Input((3,)))


@pytest.mark.parametrize(
    "layer",
    [
        Dense(3, "tanh", kernel_initializer="he_normal", kernel_regularizer="l1"),
        Dense(3, Activation("relu")),
        Activation("softmax"),
        Flatten(),
        Reshape((2, -1)),
        Dropout(0.25, noise_shape=(None, 1), seed=3),
        InputLayer((3, 4), batch_size=2),
        Dense(2, input_shape=(4,), name="first", dtype="float64", trainable=False),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_configuration_round_trip(layer):
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    assert again.name == layer.name


def test_input():
    layer = InputLayer((4,))
    assert isinstance(layer, InputLayer)
    np.testing.assert_array_equal(layer(x).numpy(), x)
    with pytest.raises(ValueError, match=r"x must have shape \(None, 4\), got \(5, 3\)"):
        layer(x[:, :3])


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5), (0, 3, 4)])
def test_flatten(shape):
    data = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    expected = data.reshape(shape[0], int(np.prod(shape[1:])))
    np.testing.assert_array_equal(Flatten()(data).numpy(), expected)
    assert Flatten().compute_output_shape((None, *shape[1:])) == (None, expected.shape[1])


def test_flatten_of_single_numbers():
    assert Flatten()(np.ones(3)).shape == (3, 1)
    assert Flatten().compute_output_shape((None, None, 3)) == (None, None)


def test_reshape():
    data = np.arange(24, dtype="float32").reshape(2, 12)
    np.testing.assert_array_equal(Reshape((3, 4))(data).numpy(), data.reshape(2, 3, 4))
    np.testing.assert_array_equal(Reshape((-1, 2))(data).numpy(), data.reshape(2, 6, 2))
    assert Reshape((-1, 2))(data[:0]).shape == (0, 6, 2)
    assert Reshape((-1, 2)).compute_output_shape((None, 12)) == (None, 6, 2)
    with pytest.raises(ValueError, match="cannot reshape"):
        Reshape((5, 2))(data)
    with pytest.raises(ValueError, match="cannot reshape"):
        Reshape((5, -1))(data)
    with pytest.raises(ValueError, match="target_shape"):
        Reshape((-1, -1))
    with pytest.raises(ValueError, match="target_shape"):
        Reshape((0,))
    with pytest.raises(TypeError, match=r"target_shape must hold integers, got \(2.7, 2\)"):
        Reshape((2.7, 2))
    assert Reshape(12)(data.reshape(2, 3, 4)).shape == (2, 12)


def test_dropout_in_training_only():
    ones = np.ones((200, 100), "float32")
    layer = Dropout(0.25)
    np.testing.assert_array_equal(layer(ones).numpy(), ones)
    y = layer(ones, training=True).numpy()
    assert abs((y == 0).mean() - 0.25) < 0.02
    np.testing.assert_allclose(y[y > 0], 1 / 0.75, rtol=1e-4)
    assert not np.array_equal(y, layer(ones, training=True).numpy())
    np.testing.assert_array_equal(Dropout(0)(ones, training=True).numpy(), ones)
    assert not Dropout(1)(ones, training=True).numpy().any()


def test_dropout_goes_by_its_seed():
    ones = np.ones((20, 10), "float32")
    lm.set_seed(5)
    first = Dropout(0.5)(ones, training=True).numpy()
    own = Dropout(0.5, seed=1)(ones, training=True).numpy()
    lm.set_seed(5)
    np.testing.assert_array_equal(Dropout(0.5)(ones, training=True).numpy(), first)
    lm.set_seed(6)
    assert not np.array_equal(Dropout(0.5)(ones, training=True).numpy(), first)
    np.testing.assert_array_equal(Dropout(0.5, seed=1)(ones, training=True).numpy(), own)


def test_dropout_with_a_noise_shape():
    y = Dropout(0.5, noise_shape=(None, 1))(np.ones((50, 8), "float32"), training=True).numpy()
    assert (y == y[:, :1]).all()
    assert 0 < (y[:, 0] == 0).sum() < 50


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"rate": -0.1}, ValueError, "rate must be from 0 to 1, got -0.1"),
        ({"rate": 1.1}, ValueError, "rate must be from 0 to 1, got 1.1"),
        ({"rate": float("nan")}, ValueError, "rate must be from 0 to 1, got nan"),
        ({"rate": True}, TypeError, "rate must be a number from 0 to 1, got True"),
        ({"rate": "0.5"}, TypeError, "rate must be a number from 0 to 1, got '0.5'"),
        ({"rate": 0.5, "seed": 1.5}, TypeError, "seed must be an integer or None, got 1.5"),
    ],
)
def test_dropout_refuses(arguments, error, text):
    with pytest.raises(error, match=text):
        Dropout(**arguments)


@pytest.mark.parametrize("noise_shape", [(1, 2, 3), (3, 1), (None,)])
def test_dropout_refuses_noise_shapes_that_do_not_fit(noise_shape):
    with pytest.raises(
        ValueError, match=r"noise_shape must have 1, None or the size of x for each axis of \(2, 2\), got"
    ):
        Dropout(0.5, noise_shape)(np.ones((2, 2)), training=True)
