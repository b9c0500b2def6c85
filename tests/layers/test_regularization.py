import numpy as np
import pytest

import lamina as lm

L = lm.layers
X = {n: np.random.default_rng(n).normal(size=(*(4, 6, 5, 7, 3)[: n - 1], 8)).astype(np.float32) for n in range(2, 6)}
NOISY = [
    (lambda **k: L.SpatialDropout1D(0.5, **k), 3),
    (lambda **k: L.SpatialDropout2D(0.5, **k), 4),
    (lambda **k: L.SpatialDropout3D(0.5, **k), 5),
    (lambda **k: L.GaussianNoise(0.5, **k), 3),
    (lambda **k: L.GaussianDropout(0.5, **k), 2),
    (lambda **k: L.AlphaDropout(0.5, **k), 4),
    (lambda **k: L.AlphaDropout(0.5, noise_shape=(None, 1, 8), **k), 3),
]


@pytest.mark.parametrize(("make", "axes"), NOISY)
def test_noise(make, axes):
    x = X[axes]
    layer = make()
    np.testing.assert_array_equal(layer(x).numpy(), x)
    np.testing.assert_array_equal(layer(x, training=False).numpy(), x)
    lm.set_seed(5)
    first, second = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert (first != second).any()
    assert (first != x).any()
    lm.set_seed(5)
    np.testing.assert_array_equal(make()(x, training=True).numpy(), first)
    own, same = make(seed=3), make(seed=3)
    np.testing.assert_array_equal(own(x, training=True).numpy(), same(x, training=True).numpy())
    assert layer.compute_output_shape((None, *x.shape[1:])) == (None, *x.shape[1:])
    again = type(own).from_config(own.get_config())
    assert again.get_config() == own.get_config()
    np.testing.assert_array_equal(again(x, training=True).numpy(), make(seed=3)(x, training=True).numpy())
    assert make(dtype="float64")(x, training=True).dtype == np.float64
    assert layer(x[:0], training=True).shape == (0, *x.shape[1:])


@pytest.mark.parametrize(("make", "axes"), NOISY[:3])
def test_whole_channels_drop(make, axes):
    y = make(seed=1)(np.ones_like(X[axes]), training=True).numpy()
    flat = y.reshape(4, -1, 8)
    assert (flat == flat[:, :1]).all()
    assert set(np.unique(y)) == {0.0, 2.0}


def test_rate_zero_passes_on():
    for layer in (L.SpatialDropout1D(0), L.GaussianNoise(0), L.GaussianDropout(0), L.AlphaDropout(0)):
        np.testing.assert_array_equal(layer(X[3], training=True).numpy(), X[3])


def test_dropout_with_a_noise_shape():
    y = L.Dropout(0.5, noise_shape=(None, 1, None), seed=1)(np.ones_like(X[3]), training=True).numpy()
    assert (y == y[:, :1]).all()


def test_activity():
    x = X[3]
    model = lm.models.Sequential([L.Input(x.shape[1:]), L.ActivityRegularization(l1=0.25, l2=0.5)])
    model.compile(optimizer="sgd", loss="mean_squared_error")
    loss = model.evaluate(x, x, batch_size=4, verbose=0)
    expected = (0.25 * np.abs(x).sum() + 0.5 * np.square(x).sum()) / 4
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_activity_config():
    layer = L.ActivityRegularization(l1=0.25, l2=0.5)
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer.compute_output_shape((None, 3)) == (None, 3)
    np.testing.assert_array_equal(L.ActivityRegularization()(X[2]).numpy(), X[2])


def test_identity_and_lambda():
    np.testing.assert_array_equal(L.Identity()(X[3]).numpy(), X[3])
    assert L.Identity.from_config(L.Identity(name="same").get_config()).name == "same"
    layer = L.Lambda(lambda x, factor: x * factor, arguments={"factor": 3})
    np.testing.assert_array_equal(layer(X[2]).numpy(), X[2] * 3)
    assert L.Lambda(lambda x: x[:, :2]).compute_output_shape((None, 8)) == (None, 2)
    assert L.Lambda(lambda x: x, output_shape=(5, 2)).compute_output_shape((None, 10)) == (None, 5, 2)
    assert L.Lambda(lambda x: x, output_shape=lambda s: s[:1]).compute_output_shape((None, 10)) == (None,)
    told = L.Lambda(lambda x, training: x + 1 if training else x)
    np.testing.assert_array_equal(told(X[2], training=True).numpy(), X[2] + 1)
    np.testing.assert_array_equal(told(X[2]).numpy(), X[2])
    np.testing.assert_array_equal(L.Lambda(lm.ops.abs)(X[2]).numpy(), np.abs(X[2]))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L.SpatialDropout1D(1.5), ValueError, "spatial_dropout1d.*: rate must be from 0 to 1, got 1.5"),
        (lambda: L.SpatialDropout2D(-0.1), ValueError, "rate must be from 0 to 1"),
        (lambda: L.SpatialDropout2D(0.5, data_format="channels_first"), ValueError, "Transpose first"),
        (lambda: L.SpatialDropout1D(0.5)(X[4], training=True), ValueError, r"x must have shape \(N, T, C\)"),
        (lambda: L.SpatialDropout3D(0.5)(X[4]), ValueError, r"x must have shape \(N, D, H, W, C\)"),
        (lambda: L.GaussianNoise(-1), ValueError, "stddev must be from 0 to 1, got -1"),
        (lambda: L.GaussianNoise(1.5), ValueError, "stddev must be from 0 to 1, got 1.5"),
        (lambda: L.GaussianDropout(1), ValueError, "rate must be at least 0 and below 1, got 1"),
        (lambda: L.AlphaDropout(float("nan")), ValueError, "rate must be at least 0 and below 1, got nan"),
        (lambda: L.AlphaDropout(0.5, (1, 2))(X[2], training=True), ValueError, "noise_shape must have 1, None or"),
        (lambda: L.GaussianNoise(0.5, seed=1.5), TypeError, "seed must be an integer or None"),
        (lambda: L.ActivityRegularization(l1=-1), ValueError, "l1"),
        (lambda: L.Lambda(3), TypeError, "function must be callable"),
        (lambda: L.Lambda(abs, mask=1), TypeError, "mask must be None, an array"),
        (lambda: L.Lambda(lambda x: x).get_config(), ValueError, "a Lambda cannot be saved"),
        (lambda: L.Lambda.from_config({"function": "os.system"}), ValueError, "no code is loaded from a file"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_model_with_a_lambda_is_not_saved(tmp_path):
    model = lm.models.Sequential([L.Input((8,)), L.Lambda(lambda x: x * 2)])
    with pytest.raises(ValueError, match="a Lambda cannot be saved"):
        model.save(tmp_path / "m.safetensors")
