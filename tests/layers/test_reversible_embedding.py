"""ReversibleEmbedding and TransformerPositions."""

import json

import numpy as np
import pytest

import lamina as lm
from lamina.layers import ReversibleEmbedding, TransformerPositions

TOKENS = np.array([[1, 4, 0], [2, 2, 3]])
X = np.random.default_rng(0).normal(size=(2, 3, 6)).astype("float32")


def test_both_directions_share_vectors():
    layer = ReversibleEmbedding(5, 6, mask_zero=True)
    y = layer(TOKENS)
    table = layer.get_weights()[0]
    np.testing.assert_array_equal(y.numpy(), table[TOKENS])
    np.testing.assert_array_equal(y._mask.numpy(), TOKENS != 0)
    logits = layer(y, reverse=True)
    np.testing.assert_allclose(logits.numpy(), table[TOKENS] @ table.T, atol=1e-5)
    np.testing.assert_array_equal(logits._mask.numpy(), TOKENS != 0)
    logits.sum().backward()
    counts = np.bincount(TOKENS.ravel(), minlength=5)[:, None]
    expected = counts * table.sum(0) + table[TOKENS].sum((0, 1))
    np.testing.assert_allclose(layer.weights[0].grad.numpy(), expected, atol=1e-5)


def test_a_matrix_of_its_own():
    layer = ReversibleEmbedding(5, 6, tie_weights=False)
    layer(TOKENS)
    assert [w.shape for w in layer.get_weights()] == [(5, 6), (6, 5)]
    np.testing.assert_allclose(layer(X, reverse=True).numpy(), X @ layer.get_weights()[1], atol=1e-5)
    with pytest.raises(ValueError, match=r"reverse: x must have shape \(..., 6\), got \(2, 3, 5\)"):
        layer(X[..., :5], reverse=True)


def test_positions():
    sines = lm.ops.sine_positions(9, 6).numpy()
    layer = TransformerPositions(9)
    np.testing.assert_allclose(layer(X).numpy(), np.float32(6**0.5) * X + sines[:3], atol=1e-6)
    np.testing.assert_allclose(layer(X, start_index=6).numpy(), np.float32(6**0.5) * X + sines[6:], atol=1e-6)
    learned = TransformerPositions(9, "learned", scale=False)
    y = learned(X, start_index=1).numpy()
    np.testing.assert_allclose(y, X + learned.get_weights()[0][1:4], atol=1e-6)
    with pytest.raises(ValueError, match="there are 9 positions, from 0 to 8; got a sequence from 7 to 9"):
        layer(X, start_index=7)
    with pytest.raises(ValueError, match=r"x must have shape \(B, T, features\), got \(None, 6\)"):
        TransformerPositions(9)(X[0])
    noisy = TransformerPositions(9, dropout=0.5)
    assert (noisy(X, training=True).numpy() == 0).any()


def test_configurations_are_json():
    for layer in (ReversibleEmbedding(5, 6, False, mask_zero=True), TransformerPositions(9, "learned", dropout=0.1)):
        config = json.loads(json.dumps(layer.get_config()))
        assert json.loads(json.dumps(type(layer).from_config(config).get_config())) == config


def test_the_schedule_is_the_papers():
    rate = lm.optimizers.schedules.InverseSquareRoot(512, 4000, 2.0)
    for step in (0, 10, 3999, 4000, 100_000):
        n = step + 1
        assert rate(step) == pytest.approx(2 * 512**-0.5 * min(n**-0.5, n * 4000**-1.5))
    assert lm.optimizers.schedules.deserialize(lm.optimizers.schedules.serialize(rate))(7) == rate(7)


def test_smoothed_class_numbers():
    logits, labels = np.random.default_rng(1).normal(size=(4, 5)).astype("float32"), np.array([1, 0, 4, 2])
    loss = lm.losses.SparseCategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    expected = lm.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)(np.eye(5)[labels], logits)
    assert loss(labels, logits).item() == pytest.approx(expected.item(), rel=1e-6)
    assert loss.get_config()["label_smoothing"] == 0.1
