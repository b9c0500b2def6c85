"""Conv2D, and the poolings."""

import numpy as np
import pytest

from lamina.layers import AveragePooling2D, AvgPool2D, Conv2D, MaxPool2D, MaxPooling2D

random = np.random.default_rng(0)


def windows(x, size, strides, padding, fill):
    """(N, OH, OW, kh, kw, C): "same" pads the odd row after."""
    if padding == "same":
        pads = []
        for n, k, s in zip(x.shape[1:3], size, strides, strict=True):
            total = max(0, (-(-n // s) - 1) * s + k - n)
            pads.append((total // 2, total - total // 2))
        x = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))
    return view[:, :: strides[0], :: strides[1]].transpose(0, 1, 2, 4, 5, 3)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 2)])
def test_conv2d(padding, strides):
    x = random.normal(size=(2, 9, 8, 3)).astype("float32")
    layer = Conv2D(5, (3, 2), strides, padding, activation="relu", bias_initializer="ones")
    y = layer(x)
    expected = np.einsum("nijhwc,hwck->nijk", windows(x, (3, 2), strides, padding, 0), layer.kernel.numpy()) + 1
    np.testing.assert_allclose(y.numpy(), np.maximum(expected, 0), rtol=1e-4, atol=1e-5)
    assert y.shape[1:] == layer.compute_output_shape((None, 9, 8, 3))[1:]
    assert layer.kernel.shape == (3, 2, 3, 5)


def test_conv2d_groups_dilation_and_explicit_padding():
    x = random.normal(size=(1, 8, 8, 4)).astype("float32")
    layer = Conv2D(6, 3, padding=((1, 0), (2, 3)), dilation_rate=2, groups=2, use_bias=False, activation="softmax")
    y = layer(x)
    assert layer.kernel.shape == (3, 3, 2, 6)
    assert y.shape[1:] == layer.compute_output_shape((None, 8, 8, 4))[1:] == (5, 9, 6)
    np.testing.assert_allclose(y.numpy().sum(-1), 1, rtol=1e-5)


def test_flops_and_unknown_sizes():
    layer = Conv2D(32, 3)
    assert layer.flops((None, 28, 28, 1)) == 26 * 26 * 32 * (2 * 9 + 1)
    assert layer.compute_output_shape((None, None, 28, 1)) == (None, None, 26, 32)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"filters": 0, "kernel_size": 3}, ValueError, "filters must be a positive integer"),
        ({"filters": 2, "kernel_size": 0}, ValueError, "kernel_size must be at least 1"),
        ({"filters": 2, "kernel_size": (1, 2, 3)}, ValueError, "kernel_size must be an integer or a pair"),
        ({"filters": 2, "kernel_size": 3, "strides": 0}, ValueError, "strides must be at least 1"),
        ({"filters": 2, "kernel_size": 3, "dilation_rate": -1}, ValueError, "dilation_rate must be at least 1"),
        ({"filters": 2, "kernel_size": 3, "padding": "full"}, ValueError, "padding must be"),
        ({"filters": 2, "kernel_size": 3, "padding": -1}, ValueError, "padding must be at least 0"),
        ({"filters": 3, "kernel_size": 3, "groups": 2}, ValueError, r"filters \(3\) must be a multiple of groups"),
        ({"filters": 2, "kernel_size": 3, "data_format": "channels_first"}, ValueError, "np.moveaxis"),
        ({"filters": 2, "kernel_size": 3, "data_format": "nhwc"}, ValueError, "channels_last"),
        ({"filters": 2.0, "kernel_size": 3}, TypeError, "filters must be a positive integer"),
    ],
)
def test_conv2d_refuses(arguments, error, text):
    with pytest.raises(error, match=text):
        Conv2D(**arguments)


def test_conv2d_refuses_inputs():
    with pytest.raises(ValueError, match=r"x must have shape \(N, H, W, C\)"):
        Conv2D(2, 3)(np.ones((4, 4, 1)))
    with pytest.raises(ValueError, match="the window reaches over 5 rows, but the padded input has 4"):
        Conv2D(2, 5)(np.ones((1, 4, 8, 1)))
    with pytest.raises(ValueError, match=r"channels \(3\) must be a multiple of groups \(2\)"):
        Conv2D(2, 3, groups=2)(np.ones((1, 8, 8, 3)))
    layer = Conv2D(2, 3)
    layer(np.ones((1, 8, 8, 3)))
    with pytest.raises(ValueError, match="conv2d"):
        layer(np.ones((1, 8, 8, 4)))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("size", "strides"), [((2, 2), None), ((3, 2), (2, 1))])
def test_pooling(padding, size, strides):
    x = random.normal(size=(2, 7, 8, 3)).astype("float32")
    steps = strides or size
    view = windows(x, size, steps, padding, np.nan)
    for layer, reference in ((MaxPooling2D, np.nanmax), (AveragePooling2D, np.nanmean)):
        pool = layer(size, strides, padding)
        y = pool(x)
        np.testing.assert_allclose(y.numpy(), reference(view, axis=(3, 4)), rtol=1e-5, atol=1e-6)
        assert pool.compute_output_shape((None, 7, 8, 3)) == (None, *y.shape[1:])


@pytest.mark.parametrize("layer", [MaxPooling2D, AveragePooling2D])
def test_pooling_refuses(layer):
    with pytest.raises(ValueError, match="pool_size must be at least 1"):
        layer(0)
    with pytest.raises(ValueError, match="strides must be at least 1"):
        layer(2, 0)
    with pytest.raises(ValueError, match="channels_first"):
        layer(2, data_format="channels_first")
    with pytest.raises(ValueError, match=r"x must have shape \(N, H, W, C\)"):
        layer(2)(np.ones((4, 4, 1)))


def test_short_names():
    assert MaxPool2D is MaxPooling2D
    assert AvgPool2D is AveragePooling2D


@pytest.mark.parametrize(
    "layer",
    [
        Conv2D(4, (3, 2), 2, "same", dilation_rate=1, groups=2, activation="tanh", kernel_regularizer="l2"),
        Conv2D(4, 3, padding=((1, 2), (3, 4))),
        MaxPooling2D((2, 3), 1, "same"),
        AveragePooling2D(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_configuration_round_trip(layer):
    config = layer.get_config()
    assert type(layer).from_config(config).get_config() == config
