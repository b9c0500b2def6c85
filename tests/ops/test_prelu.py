import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from op_testing import check_op, check_same_bits


def reference(x, alpha):
    return np.where(x > 0, x, alpha * x)


@pytest.mark.parametrize(
    "shape", [(1,), (), (17,), (9, 17), (9, 1), (1, 17), (1, 1), (5, 1, 1), (5, 1, 17), (4, 5, 9, 17)]
)
def test_prelu(shape):
    random = np.random.default_rng(0)
    x, alpha = random.normal(size=(4, 5, 9, 17)), random.normal(size=shape)
    batched = {} if len(shape) < 4 else {"batch_axis": None}
    check_op(lm.ops.prelu, [x, alpha], reference, places=12, layouts=len(shape) in (1, 3), **batched)


def test_threads():
    x = np.random.default_rng(0).normal(size=(70, 11, 13, 20)).astype(np.float32)
    check_same_bits(lm.ops.prelu, [x, x[0, 0, 0]])
    check_same_bits(lm.ops.prelu, [x, x[0, 0, 0, :1]])


def test_errors():
    x = np.zeros((2, 3), np.float32)
    for shape in [(2,), (4, 2, 3), (0,), (2, 2)]:
        with pytest.raises(ValueError, match=r"prelu: alpha must have a shape that is broadcast to x's, \(2, 3\), got"):
            lm.ops.prelu(x, np.zeros(shape, np.float32))
    with pytest.raises(TypeError, match="prelu: alpha must have the dtype of x"):
        lm.ops.prelu(x, np.zeros(3))


def test_bindings_refuse_what_does_not_fit():
    x = np.zeros(6, np.float32)
    with pytest.raises(ValueError, match="whole number of rows"):
        _cpu.prelu_forward(x, np.zeros(4, np.float32), x.copy())
    with pytest.raises(ValueError, match="whole number of rows"):
        _cpu.prelu_backward(x, np.zeros(0, np.float32), x, x.copy(), None)
    with pytest.raises(ValueError):
        _cpu.prelu_backward(x, np.zeros(3, np.float32), x, None, x[:3].copy())
