import numpy as np
import pytest

import lamina as lm
from op_testing import check_gradients, check_op, check_same_bits

random = np.random.default_rng(0)
X = random.uniform(0.5, 1.5, (4, 3, 5)) * random.choice([-1, 1], (4, 3, 5))
AXES = [None, 0, -1, (1,), (0, 2), (1, 2), (0, 1, 2), ()]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_prod(axis, keepdims):
    check_op(
        lambda x: lm.ops.prod(x, axis, keepdims),
        [X],
        lambda x: np.prod(x, axis=axis, keepdims=keepdims),
        batch_axis=0 if axis in (-1, (1,), (1, 2), ()) else None,
    )


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_running(name, axis):
    check_op(
        lambda x: getattr(lm.ops, name)(x, axis),
        [X],
        lambda x: getattr(np, name)(x, axis),
        batch_axis=0 if axis in (1, -1) else None,
    )


@pytest.mark.parametrize("zeros", [[1], [1, 3], [0], [5], [0, 1, 2, 3, 4, 5]])
@pytest.mark.parametrize("op", [lambda x: lm.ops.prod(x, 1), lambda x: lm.ops.cumprod(x, 1)])
def test_gradients_with_zeros(op, zeros):
    x = random.uniform(0.5, 1.5, (2, 6))
    x[0, zeros] = 0
    check_gradients(op, [x])


def test_long_rows():
    x = random.uniform(0.99, 1.01, (3, 20_001)).astype(np.float32)
    for op in (lm.ops.prod, lm.ops.cumsum, lm.ops.cumprod):
        check_same_bits(lambda t, f=op: f(t, 1), [x])
    wide = random.normal(size=(13, 40, 301)).astype(np.float32)
    for axis in (0, 1, 2):
        check_same_bits(lambda t, a=axis: lm.ops.cumsum(t, a), [wide])
        np.testing.assert_array_equal(lm.ops.cumsum(wide, axis).numpy(), np.cumsum(wide, axis))  # in order
    np.testing.assert_allclose(lm.ops.prod(x, 1).numpy(), np.prod(x.astype(np.float64), 1), rtol=1e-4)


def test_nothing_and_integers():
    assert lm.ops.prod(np.zeros((0, 3), np.float32), 0).numpy().tolist() == [1, 1, 1]
    assert lm.ops.cumsum(np.zeros((0,), np.float32)).shape == (0,)
    assert lm.ops.prod([[2, 3], [4, 5]], 0).numpy().tolist() == [8, 15]
    assert lm.ops.cumsum(np.array([True, True, False])).numpy().tolist() == [1, 2, 2]
    assert lm.ops.cumprod(np.array([2, 3], np.int32)).dtype == np.int64


@pytest.mark.parametrize("name", ["prod", "cumsum", "cumprod"])
def test_errors(name):
    op = getattr(lm.ops, name)
    with pytest.raises(ValueError, match=f"{name}: axis 3 is out of range for 3 dimensions"):
        op(X, 3)
    with pytest.raises(TypeError, match=f"{name}: axis must be "):
        op(X, 1.5)
    with pytest.raises(TypeError, match="expected an array of numbers"):
        op(np.zeros(3, np.complex64))
