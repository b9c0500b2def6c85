"""Pooling layers: windows, global, adaptive, Lp, unpooling. Values are checked beside Keras, and in tests/ops."""

import numpy as np
import pytest

import lamina as lm
from lamina import layers

random = np.random.default_rng(0)
X = {n: random.normal(size=(*(2, 9, 8, 7)[: n + 1], 3)).astype("float32") for n in (1, 2, 3)}


def made():
    for n in (1, 2, 3):
        for name in (f"MaxPooling{n}D", f"AveragePooling{n}D", f"LpPooling{n}D"):
            layer = getattr(layers, name)
            yield n, layer()
            yield n, layer(pool_size=3, strides=2, padding="same")
            yield n, layer(pool_size=(3,) * n, strides=(1,) * n, padding=(1,) * n)
        for name in (f"GlobalMaxPooling{n}D", f"GlobalAveragePooling{n}D"):
            yield n, getattr(layers, name)()
            yield n, getattr(layers, name)(keepdims=True)
        for name in (f"AdaptiveMaxPooling{n}D", f"AdaptiveAveragePooling{n}D"):
            yield n, getattr(layers, name)(3)
            yield n, getattr(layers, name)((2,) * n)


MADE = list(made())


@pytest.mark.parametrize(("axes", "layer"), MADE, ids=[layer.name for _, layer in MADE])
def test_shapes_and_configuration(axes, layer):
    x = X[axes]
    y = layer(x)
    assert layer.compute_output_shape((None, *x.shape[1:])) == (None, *y.shape[1:])
    assert layer.flops((None, *x.shape[1:])) > 0
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    np.testing.assert_array_equal(again(x).numpy(), y.numpy())


@pytest.mark.parametrize(("axes", "layer"), MADE[::3], ids=[layer.name for _, layer in MADE[::3]])
def test_wrong_rank(axes, layer):
    with pytest.raises(ValueError, match=rf"{layer.name}: x must have shape \(N, .*C\), got \(None, 4\)"):
        type(layer).from_config(layer.get_config()).build((None, 4))


def test_unknown_sizes():
    assert layers.MaxPooling2D(3, 2, "same").compute_output_shape((None, None, 7, 4)) == (None, None, 4, 4)
    assert layers.GlobalMaxPooling2D().compute_output_shape((None, None, None, 4)) == (None, 4)
    assert layers.AdaptiveMaxPooling1D(3).compute_output_shape((None, None, 4)) == (None, 3, 4)


def test_short_names():
    for n in (1, 2, 3):
        for short, long in (("MaxPool", "MaxPooling"), ("AvgPool", "AveragePooling")):
            for prefix in ("", "Global"):
                assert getattr(layers, f"{prefix}{short}{n}D") is getattr(layers, f"{prefix}{long}{n}D")


def test_mask_of_global_average_pooling():
    x = X[1].copy()
    mask = np.ones((2, 9), bool)
    mask[0, 4:] = False
    x[0, 5] = np.nan
    y = layers.GlobalAveragePooling1D()(x, mask=mask).numpy()
    np.testing.assert_allclose(y, [x[0, :4].mean(0), x[1].mean(0)], rtol=1e-5)
    y = layers.GlobalAveragePooling1D(keepdims=True)(x, mask=np.zeros((2, 9)))
    assert y.shape == (2, 1, 3)
    assert not y.numpy().any()
    with pytest.raises(ValueError, match=r"mask must have shape \(2, 9\), got \(2, 8\)"):
        layers.GlobalAveragePooling1D()(x, mask=mask[:, :8])


def test_unpooling():
    x = np.abs(X[2])
    y, indices = lm.ops.max_pool2d(x, 2, return_indices=True)
    layer = layers.MaxUnpooling2D(output_size=(9, 7))
    z = lm.ops.max_unpool2d(y, indices, 2, output_size=(9, 8))
    again = layers.MaxUnpooling2D(output_size=(9, 8))([y, indices])
    np.testing.assert_array_equal(z.numpy(), again.numpy())
    np.testing.assert_array_equal(np.where(z.numpy() > 0, x, 0), z.numpy())
    assert layer.compute_output_shape([(None, 4, 4, 3), (None, 4, 4, 3)]) == (None, 9, 7, 3)
    assert layers.MaxUnpooling2D().compute_output_shape([(None, 4, None, 3)] * 2) == (None, 8, None, 3)
    config = layer.get_config()
    assert layers.MaxUnpooling2D.from_config(config).get_config() == config
    with pytest.raises(ValueError, match="expected a pair"):
        layer(y)
    with pytest.raises(ValueError, match=r"indices must be in \[0, 4\)"):
        layers.MaxUnpooling2D(output_size=2)([y, indices])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("MaxPooling2D", {"pool_size": 0}, "pool_size must be at least 1"),
        ("MaxPooling1D", {"strides": 0}, "strides must be at least 1"),
        ("MaxPooling1D", {"pool_size": (1, 2)}, "pool_size must be an integer"),
        ("AveragePooling3D", {"padding": "full"}, "padding must be"),
        ("AveragePooling3D", {"padding": 2}, "padding 2 is more than half of pool_size"),
        ("MaxPooling2D", {"padding": -1}, "padding must be at least 0"),
        ("MaxPooling1D", {"data_format": "channels_first"}, "channels_first"),
        ("GlobalMaxPooling1D", {"data_format": "channels_first"}, "channels_first"),
        ("AdaptiveMaxPooling1D", {"output_size": 1, "data_format": "channels_first"}, "channels_first"),
        ("AdaptiveAveragePooling2D", {"output_size": 0}, "output_size must be at least 1"),
        ("LpPooling2D", {"p": 0}, "p must be positive"),
        ("MaxUnpooling2D", {"padding": "same"}, "give output_size"),
    ],
)
def test_bad_arguments(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(layers, name)(**arguments)


def test_window_larger_than_the_input():
    with pytest.raises(ValueError, match="pool_size 9 is larger than the input, 8"):
        layers.MaxPooling2D(9)(X[2])
    with pytest.raises(ValueError, match="pool_size 9 is larger than the input, 8"):
        layers.MaxPooling2D(9).compute_output_shape((None, 9, 8, 3))
