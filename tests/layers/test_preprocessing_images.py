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
    layers.RandomErasing(0.9, (0.1, 0.6), [1.0, 2.0, 3.0], seed=3),
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
def test_random_layers_do_nothing_outside_of_training(layer):
    model = Sequential([again(layer)])
    for y in (layer(PICTURES, training=False).numpy(), model.predict(PICTURES, verbose=0), model(PICTURES).numpy()):
        if isinstance(layer, layers.RandomCrop):
            assert y.shape == (6, 4, 5, 3)
        else:
            np.testing.assert_array_equal(y, PICTURES)


@every_random
def test_called_by_themselves_they_change_pictures_as_in_keras(layer):
    changed = again(layer)(PICTURES, training=True).numpy()
    np.testing.assert_array_equal(again(layer)(PICTURES).numpy(), changed)
    augment, same = again(layer), again(layer)
    data = Dataset.from_arrays(PICTURES).map(lambda x: augment(x)).batch(6)
    other = Dataset.from_arrays(PICTURES).map(lambda x: same(x, training=True)).batch(6)
    np.testing.assert_array_equal(next(iter(data)), next(iter(other)))
    x = lm.Input((8, 9, 3))
    assert lm.Model(x, again(layer)(x)).predict(PICTURES, verbose=0).shape == changed.shape  # no choice is recorded


@every_random
def test_dictionaries_of_images_and_labels(layer):
    labels = np.arange(6)
    both = again(layer)({"images": PICTURES, "labels": labels}, training=True)
    np.testing.assert_array_equal(both["images"].numpy(), again(layer)(PICTURES, training=True).numpy())
    np.testing.assert_array_equal(both["labels"].numpy(), labels)
    assert both["labels"].dtype == np.int64
    one = again(layer)({"images": PICTURES[0], "labels": 3}, training=True)
    assert one["images"].ndim == 3
    assert one["labels"].item() == 3
    still = layer({"images": PICTURES, "labels": labels}, training=False)
    np.testing.assert_array_equal(still["labels"].numpy(), labels)
    with pytest.raises(ValueError, match=r"expected a dictionary of images and labels, got \['images', 'boxes'\]"):
        layer({"images": PICTURES, "boxes": labels})
    with pytest.raises(ValueError, match=r"expected labels for 6 pictures, got shape \(5,\)"):
        layer({"images": PICTURES, "labels": labels[:5]})


MIXING = [layers.MixUp(0.4, seed=3), layers.CutMix(seed=3), layers.CutMix((0.5, 1.0), seed=3)]
every_mixing = pytest.mark.parametrize("layer", MIXING, ids=lambda layer: type(layer).__name__)


@every_mixing
def test_mixing_layers(layer):
    """Pictures of one value each, and labels that name it: their mixtures tell the same shares."""
    count, side = 300, 40
    images = np.broadcast_to(np.arange(count, dtype="float32")[:, None, None, None], (count, side, side, 2))
    data = {"images": images, "labels": np.eye(count, dtype="float32")}
    first = again(layer)
    calls = [{key: value.numpy() for key, value in first(data, training=True).items()} for _ in range(2)]
    same = again(layer)(data)
    for key, value in calls[0].items():
        np.testing.assert_array_equal(same[key].numpy(), value)
        assert not np.array_equal(calls[1][key], value)
        assert value.dtype == np.float32
    found, labels = calls[0]["images"], calls[0]["labels"]
    np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-6)
    assert labels.max(1).min() >= 0.5 - 1e-6
    assert (labels > 0).sum(1).max() == 2
    if isinstance(layer, layers.MixUp):
        np.testing.assert_allclose(found[:, 3, 5, 0], labels @ np.arange(count), rtol=1e-5)
        assert (found == found[:, :1, :1, :1]).all()
    else:
        share = (found == images).mean((1, 2, 3))
        stayed = np.diagonal(labels)
        moved = stayed < 1
        np.testing.assert_allclose(share[moved], stayed[moved], atol=2.1 / side)  # whole points against areas
        np.testing.assert_array_equal(found[..., 0], found[..., 1])
    still = layer(data, training=False)
    np.testing.assert_array_equal(still["images"].numpy(), images)
    np.testing.assert_array_equal(still["labels"].numpy(), data["labels"])
    np.testing.assert_allclose(again(layer)(images[7], training=True).numpy(), images[7], rtol=1e-6)  # with itself
    assert again(layer)(images[:0], training=True).shape == (0, side, side, 2)
    whole = again(layer)({"images": images, "labels": np.eye(count, dtype="int64")}, training=True)
    np.testing.assert_array_equal(whole["labels"].numpy(), labels)
    assert again(layer).get_config() == layer.get_config()


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0])
def test_shares_are_drawn_from_a_beta_distribution(alpha):
    shares = layers.MixUp(alpha, seed=1)._weights(20_000)
    assert 0 <= shares.min() < shares.max() <= 1
    np.testing.assert_allclose(shares.mean(), 0.5, atol=0.015)
    np.testing.assert_allclose(shares.var(), 1 / (4 * (2 * alpha + 1)), rtol=0.03)


