"""ReLU, LeakyReLU, PReLU, ELU, Softmax. Values are checked beside Keras, and in tests/ops."""

import numpy as np
import pytest

from lamina import layers

X = np.random.default_rng(0).normal(0, 3, (2, 5, 4, 3)).astype("float32")

LAYERS = [
    layers.ReLU(),
    layers.ReLU(2.0, 0.1, 0.5),
    layers.LeakyReLU(),
    layers.PReLU("ones", "l2", None, [1, 2]),
    layers.PReLU(),
    layers.ELU(0.5),
    layers.Softmax(),
    layers.Softmax([1, 2]),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_shapes_and_configuration(layer):
    y = layer(X)
    assert y.shape == X.shape
    assert layer.compute_output_shape((None, 5, 4, 3)) == (None, 5, 4, 3)
    assert layer.flops((None, 5, 4, 3)) == 60
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    np.testing.assert_array_equal(again(X).numpy(), y.numpy())


def test_values():
    np.testing.assert_allclose(layers.LeakyReLU()(X).numpy(), np.where(X > 0, X, 0.3 * X), rtol=1e-6)
    layer = layers.PReLU(0.25, shared_axes=1)
    np.testing.assert_allclose(layer(X).numpy(), np.where(X > 0, X, 0.25 * X), rtol=1e-6)
    assert layer.alpha.shape == (1, 4, 3)
    layer(X).sum().backward()
    expected = np.minimum(X, 0).sum((0, 1))[None]
    np.testing.assert_allclose(layer.alpha.grad.numpy(), expected, rtol=1e-4)


def test_softmax_over_several_axes():
    y = layers.Softmax((1, -1))(X).numpy()
    e = np.exp(X - X.max((1, 3), keepdims=True))
    np.testing.assert_allclose(y, e / e.sum((1, 3), keepdims=True), rtol=1e-5)


def test_mask():
    mask = np.random.default_rng(1).random((2, 5, 4, 3)) > 0.3
    mask[0, 0, 0] = False
    for kind in (mask, mask.astype("float32")):
        y = layers.Softmax()(X, mask=kind).numpy()
        assert not y[~mask].any()
        np.testing.assert_allclose(y.sum(-1), mask.any(-1), rtol=1e-5)
    y = layers.Softmax(1)(X, mask=mask[:1, :, :1, :1]).numpy()
    assert not y[:, ~mask[0, :, 0, 0]].any()
    for shape in [(2, 5, 4, 2), (1, 2, 5, 4, 3)]:
        with pytest.raises(ValueError, match=r"mask must have the shape of x, \(2, 5, 4, 3\), got"):
            layers.Softmax()(X, mask=np.ones(shape))


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("ReLU", {"max_value": -1}, ValueError, "max_value must be finite and at least 0, got -1"),
        ("ReLU", {"negative_slope": -1}, ValueError, "negative_slope must be"),
        ("ReLU", {"negative_slope": None}, TypeError, "negative_slope must be a number, got None"),
        ("ReLU", {"threshold": -1}, ValueError, "threshold must be"),
        ("LeakyReLU", {"negative_slope": -1}, ValueError, "negative_slope must be"),
        ("ELU", {"alpha": np.nan}, ValueError, "alpha must be finite"),
        ("PReLU", {"shared_axes": [0]}, ValueError, "shared_axes must be axes from 1 on"),
        ("Softmax", {"axis": 1.5}, TypeError, "axis must be an integer"),
        ("Softmax", {"axis": []}, TypeError, "axis must be an integer"),
    ],
)
def test_bad_arguments(name, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(layers, name)(**arguments)


def test_bad_shapes():
    with pytest.raises(ValueError, match=r"shared_axes .* are out of range"):
        layers.PReLU(shared_axes=[4])(X)
    with pytest.raises(ValueError, match="axes of unknown size must be in shared_axes"):
        layers.PReLU(shared_axes=[1]).build((None, None, None, 3))
    with pytest.raises(ValueError, match="axis 4 is out of range"):
        layers.Softmax(4)(X)
    with pytest.raises(ValueError, match="out of range"):
        layers.Softmax([1, 4])(X)


def test_prelu_holds_alpha_to_its_constraint():
    layer = layers.PReLU(alpha_initializer="ones", alpha_constraint="non_neg")
    layer(np.ones((1, 2)))
    assert layer.alpha.constraint is not None
    assert type(layer).from_config(layer.get_config()).alpha_constraint is not None
