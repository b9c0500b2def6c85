"""Preprocessing layers beside Keras 3's. Skipped unless Keras is installed (".[parity]").

Random layers are compared by what they can do: their maps, drawn here, are given to Keras's own resampling, and the
spread of their draws to that of Keras's. StringLookup, IntegerLookup, TextVectorization and Hashing need TensorFlow in
Keras: their values are tested in tests/layers against those that Keras documents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lamina as lm
from lamina import layers
from lamina.data import resample

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own, about NumPy 2

TOLERANCE = {"float32": 1e-5, "float64": 1e-9}
DTYPES = pytest.mark.parametrize("dtype", list(TOLERANCE))


def pictures(*shape: int, dtype: str = "float32") -> Any:
    return np.random.default_rng(sum(shape)).random(shape).astype(dtype)


def numpy(value: Any) -> Any:
    return value.numpy() if isinstance(value, lm.Tensor) else keras.ops.convert_to_numpy(value)


def close(ours: Any, theirs: Any, dtype: str = "float32", scale: float = 1.0) -> None:
    theirs = numpy(theirs)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)


@DTYPES
@pytest.mark.parametrize("arguments", [(1 / 255,), (2.0, -1.0), ([0.5, 1.0, 2.0], [0.0, 1.0, -1.0])])
def test_rescaling(arguments: Any, dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype("uint8")
    close(layers.Rescaling(*arguments, dtype=dtype)(x), keras.layers.Rescaling(*arguments, dtype=dtype)(x), dtype, 255)


@DTYPES
@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("axis", [-1, None, 1, (1, 2), (-1, 1), ()])
def test_normalization(axis: Any, invert: bool, dtype: str) -> None:
    x = (np.random.default_rng(1).standard_normal((40, 4, 3)) * 7 + 3).astype(dtype)
    ours = layers.Normalization(axis=axis, invert=invert, dtype=dtype)
    theirs = keras.layers.Normalization(axis=axis, invert=invert, dtype=dtype)
    ours.adapt(x)
    theirs.adapt(x)
    close(ours(x[:5]), theirs(x[:5]), "float32" if invert else dtype, 100)  # inverse: Keras's deviation is float32
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert mine.shape == other.shape
    np.testing.assert_allclose(ours.get_weights()[0], theirs.get_weights()[0], rtol=TOLERANCE[dtype] * 10)
    np.testing.assert_allclose(ours.get_weights()[1], theirs.get_weights()[1], rtol=TOLERANCE[dtype] * 10)


@pytest.mark.parametrize(("axis", "mean", "variance"), [
    (-1, 3.0, 2.0), (-1, [1.0, 2.0, 3.0], [4.0, 0.0, 1e-20]), ((1, 2), [1.0, 2.0, 3.0], [1.0, 4.0, 9.0]),
    (None, 1.0, 5.0),
    ((1, 2), [[1.0], [2.0], [3.0], [4.0]], [[1.0], [2.0], [3.0], [4.0]]),
])  # fmt: skip
def test_normalization_given(axis: Any, mean: Any, variance: Any) -> None:
    x = pictures(6, 4, 3)
    ours = layers.Normalization(axis, mean, variance)
    close(ours(x), keras.layers.Normalization(axis, mean, variance)(x), scale=1e7)


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 5)])
def test_discretization(mode: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(3).integers(-3, 6, shape).astype("float32") / 2
    ours = layers.Discretization([-1.0, 0.0, 0.5, 2.0], output_mode=mode)
    theirs = keras.layers.Discretization([-1.0, 0.0, 0.5, 2.0], output_mode=mode)
    close(ours(x), theirs(x))


@pytest.mark.parametrize("epsilon", [0.01, 0.1])
@pytest.mark.parametrize(("count", "bins"), [(5, 4), (60, 4), (1000, 10), (1234, 7)])
def test_discretization_adapts(count: int, bins: int, epsilon: float) -> None:
    x = np.random.default_rng(count).standard_normal((count, 1)).astype("float32")
    ours, theirs = (kind.Discretization(num_bins=bins, epsilon=epsilon) for kind in (layers, keras.layers))
    theirs.update_state(x)  # its adapt does this, but wants TensorFlow first
    theirs.finalize_state()
    ours.adapt(x)
    np.testing.assert_allclose(ours.bin_boundaries, theirs.bin_boundaries, rtol=1e-5, atol=1e-6)
    batches = [x[:100], x[100:300], x[300:]]
    ours.adapt(batches)
    theirs.reset_state()
    for batch in batches:
        theirs.update_state(batch)
    theirs.finalize_state()
    np.testing.assert_allclose(ours.bin_boundaries, theirs.bin_boundaries, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 4)])
def test_category_encoding(mode: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(4).integers(0, 5, shape)
    ours, theirs = (kind.CategoryEncoding(5, output_mode=mode) for kind in (layers, keras.layers))
    close(ours(x), theirs(x))
    if mode == "count" and len(shape) == 2:
        weights = pictures(*shape)
        close(ours(x, count_weights=weights), theirs(x, count_weights=weights))


@DTYPES
@pytest.mark.parametrize(
    "options", [{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 0.5}]
)
@pytest.mark.parametrize("size", [(5, 7), (20, 9), (13, 11), (3, 31), (1, 1)])
@pytest.mark.parametrize(("interpolation", "antialias"), [
    ("nearest", False), ("bilinear", False), ("bicubic", False), ("bilinear", True), ("bicubic", True),
    ("nearest", True),
])  # fmt: skip
def test_resizing(size: Any, interpolation: str, antialias: bool, options: Any, dtype: str) -> None:
    x = pictures(2, 13, 11, 3, dtype=dtype)
    ours = layers.Resizing(*size, interpolation, antialias=antialias, dtype=dtype, **options)
    theirs = keras.layers.Resizing(*size, interpolation, antialias=antialias, dtype=dtype, **options)
    close(ours(x), theirs(x), dtype)
    assert ours.compute_output_shape((None, 13, 11, 3)) == theirs.compute_output_shape((None, 13, 11, 3))
    close(ours(x[0]), theirs(x[0]), dtype)


@pytest.mark.parametrize("size", [(5, 7), (6, 6), (13, 11), (20, 9), (5, 20), (30, 30), (12, 1)])
def test_center_crop(size: Any) -> None:
    x = pictures(2, 13, 11, 3)
    close(layers.CenterCrop(*size)(x), keras.layers.CenterCrop(*size)(x))


@DTYPES
@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect", "wrap"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_affine(interpolation: str, fill_mode: str, dtype: str) -> None:
    x = pictures(6, 9, 12, 2, dtype=dtype)
    maps = np.array([[1, 0, 0, 0, 1, 0], [1, 0, 2.3, 0, 1, -1.7], [0.5, 0.2, 1, -0.3, 1.5, 2], [-1, 0, 11, 0, -1, 8],
                     [3, 0, -30, 0, 3, -40], [0.7, -0.7, 4, 0.7, 0.7, -3]])  # fmt: skip
    ours = resample.affine(x, maps, interpolation, fill_mode, 0.25)
    eight = np.concatenate([maps, np.zeros((6, 2))], 1).astype("float64" if interpolation == "nearest" else dtype)
    theirs = numpy(keras.ops.image.affine_transform(x, eight, interpolation, fill_mode, 0.25, "channels_last"))
    np.testing.assert_allclose(ours, theirs, atol=TOLERANCE[dtype] * 3)


def keras_maps(name: str, value: Any, shape: tuple[int, ...]) -> Any:
    """What Keras's layer does with a picture when its factors leave no choice."""
    return getattr(keras.layers, name)(*value, fill_mode="constant", fill_value=0.5)(pictures(*shape), training=True)


