"""local_response_norm."""

from functools import partial

import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits


def reference(x, size, alpha, beta, k):
    squares = np.zeros((*x.shape[:-1], x.shape[-1] + size - 1))
    squares[..., size // 2 : size // 2 + x.shape[-1]] = x * x
    near = sum(squares[..., i : i + x.shape[-1]] for i in range(size))
    return x / (k + alpha / size * near) ** beta


@pytest.mark.parametrize("beta", [0.75, 0.5, 1.0, 0.3])
@pytest.mark.parametrize(
    ("shape", "size"), [((2, 3, 5), 3), ((4, 1), 5), ((3, 2, 2, 96), 5), ((40, 67), 4), ((5, 19), 1), ((3, 7), 20)]
)
def test_values_and_gradients(shape, size, beta):
    x = np.random.default_rng(0).normal(size=shape)
    settings = {"size": size, "alpha": 0.7, "beta": beta, "k": 1.5}
    check_op(partial(lm.ops.local_response_norm, **settings), [x], partial(reference, **settings))


def test_on_several_threads():
    x = np.random.default_rng(0).normal(size=(3000, 33)).astype(np.float32)
    check_same_bits(partial(lm.ops.local_response_norm, size=5), [x])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"size": 0}, ValueError, "size must be from 1"),
        ({"size": 2.0}, TypeError, "size must be an integer"),
        ({"size": 5, "alpha": -1}, ValueError, "alpha must be at least 0"),
        ({"size": 5, "beta": float("nan")}, ValueError, "beta must be finite"),
        ({"size": 5, "k": 0}, ValueError, "k must be greater than 0"),
    ],
)
def test_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        lm.ops.local_response_norm(np.ones((2, 3)), **arguments)
    with pytest.raises(ValueError, match="C of at least 1"):
        lm.ops.local_response_norm(np.ones((2, 0)), 5)
