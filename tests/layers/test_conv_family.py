"""The convolution layers: shapes, configurations, operations counted, bad arguments. Numerics: tests/parity."""

import inspect
import math

import numpy as np
import pytest

import lamina as lm
from lamina import layers
from lamina.layers.layer import registry

CASES = [
    ("Conv1D", (12, 4), {"filters": 6, "kernel_size": 3, "padding": "causal", "dilation_rate": 2, "groups": 2}),
    ("Conv1D", (12, 4), {"filters": 6, "kernel_size": 3, "padding": (2, 1), "strides": 2}),
    ("Conv2D", (8, 9, 4), {"filters": 6, "kernel_size": (3, 2), "padding": ((1, 0), (2, 3)), "activation": "relu"}),
    ("Conv3D", (5, 6, 7, 4), {"filters": 6, "kernel_size": 3, "strides": (1, 2, 2), "padding": "same"}),
    ("Conv1DTranspose", (7, 4), {"filters": 6, "kernel_size": 3, "strides": 2, "output_padding": 1}),
    ("Conv2DTranspose", (7, 6, 4), {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same"}),
    ("Conv2DTranspose", (7, 6, 4), {"filters": 6, "kernel_size": 4, "strides": 2, "padding": 1}),
    ("Conv3DTranspose", (3, 4, 5, 4), {"filters": 2, "kernel_size": 2, "strides": 2, "use_bias": False}),
    ("DepthwiseConv1D", (9, 4), {"kernel_size": 3, "depth_multiplier": 2}),
    ("DepthwiseConv2D", (9, 8, 4), {"kernel_size": 3, "strides": 2, "activation": "softmax"}),
    ("SeparableConv1D", (9, 4), {"filters": 5, "kernel_size": 3, "padding": "causal"}),
    ("SeparableConv2D", (9, 8, 4), {"filters": 5, "kernel_size": 3, "depth_multiplier": 3}),
    ("LocallyConnected1D", (9, 4), {"filters": 5, "kernel_size": 3, "strides": 2}),
    ("LocallyConnected2D", (9, 8, 4), {"filters": 5, "kernel_size": (3, 2), "activation": "tanh"}),
]
NAMES = sorted({case[0] for case in CASES})


@pytest.mark.parametrize(("name", "shape", "arguments"), CASES)
def test_shapes_and_configurations(name, shape, arguments):
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    layer = getattr(layers, name)(**arguments, bias_initializer="ones")
    y = layer(x)
    assert layer.compute_output_shape((None, *shape)) == (None, *y.shape[1:])
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again(x)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x).numpy(), y.numpy())
    assert layer(x[:0]).shape == (0, *y.shape[1:])


@pytest.mark.parametrize(("name", "shape", "arguments"), CASES)
def test_saved_and_loaded(name, shape, arguments, tmp_path):
    model = lm.models.Sequential([getattr(layers, name)(**arguments, input_shape=shape)])
    model.save(tmp_path / "m.safetensors")
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    np.testing.assert_array_equal(
        lm.models.load_model(tmp_path / "m.safetensors").predict(x, verbose=0), model.predict(x, verbose=0)
    )


def test_flops():
    def count(layer, *shape):
        return layer.flops((None, *shape))

    assert count(layers.Conv1D(6, 3, groups=2), 12, 4) == 10 * 6 * (2 * 3 * 2 + 1)
    assert count(layers.Conv3D(6, 3, use_bias=False), 5, 5, 5, 4) == 27 * 6 * 2 * 27 * 4
    assert count(layers.Conv2DTranspose(6, 3, strides=2), 4, 5, 4) == 2 * 20 * 4 * 9 * 6 + 9 * 11 * 6
    assert count(layers.DepthwiseConv2D(3, depth_multiplier=2), 5, 6, 4) == 3 * 4 * 8 * (2 * 9 + 1)
    assert count(layers.SeparableConv2D(5, 3), 5, 6, 4) == 12 * (2 * 4 * (9 + 5) + 5)
    assert count(layers.LocallyConnected2D(5, 3), 5, 6, 4) == 12 * 5 * (2 * 36 + 1)
    with pytest.raises(ValueError, match="every size of the input must be known"):
        count(layers.Conv2D(6, 3), None, 5, 4)


@pytest.mark.parametrize(("name", "shape", "arguments"), CASES)
def test_unknown_sizes_stay_unknown(name, shape, arguments):
    unknown = (None,) * (len(shape) - 1)
    layer = getattr(layers, name)(**arguments)
    assert layer.compute_output_shape((None, *unknown, shape[-1]))[1:-1] == unknown


def test_weights_of_locally_connected():
    layer = layers.LocallyConnected2D(5, (3, 2))
    layer.build((None, 6, 7, 4))
    assert [w.shape for w in layer.weights] == [(4 * 6, 3 * 2 * 4, 5), (4, 6, 5)]
    with pytest.raises(ValueError, match="every size of the input must be known"):
        layers.LocallyConnected1D(5, 3).build((None, None, 4))


def test_aliases_and_registration():
    for n in (1, 2, 3):
        assert getattr(layers, f"Convolution{n}D") is getattr(layers, f"Conv{n}D")
        assert getattr(layers, f"Convolution{n}DTranspose") is getattr(layers, f"Conv{n}DTranspose")
    assert layers.SeparableConvolution2D is layers.SeparableConv2D
    assert set(NAMES) <= registry.keys()


