"""lamina.activations: names, and their use in layers."""

import numpy as np
import pytest

import lamina as lm
from lamina import activations, layers

X = np.random.default_rng(0).normal(size=(2, 6)).astype("float32")


@pytest.mark.parametrize("name", activations.names)
def test_every_name_works_in_a_layer(name):
    y = layers.Activation(name)(X)
    np.testing.assert_array_equal(y.numpy(), activations.get(name)(lm.tensor(X)).numpy())
    dense = layers.Dense(4, activation=name)
    assert np.isfinite(dense(X).numpy()).all()
    saved = dense.get_config()["activation"]
    assert activations.get(saved) is activations.get(name)
    assert getattr(activations, name) is activations.get(name)
    assert activations.deserialize(activations.serialize(activations.get(name))) is activations.get(name)


def test_get():
    assert activations.get(None) is activations.linear
    assert activations.get(np.tanh) is np.tanh
    for unknown in ("rulu", 3, ["relu"]):
        with pytest.raises(ValueError, match="activations: expected a function or one of"):
            activations.get(unknown)
    with pytest.raises(ValueError, match="cannot be saved"):
        activations.serialize(np.tanh)
