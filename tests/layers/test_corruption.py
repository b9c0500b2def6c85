"""MaskingNoise and SaltAndPepperNoise."""

import numpy as np
import pytest

import lamina as lm
from lamina import layers


def test_rates_and_values():
    x = np.full((100, 100), 0.5, "float32")
    masked = layers.MaskingNoise(0.3, seed=1)(x, training=True).numpy()
    assert set(np.unique(masked)) == {0.0, 0.5}
    assert (masked == 0).mean() == pytest.approx(0.3, abs=0.02)
    noisy = layers.SaltAndPepperNoise(0.4, low=-1, high=1, seed=1)(x, training=True).numpy()
    assert set(np.unique(noisy)) == {-1.0, 0.5, 1.0}
    assert (noisy == -1).mean() == pytest.approx(0.2, abs=0.02)
    assert (noisy == 1).mean() == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("kind", [layers.MaskingNoise, layers.SaltAndPepperNoise])
def test_in_inference_seeds_gradients_and_configuration(kind):
    x = np.random.default_rng(0).random((4, 6)).astype("float32")
    assert (kind(0.5)(x).numpy() == x).all()
    assert (kind(0.5, seed=2)(x, training=True).numpy() == kind(0.5, seed=2)(x, training=True).numpy()).all()
    layer = kind(0.5, seed=2)
    assert (layer(x, training=True).numpy() != layer(x, training=True).numpy()).any()  # another draw each time
    t = lm.tensor(x, requires_grad=True)
    y = kind(0.5, seed=2)(t, training=True)
    y.sum().backward()
    assert (t.grad.numpy() == (y.numpy() == x)).all()
    again = kind.from_config(kind(0.25, seed=3, name="noise").get_config())
    assert (again.rate, again.seed, again.name) == (0.25, 3, "noise")


def test_refused():
    with pytest.raises(ValueError, match="rate must be from 0 to 1"):
        layers.MaskingNoise(1.5)
    with pytest.raises(ValueError, match="low must not be above high"):
        layers.SaltAndPepperNoise(0.1, low=1, high=0)
