"""U-Net: published counts, sizes, what is refused; it learns."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications.unet import UNet, border_weights, output_size, predict_tiles


def test_the_papers_network():
    model = UNet()
    assert model.count_params() == 31_030_658
    assert model.input_shape == (None, 572, 572, 1)
    assert model.output_shape == (None, 388, 388, 2)


def test_the_padded_network_with_batch_normalisation():
    model = UNet((64, 96, 3), 1, padding="same", batch_normalization=True, classifier_activation="sigmoid")
    trained = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert trained == 31_037_633
    assert model.output_shape == (None, 64, 96, 1)


@pytest.mark.parametrize(
    ("padding", "size", "depth"), [("valid", 44, 2), ("valid", 188, 4), ("same", 32, 4), ("same", 6, 1)]
)
def test_sizes(padding, size, depth):
    model = UNet((size, size, 2), 3, filters=2, depth=depth, padding=padding)
    y = model.predict(np.random.default_rng(0).random((2, size, size, 2), "float32"), verbose=0)
    assert y.shape == (2, output_size(size, depth, padding), output_size(size, depth, padding), 3)
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_gradients_reach_every_weight(padding):
    lm.set_seed(0)
    model = UNet((44, 44, 1), 2, filters=4, depth=2, padding=padding, batch_normalization=True, dropout=0.2)
    x = np.random.default_rng(0).standard_normal((2, 44, 44, 1)).astype("float32")
    y = model(x, training=True)
    (y[..., 0] * y[..., 0]).sum().backward()
    for w in model.trainable_weights:
        assert w.grad is not None, w.name
        assert np.abs(w.grad.numpy()).max() > 0, w.name


def test_valid_sees_whole_surroundings_only():
    """A translation by the network's stride moves the answer: no border is padded."""
    lm.set_seed(1)
    model = UNet((60, 60, 1), 2, filters=3, depth=2)
    x = np.random.default_rng(1).random((1, 64, 64, 1), "float32")
    a, b = model.predict(x[:, :60, :60], verbose=0), model.predict(x[:, 4:, 4:], verbose=0)
    np.testing.assert_array_equal(a[:, 4:, 4:], b[:, :-4, :-4])


def test_any_size_when_padded():
    model = UNet((None, None, 1), 2, filters=2, depth=2, padding="same")
    for size in ((8, 12), (16, 4)):
        assert model(np.zeros((1, *size, 1), "float32")).shape == (1, *size, 2)
    with pytest.raises(ValueError, match="oncatenate"):
        model(np.zeros((1, 10, 12, 1), "float32"))


def test_learns_a_shape():
    lm.set_seed(0)
    draw = np.random.default_rng(0)
    x = draw.normal(0, 0.2, (64, 16, 16, 1)).astype("float32")
    y = np.zeros((64, 16, 16), "int64")
    for picture, truth in zip(x, y, strict=True):
        top, left = draw.integers(0, 9, 2)
        truth[top : top + 7, left : left + 7] = 1
        picture[top : top + 7, left : left + 7] += 1
    model = UNet((16, 16, 1), 2, filters=8, depth=2, padding="same", batch_normalization=True)
    model.compile(lm.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    model.fit(x[:48], y[:48], epochs=6, batch_size=8, verbose=0)
    iou = lm.metrics.MeanIoU(2, sparse_y_pred=False)
    assert iou(y[48:], model.predict(x[48:], verbose=0)) > 0.95


def test_saves_and_loads(tmp_path):
    model = UNet((44, 44, 1), 2, filters=2, depth=2, batch_normalization=True, dropout=0.5)
    x = np.random.default_rng(0).random((1, 44, 44, 1), "float32")
    model.save(tmp_path / "unet.safetensors")
    again = lm.models.load_model(tmp_path / "unet.safetensors")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"input_shape": (570, 572, 1)}, ValueError, "height 570 does not halve evenly 4 times .*556 and 572$"),
        ({"input_shape": (572, 580, 1)}, ValueError, "width 580 .*572 and 588$"),
        ({"input_shape": (20, 20, 1)}, ValueError, "height 20 .* the nearest that do: 188$"),
        ({"input_shape": (100, 96, 3), "padding": "same"}, ValueError, "height 100 .*96 and 112$"),
        ({"input_shape": (None, 572, 1)}, TypeError, "height must be an integer"),
        ({"input_shape": (572, 572)}, ValueError, r"input_shape must be \(height, width, channels\)"),
        ({"input_shape": (572, 572, 0)}, ValueError, "channels must be at least 1, got 0"),
        ({"input_shape": (572, 572, None)}, TypeError, "channels must be an integer, got None"),
        ({"padding": "full"}, ValueError, 'padding must be "valid" or "same"'),
        ({"classes": 0}, ValueError, "classes must be at least 1"),
        ({"classes": 1}, ValueError, 'the softmax of 1 class is 1 everywhere; give classifier_activation="sigmoid"'),
        ({"classes": 1, "classifier_activation": lm.activations.softmax}, ValueError, "the softmax of 1 class"),
        ({"filters": 2.5}, TypeError, "filters must be an integer"),
        ({"depth": 11}, ValueError, "depth must be at most 10"),
    ],
)
def test_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        UNet(**arguments)