def test_erasing():
    x = np.zeros((500, 20, 20, 3), "float32")
    y = layers.RandomErasing((1.0, 1.0), (0.25, 0.25), 7.0, seed=1)(x).numpy()
    assert ((y == 7).sum((1, 2, 3)) == 300).all()
    never = layers.RandomErasing((0.0, 0.0), fill_value=7.0)(x).numpy()
    assert not never.any()
    some = layers.RandomErasing((0.5, 0.5), (0.5, 0.5), 7.0, seed=1)(x).numpy()
    assert 0.4 < some.any((1, 2, 3)).mean() < 0.6
    noise = layers.RandomErasing((1.0, 1.0), (1.0, 1.0), value_range=(0, 1), seed=1)(x).numpy()
    assert (noise.min(), noise.max()) == (0, 1)
    assert 0.45 < (noise == 0).mean() < 0.55
    assert 0.1 < (noise == 1).mean() < 0.22
    np.testing.assert_array_equal(layers.RandomErasing((1.0, 1.0), (1.0, 1.0), None, (0, 1), seed=1)(x[:3]), noise[:3])
    cut = layers.RandomErasing((1.0, 1.0), (1.0, 1.0), [1.0, 300.0, -5.0])(x).numpy()
    assert cut[0, 0, 0].tolist() == [1, 255, 0]


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
    np.testing.assert_array_equal(small, lm.ops.resize(x, (6, 8)).numpy())


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


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
def test_resizing(interpolation, antialias):
    def resized(x, *size):
        return layers.Resizing(*size, interpolation, antialias=antialias, dtype="float64")(x).numpy()

    flat = np.full((1, 5, 7, 2), 3.0)
    for size in ((5, 7), (2, 3), (11, 20), (1, 1)):
        np.testing.assert_allclose(resized(flat, *size), 3.0, rtol=1e-14)
    images = np.random.default_rng(1).standard_normal((3, 6, 8, 2))
    y = resized(images, 4, 13)
    np.testing.assert_array_equal(resized(images[1:2], 4, 13), y[1:2])
    np.testing.assert_array_equal(resized(images[2], 4, 13), y[2])
    np.testing.assert_array_equal(lm.ops.resize(images, (4, 13), interpolation, antialias).numpy(), y)
    layer = layers.Resizing(4, 13, interpolation, antialias=antialias, dtype="float64")
    assert again(layer).get_config() == layer.get_config()
    lm.grad_check(layer, [images])


def test_resizing_values():
    def resized(x, width, interpolation, antialias=False):
        return layers.Resizing(1, width, interpolation, antialias=antialias)(x).numpy().ravel()

    x = np.array([0.0, 1.0, 2.0, 3.0]).reshape(1, 1, 4, 1)
    assert resized(x, 2, "nearest").tolist() == [1, 3]
    assert resized(x, 2, "bilinear").tolist() == [0.5, 2.5]
    assert resized(x, 8, "bilinear").tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]
    averaged = resized(np.arange(8.0).reshape(1, 1, 8, 1), 2, "bilinear", antialias=True)
    np.testing.assert_allclose(averaged.sum(), 7.0)


def test_resizing_keeps_proportions():
    x = np.ones((1, 4, 8, 1), "float32")
    padded = layers.Resizing(6, 6, "nearest", pad_to_aspect_ratio=True, fill_value=5.0)(x).numpy()
    assert padded[0, :, 0, 0].tolist() == [5, 1, 1, 1, 5, 5]  # rows 0, 2, 3, 4, 6, 7 of 5 5 1 1 1 1 5 5
    assert layers.Resizing(6, 6, crop_to_aspect_ratio=True)(x).shape == (1, 6, 6, 1)
    assert layers.CenterCrop(2, 3)(x[0]).shape == (2, 3, 1)
    with pytest.raises(ValueError, match=r"must have shape \(N, H, W, C\) or \(H, W, C\), got \(4, 8\)"):
        layers.CenterCrop(2, 3)(x[0, :, :, 0])
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
    (lambda: layers.RandomFlip()(lm.tensor(PICTURES, requires_grad=True)), ValueError, "has no gradient"),
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
    (lambda: layers.MixUp(0), ValueError, "alpha must be above 0 and at most 1, got 0"),
    (lambda: layers.MixUp("a"), ValueError, "alpha must be above 0 and at most 1, got 'a'"),
    (lambda: layers.MixUp()({"images": PICTURES, "labels": np.arange(6)}), ValueError, "labels must be one-hot"),
    (lambda: layers.CutMix((0.5, 1.5)), ValueError, "factor must lie from 0 to 1"),
    (lambda: layers.RandomErasing(2.0), ValueError, "factor must lie from 0 to 1"),
    (lambda: layers.RandomErasing(scale=(-0.1, 0.5)), ValueError, "scale must lie from 0 to 1"),
    (lambda: layers.RandomErasing(fill_value=[1.0, 2.0]), ValueError, "a number, three of them, or None, got"),
    (lambda: layers.RandomErasing(fill_value=[1, 2, 3])(np.ones((1, 2, 2, 1))), ValueError, "for 3 channels, got 1"),
], ids=lambda v: v if isinstance(v, str) else "")  # fmt: skip
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
