import numpy as np

import lamina as lm
from op_testing import check_op

X = np.random.default_rng(0).normal(size=(4, 3, 5))


def test_copy():
    """A copy in a network must not end the gradient."""
    check_op(lm.ops.copy, [X], lambda x: x)
    x = lm.tensor(X, requires_grad=True)
    y = lm.ops.copy(x)
    assert not np.shares_memory(x.array, y.array)
    (y * y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * X)
    assert not lm.ops.stop_gradient(x).requires_grad
    y = lm.ops.copy([True, False])
    assert (y.dtype, y.requires_grad, y.numpy().tolist()) == (np.bool_, False, [True, False])


def test_what_a_tensor_is():
    for x in (lm.tensor(X), X, X.tolist()):
        assert (lm.ops.shape(x), lm.ops.ndim(x), lm.ops.size(x)) == ((4, 3, 5), 3, 60)
    assert [lm.ops.dtype(v) for v in (X, np.int8(1), [1.0], [True])] == ["float64", "int8", "float32", "bool"]
    assert [lm.ops.is_tensor(v) for v in (lm.tensor(X), X, 1.0, None)] == [True, False, False, False]
    symbol = lm.Input((3, None))
    assert (lm.ops.shape(symbol), lm.ops.ndim(symbol)) == ((None, 3, None), 3)
