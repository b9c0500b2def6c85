import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits


def reference(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize("shape", [(7,), (5, 1), (6, 10), (4, 3, 17), (70, 33), (3, 9000)])
def test_rows(shape):
    x = np.random.default_rng(0).normal(0, 3, shape)
    alone = None if len(shape) == 1 else 0
    check_op(lm.ops.softmax, [x], reference, batch_axis=alone, layouts=x.size < 1000)


@pytest.mark.parametrize("axis", [0, 1, -2])
def test_other_axes(axis):
    x = np.random.default_rng(0).normal(size=(4, 5, 6))
    check_op(lambda x: lm.ops.softmax(x, axis), [x], lambda x: reference(x, axis), batch_axis=None)


def test_threads():
    x = np.random.default_rng(0).normal(size=(3000, 40)).astype(np.float32)
    check_same_bits(lm.ops.softmax, [x])


def test_large_arrays_written_past_the_caches():
    x = np.random.default_rng(0).normal(size=(4200, 1024)).astype(np.float32)
    tensor = lm.tensor(x, requires_grad=True)
    y = lm.ops.softmax(tensor)
    y.backward(x)
    few = lm.tensor(x[:3], requires_grad=True)
    lm.ops.softmax(few).backward(x[:3])
    np.testing.assert_array_equal(y.numpy()[:3], lm.ops.softmax(few).numpy())
    np.testing.assert_array_equal(tensor.grad.numpy()[:3], few.grad.numpy())
    np.testing.assert_allclose(y.numpy().sum(1), 1, rtol=1e-5)


def test_never_overflows():
    y = lm.ops.softmax([[1e30, 0.0], [-1e30, -1e30]]).numpy()
    np.testing.assert_array_equal(y, [[1, 0], [0.5, 0.5]])


def test_infinities_and_nan():
    inf, nan = np.inf, np.nan
    y = lm.ops.softmax(np.array([[-inf, 0], [-inf, -inf], [inf, 0], [nan, 0], [0, nan]])).numpy()
    np.testing.assert_array_equal(y, [[0, 1], [nan, nan], [nan, nan], [nan, nan], [nan, nan]])


def test_errors():
    with pytest.raises(ValueError, match=r"softmax: axis 2 is out of range for shape \(3, 4\)"):
        lm.ops.softmax(np.zeros((3, 4)), axis=2)
    with pytest.raises(ValueError, match=r"softmax: axis -1 is out of range for shape \(\)"):
        lm.ops.softmax(1.0)
    with pytest.raises(TypeError, match="softmax: axis must be an integer, got None"):
        lm.ops.softmax(np.zeros((3, 4)), axis=None)
