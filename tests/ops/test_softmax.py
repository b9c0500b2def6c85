import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from op_testing import check_op, check_same_bits


def reference(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize("shape", [(7,), (5, 1), (6, 10), (4, 3, 17), (70, 33), (3, 9000)])
def test_rows(shape):
    x = np.random.default_rng(0).normal(0, 3, shape)
    alone = None if len(shape) == 1 else 0
    check_op(lm.ops.softmax, [x], reference, batch_axis=alone, layouts=x.size < 1000)


def log_reference(x, axis=-1):
    below = x - x.max(axis, keepdims=True)
    return below - np.log(np.exp(below).sum(axis, keepdims=True))


OPS = [(lm.ops.softmax, reference), (lm.ops.log_softmax, log_reference)]


@pytest.mark.parametrize(("op", "reference"), OPS)
@pytest.mark.parametrize("axis", [0, 1, -2])
@pytest.mark.parametrize("shape", [(4, 5, 6), (3, 7, 37), (3, 5, 2, 40)])
def test_other_axes(op, reference, axis, shape):
    x = np.random.default_rng(0).normal(0, 3, shape)
    batch = None if axis in (0, -len(shape)) else 0
    check_op(lambda x: op(x, axis), [x], lambda x: reference(x, axis), batch_axis=batch, layouts=len(shape) == 3)


@pytest.mark.parametrize("shape", [(7,), (5, 1), (4, 3, 17), (70, 33), (3, 9000)])
def test_log_softmax_of_rows(shape):
    x = np.random.default_rng(0).normal(0, 3, shape)
    alone = None if len(shape) == 1 else 0
    check_op(lm.ops.log_softmax, [x], log_reference, batch_axis=alone, layouts=x.size < 1000)


def test_long_columns():
    x = np.random.default_rng(0).normal(size=(2, 3000, 9))
    check_op(lambda x: lm.ops.softmax(x, 1), [x], lambda x: reference(x, 1), layouts=False)


@pytest.mark.parametrize("op", [lm.ops.softmax, lm.ops.log_softmax])
def test_columns_past_the_caches(op):
    x = np.random.default_rng(0).normal(size=(1, 600, 8192)).astype(np.float32)
    tensor = lm.tensor(x, requires_grad=True)
    y = op(tensor, 1)
    y.backward(x)
    part = np.ascontiguousarray(x[:, :, :48])
    few = lm.tensor(part, requires_grad=True)
    z = op(few, 1)
    z.backward(part)
    np.testing.assert_array_equal(y.numpy()[:, :, :48], z.numpy())
    np.testing.assert_array_equal(tensor.grad.numpy()[:, :, :48], few.grad.numpy())


def test_columns_for_threads():
    x = np.random.default_rng(0).normal(size=(11, 40, 100)).astype(np.float32)
    check_same_bits(lambda x: lm.ops.log_softmax(x, 1), [x])


def test_bindings_refuse_what_does_not_fit():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="no such axis"):
        _cpu.softmax_forward(x, x.copy(), 2)
    with pytest.raises(ValueError, match="no such axis"):
        _cpu.softmax_backward(x, x, x.copy(), -3, True)


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
    x = np.array([[-inf, 0], [-inf, -inf], [inf, 0], [nan, 0], [0, nan]])
    for y in (lm.ops.softmax(x).numpy(), lm.ops.softmax(np.repeat(x[..., None], 9, 2), 1).numpy()[..., 8]):
        np.testing.assert_array_equal(y, [[0, 1], [nan, nan], [nan, nan], [nan, nan], [nan, nan]])
    for y in (lm.ops.log_softmax(x).numpy(), lm.ops.log_softmax(np.repeat(x[..., None], 9, 2), 1).numpy()[..., 8]):
        np.testing.assert_array_equal(y, [[-inf, 0], [nan, nan], [nan, nan], [nan, nan], [nan, nan]])


def test_errors():
    with pytest.raises(ValueError, match="softmax: axis 2 is out of range for 2 dimensions"):
        lm.ops.softmax(np.zeros((3, 4)), axis=2)
    with pytest.raises(ValueError, match="softmax: axis -1 is out of range for 0 dimensions"):
        lm.ops.softmax(1.0)
    with pytest.raises(TypeError, match="softmax: axis must be an integer, got None"):
        lm.ops.softmax(np.zeros((3, 4)), axis=None)
