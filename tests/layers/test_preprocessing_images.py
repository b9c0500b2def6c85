"""Layers for pictures: resampling, draws, independence, configurations, refusals."""

import json

import numpy as np
import pytest

import lamina as lm
from lamina import layers
from lamina.data import Dataset, resample
from lamina.models import Sequential

RANDOM = [
    layers.RandomFlip("horizontal", seed=3), layers.RandomFlip(seed=3), layers.RandomRotation(0.3, seed=3),
    layers.RandomRotation((0.0, 0.2), "constant", "nearest", seed=3, fill_value=9.0),
    layers.RandomTranslation(0.3, (-0.2, 0.5), "wrap", seed=3), layers.RandomZoom(0.4, seed=3),
    layers.RandomZoom((-0.4, 0.1), 0.2, "nearest", seed=3), layers.RandomShear(0.4, (0.1, 0.3), seed=3),
    layers.RandomCrop(4, 5, seed=3), layers.RandomContrast(0.5, seed=3), layers.RandomBrightness(0.3, seed=3),
    layers.RandomGrayscale(0.5, seed=3), layers.RandomInvert((0.2, 0.9), (0.0, 100.0), seed=3),
]  # fmt: skip
PICTURES = (np.random.default_rng(0).random((6, 8, 9, 3)) * 100).astype("float32")
every_random = pytest.mark.parametrize("layer", RANDOM, ids=lambda layer: type(layer).__name__)


def again(layer):
    """The layer made anew from its configuration, by way of JSON."""
    return type(layer).from_config(json.loads(json.dumps(layer.get_config(), allow_nan=False)))


@every_random
def test_random_layers(layer):
    first, second = (again(layer) for _ in range(2))
    assert first.get_config() == layer.get_config()
    calls = [first(PICTURES, training=True).numpy() for _ in range(3)]
    for call in calls:
        np.testing.assert_array_equal(call, second(PICTURES, training=True).numpy())  # by seed
        assert call.shape == layer.compute_output_shape(PICTURES.shape)
        assert call.dtype == np.float32
    assert not np.array_equal(calls[0], calls[1])  # each call draws anew
    same = np.repeat(PICTURES[:1], 40, 0)
    assert len({picture.tobytes() for picture in again(layer)(same, training=True).numpy()}) > 1  # each picture, too
    np.testing.assert_array_equal(again(layer)(PICTURES[:2], training=True).numpy(), calls[0][:2])  # whatever the batch
    single = again(layer)(PICTURES[0], training=True).numpy()
    np.testing.assert_array_equal(single, calls[0][0])
    assert again(layer)(PICTURES[:0], training=True).shape == (0, *calls[0].shape[1:])
    integers = again(layer)(PICTURES.astype("uint8"), training=True)
    assert integers.dtype == np.float32
    double = type(layer).from_config({**layer.get_config(), "dtype": "float64"})(PICTURES, training=True)
    assert double.dtype == np.float64
    np.testing.assert_allclose(double.numpy(), calls[0], atol=1e-3)


@every_random
def test_random_layers_do_nothing_otherwise(layer):
    for training in (None, False):
        y = layer(PICTURES, training=training).numpy()
        if isinstance(layer, layers.RandomCrop):
            assert y.shape == (6, 4, 5, 3)
        else:
            np.testing.assert_array_equal(y, PICTURES)


@every_random
def test_global_seed(layer):
    unseeded = type(layer).from_config({**layer.get_config(), "seed": None})
    results = []
    for _ in range(2):
        lm.set_seed(11)
        results.append([unseeded(PICTURES, training=True).numpy() for _ in range(2)])
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0][0], results[0][1])


@every_random
def test_threads_do_not_change_the_draws(layer):
    def passes(threads, seed=1):
        augment = again(layer)
        data = Dataset.from_arrays(PICTURES).map(lambda x: augment(x, training=True), threads=threads, seed=seed)
        data = data.batch(4)
        return [np.concatenate(list(data)) for _ in range(2)]

    alone, threaded = passes(0), passes(4)
    np.testing.assert_array_equal(alone, threaded)
    assert not np.array_equal(alone[0], alone[1])
    assert not np.array_equal(alone[0], passes(0, seed=2)[0])