@pytest.mark.parametrize(("name", "factors"), [
    ("RandomRotation", [(0.1, 0.1)]), ("RandomRotation", [(-0.3, -0.3)]), ("RandomRotation", [(0.25, 0.25)]),
    ("RandomTranslation", [(0.2, 0.2), (-0.3, -0.3)]), ("RandomTranslation", [(-0.5, -0.5), (0.0, 0.0)]),
    ("RandomZoom", [(0.3, 0.3), (-0.4, -0.4)]), ("RandomZoom", [(0.5, 0.5)]),
])  # fmt: skip
@pytest.mark.parametrize("shape", [(2, 8, 11, 3), (1, 9, 9, 1), (7, 10, 2)])
def test_fixed_maps(name: str, factors: Any, shape: tuple[int, ...]) -> None:
    ours = getattr(layers, name)(*factors, fill_mode="constant", fill_value=0.5)(pictures(*shape), training=True)
    np.testing.assert_allclose(ours.numpy(), numpy(keras_maps(name, factors, shape)), atol=3e-5)


def test_fixed_colors() -> None:
    x = pictures(3, 5, 6, 3) * 255
    for name, factor in (("RandomBrightness", (0.1, 0.1)), ("RandomGrayscale", 1.0), ("RandomInvert", (1.0, 1.0))):
        ours, theirs = (getattr(kind, name)(factor)(np.array(x), training=True) for kind in (layers, keras.layers))
        close(ours, theirs, scale=255)
    close(layers.RandomShear((0.0, 0.0), (0.0, 0.0))(x, training=True), x, scale=255)


def both(name: str, *arguments: Any, **options: Any) -> tuple[Any, Any]:
    """A layer's results on many equal pictures, ours and theirs."""
    x = np.broadcast_to(pictures(6, 8, 2) * 255, (600, 6, 8, 2))
    results = [
        getattr(kind, name)(*arguments, seed=3, **options)(np.array(x), training=True)
        for kind in (layers, keras.layers)
    ]
    return results[0].numpy(), numpy(results[1])


