"""Reshaping, merging and regularisation layers, and image ops, beside Keras's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lamina as lm

pytest.importorskip("torch")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's, with torch

SHAPES = {2: (3, 5), 3: (2, 7, 4), 4: (2, 6, 5, 3), 5: (2, 4, 5, 6, 3)}
LAYERS: list[tuple[str, int, dict[str, Any]]] = [
    ("Permute", 3, {"dims": (2, 1)}),
    ("Permute", 4, {"dims": (3, 1, 2)}),
    ("Permute", 5, {"dims": (2, 4, 1, 3)}),
    ("RepeatVector", 2, {"n": 1}),
    ("RepeatVector", 2, {"n": 4}),
    ("Cropping1D", 3, {}),
    ("Cropping1D", 3, {"cropping": 2}),
    ("Cropping1D", 3, {"cropping": (0, 3)}),
    ("Cropping2D", 4, {}),
    ("Cropping2D", 4, {"cropping": 1}),
    ("Cropping2D", 4, {"cropping": (2, 1)}),
    ("Cropping2D", 4, {"cropping": ((0, 2), (3, 0))}),
    ("Cropping3D", 5, {}),
    ("Cropping3D", 5, {"cropping": (1, 0, 2)}),
    ("Cropping3D", 5, {"cropping": ((0, 2), (1, 0), (0, 0))}),
    ("ZeroPadding1D", 3, {}),
    ("ZeroPadding1D", 3, {"padding": (0, 3)}),
    ("ZeroPadding2D", 4, {}),
    ("ZeroPadding2D", 4, {"padding": (2, 0)}),
    ("ZeroPadding2D", 4, {"padding": ((0, 3), (1, 2))}),
    ("ZeroPadding3D", 5, {}),
    ("ZeroPadding3D", 5, {"padding": 2}),
    ("ZeroPadding3D", 5, {"padding": ((0, 1), (2, 0), (1, 3))}),
    ("UpSampling1D", 3, {}),
    ("UpSampling1D", 3, {"size": 3}),
    ("UpSampling2D", 4, {}),
    ("UpSampling2D", 4, {"size": (3, 1)}),
    ("UpSampling2D", 4, {"interpolation": "bilinear"}),
    ("UpSampling2D", 4, {"size": (1, 3), "interpolation": "bilinear"}),
    ("UpSampling2D", 4, {"size": (3, 2), "interpolation": "bicubic"}),
    ("UpSampling3D", 5, {}),
    ("UpSampling3D", 5, {"size": (1, 3, 2)}),
    ("Identity", 4, {}),
    ("SpatialDropout1D", 3, {"rate": 0.5}),
    ("SpatialDropout2D", 4, {"rate": 0.5}),
    ("SpatialDropout3D", 5, {"rate": 0.5}),
    ("GaussianNoise", 3, {"stddev": 0.5}),
    ("GaussianDropout", 3, {"rate": 0.5}),
    ("AlphaDropout", 3, {"rate": 0.5}),
    ("ActivityRegularization", 3, {"l1": 0.1, "l2": 0.2}),
]
MERGES: list[tuple[str, list[tuple[int, ...]], dict[str, Any]]] = [
    *[
        (name, shapes, {})
        for name in ("Add", "Multiply", "Average", "Maximum", "Minimum")
        for shapes in ([(2, 3)] * 3, [(2, 3, 4), (2, 1, 4)], [(2, 5, 3, 4), (2, 3, 1)])
    ],
    ("Subtract", [(2, 3), (2, 3)], {}),
    ("Subtract", [(2, 3, 1), (2, 4)], {}),
    ("Concatenate", [(2, 3, 4), (2, 3, 1), (2, 3, 2)], {}),
    ("Concatenate", [(2, 3, 4), (2, 1, 4)], {"axis": 1}),
    ("Concatenate", [(2, 3, 4), (5, 3, 4)], {"axis": 0}),
    ("Concatenate", [(2, 3, 4, 1), (2, 3, 2, 1)], {"axis": -2}),
    ("Dot", [(3, 5), (3, 5)], {"axes": 1}),
    ("Dot", [(3, 5), (3, 5)], {"axes": -1, "normalize": True}),
    ("Dot", [(3, 4, 5), (3, 5, 6)], {"axes": (2, 1)}),
    ("Dot", [(3, 4, 5), (3, 6, 5)], {"axes": -1}),
    ("Dot", [(3, 4, 5), (3, 4, 6)], {"axes": 1, "normalize": True}),
    ("Dot", [(3, 4), (3, 6, 4)], {"axes": (1, 2)}),
    ("Dot", [(3, 4, 2, 5), (3, 5, 6)], {"axes": (3, 1)}),
]
DTYPES = [("float32", 1e-5), ("float64", 1e-9)]


def peer(x: np.ndarray[Any, Any]) -> Any:
    return keras.ops.convert_to_tensor(x, dtype=x.dtype.name)


def named(cases: list[Any]) -> list[str]:
    return [f"{c[0]}-{c[1]}-{c[2]}" for c in cases]


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize(("name", "axes", "arguments"), LAYERS, ids=named(LAYERS))
def test_layers(name, axes, arguments, dtype, tolerance):
    x = np.random.default_rng(0).standard_normal(SHAPES[axes]).astype(dtype)
    ours, theirs = (
        getattr(lm.layers, name)(**arguments, dtype=dtype),
        getattr(keras.layers, name)(**arguments, dtype=dtype),
    )
    y, expected = ours(x, training=False).numpy(), keras.ops.convert_to_numpy(theirs(peer(x)))
    assert y.dtype == np.dtype(dtype)
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)
    for shape in (SHAPES[axes], (None, *SHAPES[axes][1:])):
        assert tuple(ours.compute_output_shape(shape)) == tuple(theirs.compute_output_shape(shape))
    mine, other = ours.get_config(), theirs.get_config()
    for key in arguments:
        assert np.array_equal(mine[key], other[key]), key


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize(("name", "shapes", "arguments"), MERGES, ids=named(MERGES))
def test_merges(name, shapes, arguments, dtype, tolerance):
    x = [np.random.default_rng(i).standard_normal(s).astype(dtype) for i, s in enumerate(shapes)]
    ours, theirs = (
        getattr(lm.layers, name)(**arguments, dtype=dtype),
        getattr(keras.layers, name)(**arguments, dtype=dtype),
    )
    y, expected = ours(x).numpy(), keras.ops.convert_to_numpy(theirs([peer(a) for a in x]))
    assert y.dtype == np.dtype(dtype)
    if expected.dtype == np.float32:  # Keras computes maxima, minima and products in float32, whatever it is given
        tolerance = 1e-5
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)
    assert y.shape == expected.shape
    assert tuple(ours.compute_output_shape(shapes)) == tuple(theirs.compute_output_shape(shapes))


@pytest.mark.parametrize(("name", "arguments"), [
    ("SpatialDropout1D", {"rate": 0.25}), ("GaussianNoise", {"stddev": 0.5}), ("GaussianDropout", {"rate": 0.25}),
    ("AlphaDropout", {"rate": 0.25}), ("AlphaDropout", {"rate": 0.25, "noise_shape": (None, 1, None)}),
])  # fmt: skip
def test_statistics_of_noise(name, arguments):
    x = np.random.default_rng(0).standard_normal((400, 5, 200)).astype("float32") + 1
    y = getattr(lm.layers, name)(**arguments, seed=1)(x, training=True).numpy()
    z = keras.ops.convert_to_numpy(getattr(keras.layers, name)(**arguments, seed=1)(x, training=True))
    np.testing.assert_allclose([y.mean(), y.std()], [z.mean(), z.std()], atol=0.02)
    np.testing.assert_allclose([y.min(), y.max()], [z.min(), z.max()], rtol=0.35)


IMAGES = np.random.default_rng(1).standard_normal((2, 7, 6, 3))
TURN = np.array([[0.8312, -0.4127, 1.1331, 0.3719, 1.0943, -2.2171, 0, 0], [1.1, 0.2, -1.3, -0.3, 0.9, 1.7, 0, 0]])
Op = Callable[[Any, Any], Any]
IMAGE_OPS: list[tuple[str, Op, Op]] = [
    *[
        (
            f"resize-{mode}-{size}-{more}",
            lambda x, ops, a=(size, mode), k=more: lm.ops.resize(x, *a, **k),
            lambda x, ops, a=(size, mode), k=more: ops.image.resize(x, *a, **k),
        )
        for mode in ("nearest", "bilinear", "bicubic")
        for size in ((14, 9), (3, 5))
        for more in ({}, {"antialias": True}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True})
    ],
    *[
        (
            f"affine_transform-{mode}-{fill}",
            lambda x, ops, a=(mode, fill): lm.ops.affine_transform(x, TURN.astype(x.dtype), *a, 0.5),
            lambda x, ops, a=(mode, fill): ops.image.affine_transform(
                x, peer(TURN.astype(keras.backend.standardize_dtype(x.dtype))), *a, 0.5
            ),
        )
        for mode in ("nearest", "bilinear")
        for fill in ("constant", "nearest", "wrap", "mirror", "reflect")
    ],
    *[
        (
            f"extract_patches-{k}",
            lambda x, ops, k=k: lm.ops.extract_patches(x, **k),
            lambda x, ops, k=k: ops.image.extract_patches(x, **k),
        )
        for k in ({"size": 2}, {"size": (3, 2), "strides": 2, "padding": "same"}, {"size": 3, "strides": 1})
    ],
    (
        "crop_images",
        lambda x, ops: lm.ops.crop_images(x, 1, None, 2, 0, None, 4),
        lambda x, ops: ops.image.crop_images(x, 1, None, 2, 0, None, 4),
    ),
    (
        "pad_images",
        lambda x, ops: lm.ops.pad_images(x, None, 2, 1, None, 12, 9),
        lambda x, ops: ops.image.pad_images(x, None, 2, 1, None, 12, 9),
    ),
    (
        "rgb_to_grayscale",
        lambda x, ops: lm.ops.rgb_to_grayscale(x),
        lambda x, ops: ops.image.rgb_to_grayscale(x),
    ),
    (
        "pad-reflect",
        lambda x, ops: lm.ops.pad(x, ((0, 0), (1, 2), (3, 0), (0, 0)), "reflect"),
        lambda x, ops: ops.pad(x, ((0, 0), (1, 2), (3, 0), (0, 0)), "reflect"),
    ),
    (
        "pad-constant",
        lambda x, ops: lm.ops.pad(x, ((0, 0), (1, 2), (3, 0), (0, 1)), constant_values=2.0),
        lambda x, ops: ops.pad(x, ((0, 0), (1, 2), (3, 0), (0, 1)), constant_values=2.0),
    ),
    ("roll", lambda x, ops: lm.ops.roll(x, 3, 1), lambda x, ops: ops.roll(x, 3, 1)),
    ("flip", lambda x, ops: lm.ops.flip(x, 2), lambda x, ops: ops.flip(x, 2)),
    ("rot90", lambda x, ops: lm.ops.rot90(x, 1, (1, 2)), lambda x, ops: ops.rot90(x, 1, (1, 2))),
    ("tile", lambda x, ops: lm.ops.tile(x, (1, 2, 3, 1)), lambda x, ops: ops.tile(x, (1, 2, 3, 1))),
    ("repeat", lambda x, ops: lm.ops.repeat(x, 2, -1), lambda x, ops: ops.repeat(x, 2, -1)),
    ("moveaxis", lambda x, ops: lm.ops.moveaxis(x, 3, 1), lambda x, ops: ops.moveaxis(x, 3, 1)),
    ("swapaxes", lambda x, ops: lm.ops.swapaxes(x, 3, 1), lambda x, ops: ops.swapaxes(x, 3, 1)),
    (
        "broadcast_to",
        lambda x, ops: lm.ops.broadcast_to(x[:, :1], (2, 4, 6, 3)),
        lambda x, ops: ops.broadcast_to(x[:, :1], (2, 4, 6, 3)),
    ),
]


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize(("ours", "theirs"), [c[1:] for c in IMAGE_OPS], ids=[c[0] for c in IMAGE_OPS])
def test_image_ops(ours, theirs, dtype, tolerance):
    x = IMAGES.astype(dtype)
    y, expected = ours(x, None).numpy(), keras.ops.convert_to_numpy(theirs(peer(x), keras.ops))
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)


def test_depth_to_space():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 18)).astype("float32")
    y = lm.ops.depth_to_space(x, 3)
    np.testing.assert_array_equal(y.numpy(), keras.ops.convert_to_numpy(keras.ops.nn.depth_to_space(x, 3)))
    np.testing.assert_array_equal(
        lm.ops.space_to_depth(y, 3).numpy(), keras.ops.convert_to_numpy(keras.ops.nn.space_to_depth(y.numpy(), 3))
    )