def test_in_a_model():
    model = Sequential([layers.Rescaling(1 / 100, input_shape=(8, 9, 3)), layers.RandomFlip(seed=1),
                        layers.RandomCrop(4, 4, seed=1), layers.Flatten(), layers.Dense(2)])  # fmt: skip
    model.compile(optimizer="sgd", loss="mse")
    model.fit(PICTURES, np.zeros((6, 2), "float32"), epochs=2, verbose=0)
    np.testing.assert_array_equal(model.predict(PICTURES, verbose=0), model.predict(PICTURES, verbose=0))
    same = Sequential.from_config(json.loads(json.dumps(model.get_config())))
    same.set_weights(model.get_weights())
    np.testing.assert_array_equal(same.predict(PICTURES, verbose=0), model.predict(PICTURES, verbose=0))


def test_factors_of_numpy():
    for factor in (np.float32(0.25), (np.float64(-0.25), np.float32(0.25)), np.array(0.25)):
        assert layers.RandomRotation(factor).factor == (-0.25, 0.25)
        assert again(layers.RandomTranslation(factor, 0)).height_factor == (-0.25, 0.25)
    assert layers.RandomGrayscale(np.float32(0.5)).factor == 0.5


def test_flip_and_crop_only_move_points():
    x = np.arange(12, dtype="float32").reshape(1, 3, 4, 1)
    for mode, flipped in (("horizontal", x[:, :, ::-1]), ("vertical", x[:, ::-1]),
                          ("horizontal_and_vertical", x[:, ::-1, ::-1])):  # fmt: skip
        found = layers.RandomFlip(mode, seed=0)(np.repeat(x, 200, 0), training=True).numpy()
        share = np.mean([np.array_equal(y, flipped[0]) for y in found])
        assert np.all([np.array_equal(y, flipped[0]) or np.array_equal(y, x[0]) for y in found])
        assert 0.35 < share < 0.65
    crops = layers.RandomCrop(2, 2, seed=0)(np.repeat(x, 300, 0), training=True).numpy()
    assert {int(crop[0, 0, 0]) for crop in crops} == {0, 1, 2, 4, 5, 6}
    assert all((crop.ravel() - crop[0, 0, 0]).tolist() == [0, 1, 4, 5] for crop in crops)
    small = layers.RandomCrop(6, 8, seed=0)(x, training=True).numpy()
    np.testing.assert_array_equal(small, resample.resize(x, 6, 8))


def test_contrast_and_brightness_stay_in_range():
    for layer in (layers.RandomContrast(1.0, (10, 90), seed=1), layers.RandomBrightness(1.0, (10, 90), seed=1)):
        y = layer(PICTURES, training=True).numpy()
        assert y.min() >= 10
        assert y.max() <= 90
    narrow = (PICTURES * 0.1 + 100).astype("float32")
    y = layers.RandomContrast((0.9, 0.9), seed=2)(narrow, training=True).numpy()
    np.testing.assert_allclose(y.mean((1, 2)), narrow.mean((1, 2)), rtol=1e-5)
    scale = (y - narrow.mean((1, 2), keepdims=True)) / (narrow - narrow.mean((1, 2), keepdims=True))
    assert 0.1 < scale[0].min() <= scale[0].max() + 1e-3
    np.testing.assert_allclose(np.median(scale, (1, 2, 3)), scale[:, 0, 0, 0], rtol=1e-2)


# Resampling


def test_sin_cos():
    turns = np.concatenate([np.linspace(-1, 1, 4001), np.arange(-8, 9) / 8])
    sine, cosine = resample.sin_cos(turns)
    np.testing.assert_allclose(sine, np.sin(2 * np.pi * turns), atol=4e-16)
    np.testing.assert_allclose(cosine, np.cos(2 * np.pi * turns), atol=4e-16)
    assert resample.sin_cos(np.array([0.25, 0.5, -0.75]))[0].tolist() == [1.0, 0.0, 1.0]


