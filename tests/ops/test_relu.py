import numpy as np
import pytest

import lamina as lm
from op_testing import check_forward, check_op


def reference(x):
    return np.maximum(x, 0)


@pytest.mark.parametrize("shape", [(3,), (5, 7), (4, 3, 2, 5), (6, 40_000)])
def test_relu(shape):
    x = np.random.default_rng(0).normal(size=shape)
    check_op(lm.ops.relu, [x + 0.01 * np.sign(x)], reference)


def test_nan_and_infinities():
    check_forward(lm.ops.relu, [np.array([np.nan, np.inf, -np.inf, -0.0, 0.0] * 7)], lambda x: np.where(x < 0, 0, x))


def test_gradient_at_zero_is_zero():
    x = lm.tensor([0.0, -0.0], requires_grad=True)
    lm.ops.relu(x).backward([1.0, 1.0])
    assert x.grad.numpy().tolist() == [0.0, 0.0]


def test_integers_become_float32():
    y = lm.ops.relu([-1, 2])
    assert y.dtype == np.float32
    assert y.numpy().tolist() == [0.0, 2.0]


@pytest.mark.parametrize("dtype", [np.complex64, np.longdouble])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(TypeError, match="expected an array of numbers"):
        lm.ops.relu(np.zeros(3, dtype))
