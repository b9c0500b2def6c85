"""U-Net: published counts, sizes, what is refused; it learns."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications.unet import UNet, output_size


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
