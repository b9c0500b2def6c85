"""Regularizers: values, gradients, names."""

import numpy as np
import pytest

import lamina as lm
from lamina import regularizers as reg

w = np.array([[1.0, -2.0], [0.5, 0.0]], "float32")


@pytest.mark.parametrize(
    ("regularizer", "value", "gradient"),
    [
        (reg.L1(0.1), 0.35, 0.1 * np.sign(w)),
        (reg.L2(0.1), 0.525, 0.2 * w),
        (reg.L1L2(0.1, 0.2), 0.35 + 1.05, 0.1 * np.sign(w) + 0.4 * w),
        (reg.L1L2(), 0.0, 0 * w),
    ],
)
def test_values_and_gradients(regularizer, value, gradient):
    x = lm.tensor(w, requires_grad=True)
    penalty = regularizer(x)
    assert penalty.item() == pytest.approx(value)
    penalty.backward()
    np.testing.assert_allclose(x.grad.numpy(), gradient, rtol=1e-6)


def test_names_and_configurations():
    assert reg.get(None) is None
    assert isinstance(reg.get("l2"), reg.L2)
    for regularizer in (reg.L1(0.3), reg.L2(0.4), reg.L1L2(0.1, 0.2)):
        again = reg.get(reg.serialize(regularizer))
        assert type(again) is type(regularizer)
        assert (again.l1, again.l2) == (regularizer.l1, regularizer.l2)


@pytest.mark.parametrize(
    "make", [lambda: reg.get("l3"), lambda: reg.L1(-1), lambda: reg.L2(float("nan")), lambda: reg.serialize(abs)]
)
def test_refused(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal(mode):
    x = np.random.default_rng(0).normal(size=(4, 3))
    rows = x if mode == "rows" else x.T
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    pairs = np.abs(unit @ unit.T)[np.triu_indices(len(rows), 1)]
    regularizer = reg.OrthogonalRegularizer(0.5, mode)
    assert regularizer(lm.tensor(x)).item() == pytest.approx(0.5 * pairs.mean())
    lm.grad_check(regularizer, [x])
    assert regularizer(lm.tensor(np.ones((1, 1)))).item() == 0
    with pytest.raises(ValueError, match="must have two axes"):
        regularizer(lm.tensor(np.ones(3)))
    with pytest.raises(ValueError, match="mode must be"):
        reg.OrthogonalRegularizer(mode="diagonal")


def test_small_letters_and_classes():
    assert isinstance(reg.get(reg.L1), reg.L1)
    assert reg.l2(0.3).l2 == 0.3
    assert reg.L1(None).l1 == 0.01
    assert isinstance(reg.get("orthogonal_regularizer"), reg.OrthogonalRegularizer)


def test_sparsity():
    rows = np.random.default_rng(0).uniform(0.1, 0.9, (6, 3))
    mean = rows.mean(0)
    divergence = 0.05 * np.log(0.05 / mean) + 0.95 * np.log(0.95 / (1 - mean))
    regularizer = reg.Sparsity(0.05, 2.0)
    assert regularizer(lm.tensor(rows)).item() == pytest.approx(6 * 2 * divergence.sum())
    lm.grad_check(regularizer, [rows])
    assert reg.get(reg.serialize(regularizer)).rho == 0.05
    assert np.isfinite(regularizer(lm.tensor(np.zeros((2, 2)))).item())
    for rho in (0, 1, -1, 1.5):
        with pytest.raises(ValueError, match="rho must be"):
            reg.Sparsity(rho)
    with pytest.raises(ValueError, match="must have shape"):
        regularizer(lm.tensor(np.ones(3)))
