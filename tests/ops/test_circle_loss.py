import numpy as np
import pytest

import lamina as lm
from op_testing import check_gradients

RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, 4))
X /= np.linalg.norm(X, axis=-1, keepdims=True)
LABELS = np.array([0, 0, 1, 1, 1, 2, 2, 3, 0])


def test_circle_against_its_formula():
    gamma, margin = 3.0, 0.4
    d = np.maximum(1 - X @ X.T, 0)
    alike, other = LABELS[:, None] == LABELS[None], LABELS[:, None] != LABELS[None]
    np.fill_diagonal(alike, False)
    near = np.exp(-gamma * np.maximum(margin + d, 0) * (margin - d))
    far = np.exp(gamma * np.maximum(1 + margin - d, 0) * (1 - margin - d))
    expected = np.log1p((near * alike).sum(1) * (far * other).sum(1)) * alike.any(1)
    got = lm.ops.circle_loss(LABELS, lm.tensor(X), gamma=gamma)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-10)
    check_gradients(lambda x: lm.ops.circle_loss(LABELS, x, gamma=gamma, remove_diagonal=True), [X])


def test_circle_with_references():
    got = lm.ops.circle_loss(LABELS[:3], lm.tensor(X[:3]), LABELS, lm.tensor(X), remove_diagonal=False)
    assert got.shape == (3,)
    with pytest.raises(ValueError, match=r"circle_loss: reference_embeddings must have shape \(M, 4\)"):
        lm.ops.circle_loss(LABELS, X, LABELS, X[:, :2])
    with pytest.raises(ValueError, match=r"circle_loss: labels must have shape \(9,\), got \(3,\)"):
        lm.ops.circle_loss(LABELS[:3], X)


def test_generalized_cross_entropy():
    p, labels = RNG.dirichlet(np.ones(5), (3, 4)), RNG.integers(0, 5, (3, 4))
    own = np.take_along_axis(p, labels[..., None], -1)[..., 0]
    got = lm.ops.generalized_cross_entropy(labels, lm.tensor(p), 0.3)
    np.testing.assert_allclose(got.numpy(), (1 - own**0.3) / 0.3, rtol=1e-10)
    check_gradients(lambda p: lm.ops.generalized_cross_entropy(labels, p, 0.3), [p])
    labels[1, 2] = 5
    with pytest.raises(ValueError, match=r"generalized_cross_entropy: labels must be in \[0, 5\), got 5 at \(1, 2\)"):
        lm.ops.generalized_cross_entropy(labels, p)
    with pytest.raises(ValueError, match="q must be between 0 and 1"):
        lm.ops.generalized_cross_entropy(labels, p, 1.0)
    with pytest.raises(ValueError, match="labels must be integers of shape"):
        lm.ops.generalized_cross_entropy(labels[0], p)