def slow_affine(image, a, fill_mode, fill_value):
    """One picture, point by point."""
    height, width = image.shape[:2]

    def at(row, column):
        inside = 0 <= row < height and 0 <= column < width
        if fill_mode == "constant":
            return image[row, column] if inside else np.full(image.shape[2], fill_value)
        if fill_mode == "nearest":
            return image[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
        if fill_mode == "wrap":
            return image[row % height, column % width]
        return np.pad(image, ((9 * height,) * 2, (9 * width,) * 2, (0, 0)), "symmetric")[
            row + 9 * height, column + 9 * width
        ]

    y = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            u, v = a[0] * column + a[1] * row + a[2], a[3] * column + a[4] * row + a[5]
            left, top = int(np.floor(u)), int(np.floor(v))
            p, q = u - left, v - top
            y[row, column] = (at(top, left) * (1 - q) * (1 - p) + at(top, left + 1) * (1 - q) * p
                              + at(top + 1, left) * q * (1 - p) + at(top + 1, left + 1) * q * p)  # fmt: skip
    return y


@pytest.mark.parametrize("fill_mode", resample.FILL_MODES)
def test_affine(fill_mode):
    rng = np.random.default_rng(5)
    images = rng.standard_normal((5, 4, 6, 2))
    maps = rng.standard_normal((5, 6)) * [1.5, 1, 5, 1, 1.5, 5]
    y = resample.affine(images, maps, "bilinear", fill_mode, 0.5)
    for i in range(5):
        np.testing.assert_allclose(y[i], slow_affine(images[i], maps[i], fill_mode, 0.5), atol=1e-12)
        np.testing.assert_array_equal(
            y[i], resample.affine(images[i : i + 1], maps[i : i + 1], "bilinear", fill_mode, 0.5)[0]
        )
    identity = np.tile([1.0, 0, 0, 0, 1, 0], (5, 1))
    for interpolation in resample.AFFINE:
        np.testing.assert_array_equal(resample.affine(images, identity, interpolation, fill_mode), images)


def test_affine_in_parts_gives_the_same_bits(monkeypatch):
    maps = resample.rotations(np.linspace(0, 1, 6), 8, 9)
    whole = resample.affine(PICTURES, maps, "bilinear", "reflect")
    monkeypatch.setattr(resample, "PART", 500)
    np.testing.assert_array_equal(resample.affine(PICTURES, maps, "bilinear", "reflect"), whole)
    far = np.array([[1e300, 0, 1e300, 0, -1e300, 0]])
    assert np.isfinite(resample.affine(PICTURES[:1], far, "nearest", "wrap")).all()


def test_quarter_turns_and_steps_are_exact():
    x = np.arange(18, dtype="float32").reshape(1, 3, 3, 2)
    for quarters in range(4):
        y = layers.RandomRotation((quarters / 4, quarters / 4))(x, training=True).numpy()
        np.testing.assert_allclose(y[0], np.rot90(x[0], quarters), atol=1e-5)
    down = layers.RandomTranslation((1 / 3, 1 / 3), 0, "wrap")(x, training=True).numpy()
    np.testing.assert_allclose(down, np.roll(x, 1, axis=1), atol=1e-5)
    zoomed = layers.RandomZoom((0.0, 0.0))(x, training=True).numpy()
    np.testing.assert_array_equal(zoomed, x)


@pytest.mark.parametrize("interpolation", resample.RESIZE)
@pytest.mark.parametrize("antialias", [False, True])
def test_resize(interpolation, antialias):
    flat = np.full((1, 5, 7, 2), 3.0)
    for size in ((5, 7), (2, 3), (11, 20), (1, 1)):
        np.testing.assert_allclose(resample.resize(flat, *size, interpolation, antialias), 3.0, rtol=1e-14)
    images = np.random.default_rng(1).standard_normal((3, 6, 8, 2))
    y = resample.resize(images, 4, 13, interpolation, antialias)
    np.testing.assert_array_equal(y[1:2], resample.resize(images[1:2], 4, 13, interpolation, antialias))
    layer = layers.Resizing(4, 13, interpolation, antialias=antialias, dtype="float64")
    np.testing.assert_array_equal(
        layer(images).numpy(), y if interpolation != "nearest" else resample.resize(images, 4, 13, "nearest")
    )
    assert again(layer).get_config() == layer.get_config()


def test_resize_values():
    x = np.array([0.0, 1.0, 2.0, 3.0]).reshape(1, 1, 4, 1)
    assert resample.resize(x, 1, 2, "nearest").ravel().tolist() == [1, 3]
    assert resample.resize(x, 1, 2, "bilinear").ravel().tolist() == [0.5, 2.5]
    assert resample.resize(x, 1, 8, "bilinear").ravel().tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]
    averaged = resample.resize(np.arange(8.0).reshape(1, 1, 8, 1), 1, 2, "bilinear", antialias=True).ravel()
    np.testing.assert_allclose(averaged.sum(), 7.0)


