"""Constraints: values, kinds, names."""

import numpy as np
import pytest

import lamina as lm
from lamina import constraints

W = np.random.default_rng(0).normal(size=(3, 4, 5))
ALL = [constraints.MaxNorm(0.5), constraints.NonNeg(), constraints.UnitNorm(1), constraints.MinMaxNorm(0.5, 0.7, 0.5)]


def norms(w, axis=0):
    return np.sqrt((w * w).sum(axis=axis, keepdims=True))


def test_values():
    got = constraints.MaxNorm(1.5, axis=(0, 1))(W)
    assert norms(got, (0, 1)).max() <= 1.5
    np.testing.assert_allclose(constraints.MaxNorm(1e3)(W), W, rtol=1e-6)
    np.testing.assert_allclose(norms(constraints.UnitNorm(2)(W), 2), 1, rtol=1e-6)
    assert constraints.NonNeg()(W).min() == 0
    got = norms(constraints.MinMaxNorm(1.0, 2.0, axis=1)(W), 1)
    np.testing.assert_allclose(got, np.clip(norms(W, 1), 1, 2), rtol=1e-6)
    half = norms(constraints.MinMaxNorm(1.0, 2.0, 0.5, 1)(W), 1)
    np.testing.assert_allclose(half, (norms(W, 1) + np.clip(norms(W, 1), 1, 2)) / 2, rtol=1e-6)
    assert not constraints.UnitNorm()(np.zeros((3, 2))).any()


@pytest.mark.parametrize("constraint", ALL, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kinds(constraint, dtype):
    w = W.astype(dtype)
    before = w.copy()
    got = constraint(w)
    assert isinstance(got, np.ndarray)
    assert got.dtype == dtype
    np.testing.assert_array_equal(w, before)
    variable = lm.Variable(w)
    as_tensor = constraint(variable)
    assert isinstance(as_tensor, lm.Tensor)
    assert not as_tensor.requires_grad
    np.testing.assert_array_equal(as_tensor.numpy(), got)


@pytest.mark.parametrize("constraint", ALL, ids=lambda c: type(c).__name__)
def test_configuration_round_trip(constraint):
    again = constraints.get(constraints.serialize(constraint))
    assert type(again) is type(constraint)
    np.testing.assert_array_equal(again(W), constraint(W))


def test_names():
    assert constraints.get(None) is None
    assert constraints.serialize(None) is None
    assert constraints.get(abs) is abs
    for name, cls in (
        ("max_norm", constraints.MaxNorm), ("MaxNorm", constraints.MaxNorm), ("non_neg", constraints.NonNeg),
        ("unit_norm", constraints.UnitNorm), ("min_max_norm", constraints.MinMaxNorm),
        (constraints.UnitNorm, constraints.UnitNorm),
    ):  # fmt: skip
        assert type(constraints.get(name)) is cls


@pytest.mark.parametrize(
    "make",
    [
        lambda: constraints.get("max"),
        lambda: constraints.get(3),
        lambda: constraints.get({"class_name": "os.system"}),
        lambda: constraints.serialize(abs),
        lambda: constraints.MaxNorm(-1),
        lambda: constraints.MinMaxNorm(2, 1),
        lambda: constraints.MinMaxNorm(rate=1.5),
        lambda: constraints.MaxNorm(axis=3)(W),
    ],
)
def test_refused(make):
    with pytest.raises(ValueError):
        make()
