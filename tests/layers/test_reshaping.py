import numpy as np
import pytest

import lamina as lm

L = lm.layers
X = {n: np.random.default_rng(n).normal(size=(*(2, 6, 5, 7, 3)[: n - 1], 4)).astype(np.float32) for n in range(2, 6)}


def pad(x, *widths):
    return np.pad(x, ((0, 0), *widths, (0, 0)))


CASES = [
    (L.Permute((2, 1)), 3, lambda x: x.transpose(0, 2, 1)),
    (L.Permute((3, 1, 2)), 4, lambda x: x.transpose(0, 3, 1, 2)),
    (L.RepeatVector(3), 2, lambda x: np.stack([x] * 3, 1)),
    (L.Cropping1D(), 3, lambda x: x[:, 1:-1]),
    (L.Cropping1D((2, 0)), 3, lambda x: x[:, 2:]),
    (L.Cropping2D(), 4, lambda x: x),
    (L.Cropping2D((1, 2)), 4, lambda x: x[:, 1:-1, 2:-2]),
    (L.Cropping2D(((0, 3), (2, 0))), 4, lambda x: x[:, :-3, 2:]),
    (L.Cropping3D(), 5, lambda x: x[:, 1:-1, 1:-1, 1:-1]),
    (L.Cropping3D(((0, 1), (2, 0), (0, 0))), 5, lambda x: x[:, :-1, 2:]),
    (L.ZeroPadding1D(), 3, lambda x: pad(x, (1, 1))),
    (L.ZeroPadding1D((0, 2)), 3, lambda x: pad(x, (0, 2))),
    (L.ZeroPadding2D(), 4, lambda x: pad(x, (1, 1), (1, 1))),
    (L.ZeroPadding2D(((3, 0), (1, 2))), 4, lambda x: pad(x, (3, 0), (1, 2))),
    (L.ZeroPadding3D((0, 2, 1)), 5, lambda x: pad(x, (0, 0), (2, 2), (1, 1))),
    (L.UpSampling1D(3), 3, lambda x: x.repeat(3, 1)),
    (L.UpSampling2D(), 4, lambda x: x.repeat(2, 1).repeat(2, 2)),
    (L.UpSampling2D((1, 3)), 4, lambda x: x.repeat(3, 2)),
    (L.UpSampling2D((2, 1), interpolation="bilinear"), 4, lambda x: lm.ops.resize(x, (12, 5)).numpy()),
    (L.UpSampling2D(2, interpolation="bicubic"), 4, lambda x: lm.ops.resize(x, (12, 10), "bicubic").numpy()),
    (L.UpSampling3D(), 5, lambda x: x.repeat(2, 1).repeat(2, 2).repeat(2, 3)),
    (L.UpSampling3D((3, 1, 2)), 5, lambda x: x.repeat(3, 1).repeat(2, 3)),
]


@pytest.mark.parametrize(("layer", "axes", "expected"), CASES)
def test_values_shapes_and_configs(layer, axes, expected):
    x = X[axes]
    y = layer(x)
    np.testing.assert_array_equal(y.numpy(), expected(x))
    assert tuple(layer.compute_output_shape((None, *x.shape[1:]))) == (None, *y.shape[1:])
    unknown = layer.compute_output_shape((None, *[None] * (axes - 2), 4))
    assert len(unknown) == y.ndim
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again(x).numpy(), y.numpy())
    assert layer(x[:0]).shape == (0, *y.shape[1:])


@pytest.mark.parametrize(("layer", "axes", "expected"), CASES)
def test_gradients(layer, axes, expected):
    lm.grad_check(type(layer).from_config({**layer.get_config(), "dtype": "float64"}), [X[axes].astype(np.float64)])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.ZeroPadding2D(-1), ValueError, "zero_padding2d.*: padding must be at least 0, got -1"),
        (lambda: L.ZeroPadding2D(((1, -1), (0, 0))), ValueError, "padding must be at least 0"),
        (lambda: L.ZeroPadding2D((1, 2, 3)), ValueError, "padding must be an integer, 2 of them, or 2 pairs"),
        (lambda: L.ZeroPadding1D(1.5), TypeError, "padding must be an integer"),
        (lambda: L.Cropping1D(-1), ValueError, "cropping must be at least 0"),
        (lambda: L.Cropping2D((-1, 0)), ValueError, "cropping must be at least 0"),
        (lambda: L.Cropping3D((1, 1)), ValueError, "cropping must be an integer, 3 of them, or 3 pairs"),
        (lambda: L.UpSampling1D(0), ValueError, "size must be a positive integer, got 0"),
        (lambda: L.UpSampling2D(0), ValueError, "size must be at least 1, got 0"),
        (lambda: L.UpSampling2D((2, -1)), ValueError, "size must be at least 1"),
        (lambda: L.UpSampling2D(2, interpolation="cubic"), ValueError, "interpolation must be one of nearest"),
        (lambda: L.UpSampling3D((1, 2)), ValueError, "size must be an integer or three of them"),
        (lambda: L.UpSampling2D(2, data_format="channels_first"), ValueError, "Transpose first"),
        (lambda: L.RepeatVector(0), ValueError, "n must be a positive integer, got 0"),
        (lambda: L.RepeatVector(2.5), TypeError, "n must be a positive integer"),
        (lambda: L.Permute((1, 3)), ValueError, "dims must be 1 to 2, each once"),
        (lambda: L.Permute((0, 1)), ValueError, "dims must be a positive integer"),
        (lambda: L.Cropping1D(3)(X[3]), ValueError, r"cropping \(3, 3\) leaves nothing of inputs of shape \(2, 6, 4\)"),
        (lambda: L.Cropping2D(((0, 0), (4, 1)))(X[4]), ValueError, "leaves nothing of inputs"),
        (lambda: L.Cropping2D(1)(X[3]), ValueError, r"x must have shape \(N, H, W, C\), got \(2, 6, 4\)"),
        (lambda: L.ZeroPadding3D(1)(X[4]), ValueError, r"x must have shape \(N, D, H, W, C\)"),
        (lambda: L.UpSampling1D(2)(X[2]), ValueError, r"x must have shape \(N, T, C\)"),
        (lambda: L.RepeatVector(2)(X[3]), ValueError, r"x must have shape \(N, C\)"),
        (lambda: L.Permute((2, 1))(X[4]), ValueError, "x must have 3 axes"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_in_a_model():
    model = lm.models.Sequential(
        [L.Input((8, 8, 3)), L.ZeroPadding2D(1), L.Conv2D(4, 3), L.UpSampling2D(2), L.Cropping2D(2), L.Flatten()]
    )
    assert model.output_shape == (None, 12 * 12 * 4)
    assert model.predict(np.zeros((2, 8, 8, 3), np.float32), verbose=0).shape == (2, 576)