def test_resizing_keeps_proportions():
    x = np.ones((1, 4, 8, 1), "float32")
    padded = layers.Resizing(6, 6, "nearest", pad_to_aspect_ratio=True, fill_value=5.0)(x).numpy()
    assert padded[0, :, 0, 0].tolist() == [5, 1, 1, 1, 5, 5]  # rows 0, 2, 3, 4, 6, 7 of 5 5 1 1 1 1 5 5
    assert layers.Resizing(6, 6, crop_to_aspect_ratio=True)(x).shape == (1, 6, 6, 1)
    assert layers.CenterCrop(2, 3)(x[0]).shape == (2, 3, 1)
    assert layers.CenterCrop(9, 3)(x).shape == (1, 9, 3, 1)
    gradient = lm.tensor(x, requires_grad=True)
    layers.CenterCrop(2, 2)(gradient).sum().backward()
    assert gradient.grad.numpy().sum() == 4


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: layers.Resizing(0, 3), ValueError, "height must be a positive integer"),
    (lambda: layers.Resizing(3.5, 3), TypeError, "height"),
    (lambda: layers.Resizing(3, 3, "lanczos3"), ValueError, "interpolation must be 'nearest' or 'bilinear'"),
    (lambda: layers.Resizing(3, 3, "area"), ValueError, "got 'area'"),
    (lambda: layers.Resizing(3, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), ValueError, "exclude"),
    (lambda: layers.Resizing(3, 3, fill_mode="edge"), ValueError, "fill_mode"),
    (lambda: layers.Resizing(3, 3, data_format="channels_first"), ValueError, "channels_first"),
    (lambda: layers.Resizing(3, 3)(np.ones((2, 3))), ValueError, r"must have shape \(N, H, W, C\) or \(H, W, C\)"),
    (lambda: layers.Resizing(3, 3)(np.ones((1, 0, 3, 1))), ValueError, "no points"),
    (lambda: layers.Resizing(3, 3)(lm.tensor(PICTURES, requires_grad=True)), ValueError, "has no gradient"),
    (lambda: layers.RandomFlip("diagonal"), ValueError, "mode must be"),
    (lambda: layers.RandomFlip(seed=1.5), TypeError, "seed must be an integer"),
    (lambda: layers.RandomRotation(1.5), ValueError, "factor must lie from -1 to 1, got 1.5"),
    (lambda: layers.RandomRotation("a"), ValueError, "a number or two"),
    (lambda: layers.RandomRotation((0.1, 0.2, 0.3)), ValueError, "a number or two"),
    (lambda: layers.RandomRotation(float("nan")), ValueError, "must lie"),
    (lambda: layers.RandomRotation(0.1, "mirror"), ValueError, "fill_mode must be"),
    (lambda: layers.RandomRotation(0.1, interpolation="bicubic"), ValueError, "interpolation must be"),
    (lambda: layers.RandomTranslation(2, 0), ValueError, "height_factor must lie"),
    (lambda: layers.RandomZoom((-1.0, 0.0)), ValueError, "more than -1"),
    (lambda: layers.RandomZoom(0.1, 1.5), ValueError, "width_factor must lie"),
    (lambda: layers.RandomShear(-0.1), ValueError, "x_factor must lie from 0 to 1"),
    (lambda: layers.RandomCrop(-1, 3), ValueError, "height"),
    (lambda: layers.RandomContrast(1.5), ValueError, "factor must lie"),
    (lambda: layers.RandomContrast((0.5, 2.0)), ValueError, "from 0 to 1"),
    (lambda: layers.RandomBrightness(0.1, (5, 5)), ValueError, "value_range"),
    (lambda: layers.RandomGrayscale(2.0), ValueError, "from 0 to 1"),
    (lambda: layers.RandomZoom(("a", 0.1)), TypeError, "height_factor must hold numbers"),
    (lambda: layers.RandomGrayscale(1.0)(np.ones((1, 2, 2, 1)), training=True), ValueError, "3 channels, got 1"),
    (lambda: layers.RandomInvert(-1), ValueError, "factor"),
    (lambda: layers.RandomFlip()(np.ones((2, 3)), training=True), ValueError, "must have shape"),
], ids=lambda v: v if isinstance(v, str) else "")  # fmt: skip
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
