import math

import numpy as np
import pytest

import lamina as lm
from op_testing import FLOATS, check_op

OPS = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


@pytest.mark.parametrize("shape", [(3,), (4, 3, 2, 5), (3, 30_001)])
@pytest.mark.parametrize("name", OPS)
def test_op(name, shape):
    x = np.random.default_rng(0).uniform(0.2, 3, shape)
    if name not in ("log", "log1p", "sqrt", "rsqrt"):
        x *= np.random.default_rng(1).choice([-1, 1], shape)
    big = x.size > 1000
    check_op(getattr(lm.ops, name), [x], OPS[name], layouts=not big, dtypes=(np.float32,) if big else FLOATS)


@pytest.mark.parametrize("name", OPS)
def test_scalars(name):
    x = lm.tensor(0.75, requires_grad=True)
    y = getattr(lm.ops, name)(x)
    y.backward()
    assert y.shape == x.grad.shape == ()
    np.testing.assert_allclose(y.item(), OPS[name](np.float64(0.75)), rtol=1e-6)


def test_binary_step():
    check_op(lm.ops.binary_step, [np.linspace(-1, 1, 40).reshape(8, 5)], lambda x: (x >= 0).astype(x.dtype))
    y = lm.ops.binary_step([-1, 0, 1, np.nan])
    np.testing.assert_array_equal(y.numpy(), [0, 1, 1, np.nan])


@pytest.mark.parametrize("name", [*OPS, "binary_step"])
def test_dtypes(name):
    assert getattr(lm.ops, name)([0, 1]).dtype == np.float32
    with pytest.raises(TypeError, match="expected an array of numbers"):
        getattr(lm.ops, name)(np.zeros(3, np.complex64))


def test_gradients_at_the_edges():
    x = lm.tensor([0.0, 4.0], requires_grad=True)
    lm.ops.sqrt(x).backward([1.0, 1.0])
    np.testing.assert_array_equal(x.grad.numpy(), [np.inf, 0.25])
    x = lm.tensor([-200.0, 0.0, 200.0], requires_grad=True)
    lm.ops.sigmoid(x).backward([1.0, 1.0, 1.0])
    np.testing.assert_array_equal(x.grad.numpy(), [0, 0.25, 0])