def test_another_number_of_channels_is_refused():
    model = UNet((16, 16, 3), 2, filters=2, depth=1, padding="same")
    with pytest.raises(ValueError, match="3"):
        model(np.zeros((1, 16, 16, 1), "float32"))


def test_tiles_are_what_the_network_says_of_the_whole():
    lm.set_seed(2)
    whole, tile = UNet((76, 92, 2), 3, filters=3, depth=2), UNet((52, 52, 2), 3, filters=3, depth=2)
    tile.set_weights(whole.get_weights())
    x = np.random.default_rng(0).random((2, 36, 52, 2), "float32")
    assert whole.output_shape[1:3] == (36, 52)
    mirrored = np.pad(x, ((0, 0), (20, 20), (20, 20), (0, 0)), mode="symmetric")
    tiled = predict_tiles(tile, x)
    np.testing.assert_allclose(tiled, whole.predict(mirrored, verbose=0), atol=1e-5)
    assert predict_tiles(UNet((44, 44, 1), filters=2, depth=2), np.zeros((1, 5, 3, 1))).shape == (1, 5, 3, 2)


def test_tiles_refuse():
    padded = UNet((16, 16, 1), filters=2, depth=1, padding="same")
    with pytest.raises(ValueError, match='padding "valid"'):
        predict_tiles(padded, np.zeros((1, 16, 16, 1)))
    with pytest.raises(ValueError, match=r"shape \(N, H, W, C\)"):
        predict_tiles(UNet((44, 44, 1), filters=2, depth=2), np.zeros((16, 16, 1)))


def test_weights_between_objects():
    draw = np.random.default_rng(0)
    objects = np.zeros((24, 30), int)
    for number in range(1, 5):
        top, left = draw.integers(0, 20), draw.integers(0, 26)
        objects[top : top + 4, left : left + 4] = number
    weights = border_weights(objects, w0=7.0, sigma=3.0, balance=False)
    places = np.argwhere(objects >= 0).reshape(24, 30, 1, 2)
    distances = [
        np.sqrt(((places - np.argwhere(objects == n)) ** 2).sum(-1).min(axis=-1))
        for n in np.unique(objects[objects > 0])
    ]
    first, second = np.sort(distances, axis=0)[:2]
    wanted = 1 + np.where(objects == 0, 7 * np.exp(-((first + second) ** 2) / 18), 0)
    np.testing.assert_allclose(weights, wanted, atol=1e-5)
    balanced = border_weights(objects, w0=0.0)
    assert balanced[objects > 0].sum() == pytest.approx(balanced[objects == 0].sum(), rel=1e-4)
    assert (border_weights(np.zeros((3, 3))) == 1).all()
    with pytest.raises(ValueError, match=r"shape \(H, W\)"):
        border_weights([1, 2])
    with pytest.raises(ValueError, match="sigma"):
        border_weights([[1]], sigma=0)


def test_weights_go_into_fit():
    model = UNet((16, 16, 1), 2, filters=2, depth=1, padding="same")
    model.compile("sgd", "sparse_categorical_crossentropy")
    objects = np.zeros((4, 16, 16), int)
    objects[:, 2:6, 2:6], objects[:, 2:6, 7:11] = 1, 2
    weights = np.stack([border_weights(o) for o in objects])
    model.fit(np.ones((4, 16, 16, 1)), objects > 0, sample_weight=weights, epochs=1, verbose=0)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_the_same_bits_for_any_number_of_threads(padding):
    x = np.random.default_rng(0).random((4, 44, 44, 1), "float32")
    size = output_size(44, 2, padding)
    y = np.random.default_rng(1).integers(0, 2, (4, size, size))
    trained = []
    for threads in (1, 2):
        lm.set_num_threads(threads)
        lm.set_seed(0)
        model = UNet((44, 44, 1), 2, filters=4, depth=2, padding=padding, batch_normalization=True, dropout=0.3)
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=2, batch_size=2, verbose=0)
        trained.append(model.get_weights())
    for a, b in zip(*trained, strict=True):
        np.testing.assert_array_equal(a, b)


def test_on_a_gpu():
    lm.set_seed(0)
    x = np.random.default_rng(0).random((1, 16, 16, 1), "float32")
    model = UNet((16, 16, 1), 2, filters=2, depth=1, padding="same", batch_normalization=True)
    with lm.device("cuda"):
        there = UNet((16, 16, 1), 2, filters=2, depth=1, padding="same", batch_normalization=True)
        there.set_weights(model.get_weights())
        y = there(x)
        assert y.device == "cuda"
    np.testing.assert_allclose(lm.ops.to(y, "cpu").numpy(), model(x).numpy(), rtol=1e-5, atol=1e-6)
