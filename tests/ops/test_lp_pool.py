import numpy as np
import pytest

import lamina as lm
from op_testing import check_op
from ops.pooling_reference import OPS, all_spans, reduce_windows

CASES = [
    ((2, 6, 6, 5), 2, None, "valid"),
    ((3, 9, 8, 16), 3, 2, "same"),
    ((2, 13, 5), 3, 2, 1),
    ((2, 4, 6, 5, 5), 2, None, "valid"),
]


@pytest.mark.parametrize("p", [1, 2, 3, 2.5, 0.7])
@pytest.mark.parametrize(("shape", "pool_size", "strides", "padding"), CASES)
def test_lp_pool(shape, pool_size, strides, padding, p):
    op = getattr(lm.ops, "lp_" + OPS[len(shape)])

    def norm(window):
        return (np.abs(window) ** p).sum(tuple(range(1, window.ndim - 1))) ** (1 / p)

    x = np.random.default_rng(0).normal(size=shape)
    check_op(
        lambda x: op(x, p, pool_size, strides, padding), [x],
        lambda x: reduce_windows(x, all_spans(x, pool_size, strides, padding), norm), places=10,
        layouts=p == 2, tolerance={np.float32: 3e-5},
    )  # fmt: skip


def test_no_gradient_from_windows_of_zeros():
    x = lm.tensor(np.zeros((1, 2, 2, 1), np.float32), requires_grad=True)
    lm.ops.lp_pool2d(x).backward(np.ones((1, 1, 1, 1)))
    assert not x.grad.numpy().any()


@pytest.mark.parametrize("p", [0, -1, np.inf, np.nan])
def test_errors(p):
    with pytest.raises(ValueError, match="lp_pool2d: p must be"):
        lm.ops.lp_pool2d(np.zeros((1, 2, 2, 1)), p)
    with pytest.raises(TypeError, match="lp_pool2d: p must be a number"):
        lm.ops.lp_pool2d(np.zeros((1, 2, 2, 1)), "2")