@pytest.mark.parametrize(("name", "arguments"), [
    ("RandomFlip", ("horizontal",)), ("RandomFlip", ("vertical",)), ("RandomFlip", ()), ("RandomRotation", (0.2,)),
    ("RandomRotation", ((-0.1, 0.3),)), ("RandomTranslation", (0.3, 0.2)), ("RandomZoom", (0.4,)),
    ("RandomZoom", ((-0.3, 0.1), 0.5)), ("RandomShear", (0.5, 0.3)), ("RandomBrightness", (0.4,)),
    ("RandomBrightness", ((0.0, 0.3),)), ("RandomContrast", ((0.3, 0.6),)), ("RandomInvert", (0.3,)),
])  # fmt: skip
def test_statistics(name: str, arguments: Any) -> None:
    """Means and deviations of every point over the draws agree within what 600 of them leave open."""
    ours, theirs = both(name, *arguments)
    error = np.maximum(ours.std(0), theirs.std(0)) / np.sqrt(len(ours))
    assert np.abs(ours.mean(0) - theirs.mean(0)).max() < 5 * np.sqrt(2) * error.max() + 1e-3
    np.testing.assert_allclose(ours.std(0).mean(), theirs.std(0).mean(), rtol=0.12)


def test_random_crop_statistics() -> None:
    x = np.arange(48, dtype="float32").reshape(1, 6, 8, 1)
    crop, other = layers.RandomCrop(3, 4, seed=1), keras.layers.RandomCrop(3, 4, seed=1)
    ours = {int(v) for v in crop(np.repeat(x, 400, 0), training=True).numpy()[:, 0, 0, 0]}
    theirs = {int(numpy(other(x, training=True))[0, 0, 0, 0]) for _ in range(400)}
    assert ours == theirs
    assert len(ours) == 4 * 5


@pytest.mark.parametrize("name", ["RandomFlip", "RandomContrast", "RandomErasing", "MixUp"])
def test_called_without_training(name: str) -> None:
    """By itself such a layer changes pictures, in a model's predictions not, here and there."""
    arguments = {"RandomFlip": (), "RandomContrast": (0.5,), "RandomErasing": ((1.0, 1.0),), "MixUp": ()}[name]
    x = pictures(8, 6, 8, 3) * 255
    for kind in (layers, keras.layers):
        layer = getattr(kind, name)(*arguments)
        assert not np.array_equal(numpy(layer(np.array(x))), x)
        np.testing.assert_array_equal(numpy(layer(np.array(x), training=False)), x)


@pytest.mark.parametrize(("name", "arguments"), [
    ("MixUp", (0.2,)), ("MixUp", (0.9,)), ("CutMix", ()), ("CutMix", ((0.8, 0.8),)),
])  # fmt: skip
def test_mixing(name: str, arguments: Any) -> None:
    """Shares of labels have the same distribution, and pictures the shares of their labels."""
    shares = []
    for kind in (layers, keras.layers):
        found = []
        for seed in range(8):
            data = {"images": np.zeros((150, 4, 4, 1), "float32"), "labels": np.eye(150, dtype="float32")}
            found.append(np.diagonal(numpy(getattr(kind, name)(*arguments, seed=seed)(data)["labels"])))
        shares.append(np.sort(np.concatenate(found)))
    places = np.linspace(0, 1, 101)
    ours, theirs = (np.searchsorted(s, places, side="right") / len(s) for s in shares)
    assert np.abs(ours - theirs).max() < 0.1  # Kolmogorov's distance; 0.08 is passed in one of a thousand


@pytest.mark.parametrize("arguments", [{}, {"factor": (0.3, 0.6), "scale": (0.2, 0.8)}, {"scale": 0.5}])
def test_erasing_statistics(arguments: Any) -> None:
    x = np.zeros((600, 24, 20, 3), "float32")
    found = []
    for kind in (layers, keras.layers):
        y = numpy(kind.RandomErasing(fill_value=9.0, seed=5, **arguments)(np.array(x)))
        found.append((y == 9).mean((1, 2, 3)))
    ours, theirs = found
    assert abs((ours > 0).mean() - (theirs > 0).mean()) < 0.1
    error = np.maximum(ours.std(), theirs.std()) / np.sqrt(600)
    assert abs(ours.mean() - theirs.mean()) < 5 * np.sqrt(2) * error
    np.testing.assert_allclose(ours.std(), theirs.std(), rtol=0.2)
    y = numpy(layers.RandomErasing((1.0, 1.0), (1.0, 1.0), seed=1)(x))
    z = numpy(keras.layers.RandomErasing((1.0, 1.0), (1.0, 1.0), seed=1)(np.array(x)))
    np.testing.assert_allclose(y.mean(), z.mean(), rtol=0.02)
    np.testing.assert_allclose(y.std(), z.std(), rtol=0.02)
