import numpy as np
import pytest

import lamina as lm
from lamina.ops.max_unpool import MaxUnpoolFunction
from op_testing import check_op
from ops.pooling_reference import OPS, apart

CASES = [  # shape, pool_size, strides, padding, output_size
    ((2, 6, 6, 5), 2, None, "valid", None),
    ((2, 7, 9, 3), (3, 2), (3, 2), "valid", (7, 9)),
    ((2, 8, 8, 3), 3, 2, 1, (8, 8)),
    ((2, 12, 5), 3, 3, "valid", None),
    ((3, 7, 4), 2, 2, "same", 7),
    ((2, 4, 6, 4, 3), 2, None, "valid", None),
]


@pytest.mark.parametrize(("shape", "pool_size", "strides", "padding", "output_size"), CASES)
def test_max_unpool(shape, pool_size, strides, padding, output_size):
    kind = OPS[len(shape)]
    pooled = getattr(lm.ops, "max_" + kind)(apart(shape), pool_size, strides, padding, return_indices=True)
    x, indices = (t.numpy() for t in pooled)

    def reference(x):
        at = indices[: len(x)].reshape(len(x), int(np.prod(x.shape[1:-1])), shape[-1])
        y = np.zeros((len(x), int(np.prod(shape[1:-1])), shape[-1]))
        for n, i, c in np.ndindex(at.shape):
            y[n, at[n, i, c], c] = x.reshape(at.shape)[n, i, c]
        return y.reshape(-1, *shape[1:])

    op = getattr(lm.ops, f"max_unpool{len(shape) - 2}d")
    check_op(
        lambda x, i: op(x, i, pool_size, strides, padding, output_size), [x, indices],
        lambda x, _: reference(x), batched=(0, 1), layouts=len(shape) == 4, places=12,
    )  # fmt: skip


def test_the_last_of_several_stays():
    x = lm.tensor([[[1.0], [2.0], [3.0]]], requires_grad=True)
    y = lm.ops.max_unpool1d(x, np.array([[[4], [4], [0]]]))
    assert y.numpy().ravel().tolist() == [3, 0, 0, 0, 2, 0]
    y.backward(np.arange(6.0).reshape(1, 6, 1))
    assert x.grad.numpy().ravel().tolist() == [0, 4, 0]


ONE = np.ones((1, 2, 2, 1), np.float32)


@pytest.mark.parametrize("bad", [-1, 16, 2**40, -(2**40)])
def test_indices_out_of_range(bad):
    indices = np.zeros((1, 2, 2, 1), np.int64)
    indices[0, 1, 0, 0] = bad
    with pytest.raises(ValueError, match=rf"max_unpool2d: indices must be in \[0, 16\), got {bad} at \(0, 2, 0\)"):
        lm.ops.max_unpool2d(ONE, indices)


def test_indices_that_changed_are_not_followed():
    """What the caller does to the array afterwards does not matter; what was stored is checked again."""
    indices = np.zeros((1, 2, 2, 1), np.int64)
    x = lm.tensor(ONE, requires_grad=True)
    y = lm.ops.max_unpool2d(x, indices)
    indices[...] = 10**6
    y.backward(np.ones(y.shape))
    assert x.grad.numpy().sum() == 1
    y = lm.ops.max_unpool2d(x, np.zeros((1, 2, 2, 1), np.int64))
    assert isinstance(y.node, MaxUnpoolFunction)
    y.node.saved[0][...] = 10**6
    with pytest.raises(ValueError, match=r"max_unpool2d: indices must be in \[0, 16\), got 1000000"):
        y.backward(np.ones(y.shape))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"indices": np.zeros((1, 2, 2, 2), int)}, r"indices must have the shape of x, \(1, 2, 2, 1\), got"),
        ({"pool_size": 0}, "pool_size must be at least 1"),
        ({"padding": "same"}, 'with padding "same" .* give output_size'),
        ({"padding": 1, "pool_size": 1, "strides": 1}, "the size of the output must be at least 1"),
        ({"output_size": 0}, "output_size must be at least 1"),
        ({"output_size": 2**31 - 1}, "is too large"),
    ],
)
def test_errors(arguments, message):
    arguments = {"indices": np.zeros((1, 2, 2, 1), int), **arguments}
    with pytest.raises(ValueError, match=f"max_unpool2d: .*{message}"):
        lm.ops.max_unpool2d(ONE, **arguments)


def test_type_errors():
    with pytest.raises(TypeError, match="max_unpool2d: indices must be integers, got float32"):
        lm.ops.max_unpool2d(ONE, ONE)
    with pytest.raises(ValueError, match=r"max_unpool3d: x must have shape \(N, D, H, W, C\)"):
        lm.ops.max_unpool3d(ONE, ONE)