def test_conv3d_transpose_takes_data_format_before_output_padding():
    """Keras's order, here alone."""
    names = list(inspect.signature(layers.Conv3DTranspose.__init__).parameters)  # self is the first
    assert names.index("data_format") == 5
    assert names.index("output_padding") == 6
    names = list(inspect.signature(layers.Conv2DTranspose.__init__).parameters)
    assert names.index("output_padding") == 5
    assert layers.Conv3DTranspose(2, 3, 2, "same", None, 1).output_padding == (1, 1, 1)


class Half(lm.regularizers.Regularizer):
    def __call__(self, x):
        return x.sum() * 0.5


def test_regularizers_reach_the_weights():
    layer = layers.SeparableConv2D(
        2, 3, depthwise_regularizer="l2", pointwise_regularizer=Half(), bias_regularizer="l1"
    )
    layer.build((None, 5, 5, 3))
    assert [v.regularizer is not None for v in layer.weights] == [True, True, True]
    assert len(layer.losses) == 3


def test_constraints_and_activity_regularizers_reach_the_layer():
    layer = layers.Conv2D(
        2, 3, kernel_constraint="non_neg", bias_constraint=lm.constraints.MaxNorm(1), activity_regularizer="l2"
    )
    layer.build((None, 5, 5, 3))
    assert [v.constraint is not None for v in layer.weights] == [True, True]
    assert layer.activity_regularizer is not None
    again = layers.Conv2D.from_config(layer.get_config())
    assert isinstance(again.bias_constraint, lm.constraints.MaxNorm)
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("name", NAMES)
def test_refuses(name):
    make = getattr(layers, name)
    needed = {"kernel_size": 3} if name.startswith("Depthwise") else {"filters": 4, "kernel_size": 3}
    bad = [
        ({"kernel_size": 0}, ValueError, "kernel_size must be at least 1, got 0"),
        ({"kernel_size": (3,) * 5}, ValueError, "kernel_size must be an integer"),
        ({"kernel_size": 1.5}, TypeError, "kernel_size must be an integer"),
        ({"strides": 0}, ValueError, "strides must be at least 1"),
        ({"strides": -1}, ValueError, "strides must be at least 1"),
        ({"padding": "reflect"}, ValueError, "padding must be"),
        ({"padding": -1}, ValueError, "padding must be at least 0"),
        ({"data_format": "channels_first"}, ValueError, "np.moveaxis"),
        ({"activation": "swosh"}, ValueError, "activation must be"),
    ]
    if "filters" in needed:
        bad += [
            ({"filters": 0}, ValueError, "filters must be a positive integer"),
            ({"filters": 2.0}, TypeError, "filters must be a positive integer"),
        ]
    if not name.startswith("Locally"):
        bad += [({"dilation_rate": 0}, ValueError, "dilation_rate must be at least 1")]
    if name in ("Conv1D", "Conv2D", "Conv3D"):
        bad += [
            ({"groups": 0}, ValueError, "groups must be a positive integer"),
            ({"groups": 3}, ValueError, r"filters \(4\) must be a multiple of groups \(3\)"),
        ]
    if name.startswith("Conv"):
        bad += [({"strides": 2, "dilation_rate": 2}, ValueError, "strides above 1 do not go with a dilation_rate")]
    if "Transpose" in name:
        bad += [
            ({"output_padding": 1}, ValueError, "output_padding must be below the strides"),
            ({"output_padding": -1}, ValueError, "output_padding must be at least 0"),
        ]
    if name.startswith(("Depthwise", "Separable")):
        bad += [({"depth_multiplier": 0}, ValueError, "depth_multiplier must be a positive integer")]
    if name not in ("Conv1D", "SeparableConv1D"):
        bad += [({"padding": "causal"}, ValueError, "padding must be")]
    for arguments, error, text in bad:
        with pytest.raises(error, match=text):
            make(**{**needed, **arguments})
    rank = make.rank
    with pytest.raises(ValueError, match="x must have shape"):
        make(**needed)(np.ones((2,) * (rank + 1)))
    if "Transpose" not in name:
        with pytest.raises(ValueError, match="the window reaches over 3"):
            make(**needed)(np.ones((1, *(2,) * rank, 3)))
    layer = make(**needed)
    layer(np.ones((1, *(4,) * rank, 3)))
    with pytest.raises(ValueError, match=r"channels|kernel must have shape"):
        layer(np.ones((1, *(4,) * rank, 5)))
    with pytest.raises(ValueError, match=r"x must have 3 channels, got \(None, .*5\)"):
        layer(lm.Input((*(4,) * rank, 5)))


def test_implementation_of_locally_connected():
    with pytest.raises(ValueError, match="implementation must be 1, got 2"):
        layers.LocallyConnected1D(3, 3, implementation=2)


def test_defaults_make_sense_of_sizes():
    for name, shape, arguments in CASES:
        layer = getattr(layers, name)(**arguments)
        layer.build((None, *shape))
        assert layer.count_params() == sum(math.prod(w.shape) for w in layer.weights)
