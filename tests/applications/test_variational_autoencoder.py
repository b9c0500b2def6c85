"""The variational autoencoder: its bound, its draws, its samples on real digits."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications import VariationalAutoencoder
from lamina.applications.variational_autoencoder import Sampling


@pytest.fixture(scope="module")
def trained():
    (x, y), (x_test, y_test) = lm.data.digits()
    lm.set_seed(1)
    model = VariationalAutoencoder((8, 8, 1), 4, units=(128,))
    model.compile(lm.optimizers.Adam(2e-3))
    history = model.fit(x, x, epochs=25, batch_size=64, verbose=0)
    return model, history, (x, y), (x_test, y_test)


def test_loss_is_the_bound():
    lm.set_seed(1)
    model = VariationalAutoencoder((6,), 3, units=(5,), beta=0.5)
    model.compile("adam")
    x = np.random.default_rng(0).random((7, 6), "float32")
    mean, log_var = (np.asarray(a, "float64") for a in model.encoder.predict(x, verbose=0))
    y = model.decoder.predict(mean.astype("float32"), verbose=0).astype("float64")
    crossed = -(x * np.log(y) + (1 - x) * np.log(1 - y)).sum(axis=1)
    divergence = -0.5 * (1 + log_var - mean**2 - np.exp(log_var)).sum(axis=1)
    assert model.evaluate(x, x, verbose=0) == pytest.approx((crossed + 0.5 * divergence).mean(), rel=1e-5)


def test_draws_have_the_mean_and_spread():
    mean, log_var = np.full((20_000, 1), 3.0, "float32"), np.full((20_000, 1), np.log(4.0), "float32")
    layer = Sampling(seed=3)
    z = layer([mean, log_var], training=True).numpy()
    assert z.mean() == pytest.approx(3, abs=0.05)
    assert z.std() == pytest.approx(2, abs=0.05)
    assert (layer([mean, log_var]).numpy() == mean).all()


def test_gradients_through_the_draw():
    rows = np.random.default_rng(0).normal(size=(5, 4))
    layer = Sampling(seed=3, dtype="float64")

    def drawn(mean, log_var):
        layer._calls = 0  # the same draw each time
        return layer([mean, log_var], training=True)

    assert lm.grad_check(drawn, [rows[:, :2], rows[:, 2:]])


def test_learns_and_samples_digits(trained):
    model, history, _, (x_test, _) = trained
    losses = history.history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    samples = model.sample(50, seed=2)
    assert samples.shape == (50, 8, 8, 1)
    assert 0 <= samples.min() <= samples.max() <= 1
    assert (samples == model.sample(50, seed=2)).all()
    spread = samples.reshape(50, -1).std(axis=0).mean()
    assert spread > 0.5 * x_test.reshape(len(x_test), -1).std(axis=0).mean()


def test_interpolates(trained):
    model, *_, (x_test, _) = trained
    way = model.interpolate(x_test[0], x_test[1], steps=6)
    ends = model.predict(x_test[:2], verbose=0)
    np.testing.assert_allclose(way[[0, -1]], ends, atol=1e-6)
    steps = np.abs(np.diff(way, axis=0)).mean(axis=(1, 2, 3))
    assert steps.max() < np.abs(ends[0] - ends[1]).mean()
    with pytest.raises(ValueError, match="steps must be at least 2"):
        model.interpolate(x_test[0], x_test[1], steps=1)


def test_saved_and_loaded(trained, tmp_path):
    model, *_ = trained
    model.save(tmp_path / "m.safetensors")
    again = lm.models.load_model(tmp_path / "m.safetensors")
    assert (again.sample(5, seed=1) == model.sample(5, seed=1)).all()


def test_convolutional_form():
    model = VariationalAutoencoder((28, 28, 1), 8, units=(32,), filters=(8, 16))
    assert model.sample(2, seed=1).shape == (2, 28, 28, 1)
    with pytest.raises(ValueError, match="divisible by 4"):
        VariationalAutoencoder((27, 28, 1), filters=(8, 16))
    with pytest.raises(ValueError, match="beta must be"):
        VariationalAutoencoder((4,), beta=-1)


def test_seeds_repeat_every_bit():
    x = np.random.default_rng(0).random((64, 16), "float32")

    def run():
        lm.set_seed(5)
        model = VariationalAutoencoder((16,), 2, units=(8,))
        model.compile("adam")
        model.fit(x, x, epochs=2, verbose=0)
        return np.concatenate([w.ravel() for w in model.get_weights()])

    assert (run() == run()).all()
