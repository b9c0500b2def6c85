"""Tensors without axes: ops give arrays for them, not NumPy's scalars, which kernels do not take."""

import numpy as np
import pytest

import lamina as lm

UNARY = [
    "abs", "negative", "square", "sign", "floor", "round", "trunc", "reciprocal", "exp", "log", "sqrt", "tanh", "sin",
    "relu", "gelu", "sum", "mean", "max", "min", "prod", "var", "std", "logsumexp", "norm", "flip", "squeeze",
    "transpose", "stop_gradient", "any", "all", "argmax", "argmin", "count_nonzero", "isnan", "logical_not", "copy",
    "unique", "cumsum", "cumprod", "zeros_like", "convert_to_tensor",
]  # fmt: skip
BINARY = [
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "mod", "floor_divide", "equal", "less",
    "logical_and", "arctan2", "hypot", "logaddexp",
]  # fmt: skip


def check(y):
    assert type(y.array) is np.ndarray
    assert lm.ops.reshape(y, (1, 1)).shape == (1, 1)
    assert y.device == "cpu"


@pytest.mark.parametrize("name", UNARY)
def test_one(name):
    x = lm.tensor(2.0, requires_grad=True)
    axis = {"axis": None} if name in ("cumsum", "cumprod") else {}
    y = getattr(lm.ops, name)(x, **axis)
    check(y)
    if y.requires_grad:
        y.sum().backward()
        assert type(x.grad_array) is np.ndarray
        assert x.grad_array.shape == ()
    check(getattr(lm.ops, name)(lm.tensor(2), **axis))


@pytest.mark.parametrize("name", BINARY)
def test_two(name):
    a, b = (lm.tensor(v, requires_grad=True) for v in (2.0, 3.0))
    y = getattr(lm.ops, name)(a, b)
    check(y)
    if y.requires_grad:
        y.backward()
        for t in (a, b):
            assert type(t.grad_array) is np.ndarray
            assert t.grad_array.shape == ()
    check(getattr(lm.ops, name)(lm.tensor(2), lm.tensor(3)))


def test_iterating_over_one_is_refused():
    with pytest.raises(TypeError, match="iteration over a tensor without axes"):
        lm.ops.stack(lm.tensor(1.0))
