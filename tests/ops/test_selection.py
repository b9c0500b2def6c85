import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)
C = random.normal(size=(4, 5)) > 0


@pytest.mark.parametrize(("a", "b"), [((4, 5), (4, 5)), ((4, 5), (5,)), ((4, 5), ()), ((4, 1), (4, 5))])
def test_where(a, b):
    batched = [0, 1] + ([2] if len(b) == 2 else [])
    check_op(lm.ops.where, [C, random.normal(size=a), random.normal(size=b)], np.where, batched=batched)


def test_where_takes_numbers_and_integers():
    assert lm.ops.where([1, 0], 1.0, lm.tensor([5.0, 6.0])).numpy().tolist() == [1, 6]
    assert lm.ops.where([True, False], [1, 2], np.array([3, 4], np.int8)).numpy().tolist() == [1, 4]
    with pytest.raises(TypeError, match="where: condition must be booleans or integers, got float32"):
        lm.ops.where([0.5], 1.0, 2.0)
    with pytest.raises(ValueError, match="where: shapes"):
        lm.ops.where([True, False], np.zeros(3), 1.0)


@pytest.mark.parametrize("source", [np.float16, np.float32, np.float64, np.int32, np.uint8, bool])
@pytest.mark.parametrize("target", [np.float16, np.float32, np.float64, np.int64, bool])
def test_cast(source, target):
    x = np.array([[0, 1], [3, 2]]).astype(source)
    y = lm.ops.cast(x, target)
    assert y.dtype == target
    np.testing.assert_array_equal(y.numpy(), x.astype(target))


def test_cast_has_gradients_between_floats_alone():
    x = lm.tensor([1.5, 2.5], requires_grad=True)
    x.astype("float64").backward(np.array([0.5, 0.25]))
    assert x.grad.dtype == np.float32
    assert x.grad.numpy().tolist() == [0.5, 0.25]
    assert not x.astype("int32").requires_grad
    assert x.astype(np.float32) is x


@pytest.mark.parametrize("dtype", [np.complex64, object, np.longdouble, "U3"])
def test_cast_to_no_number_is_refused(dtype):
    with pytest.raises(TypeError, match="cast: dtype must be bool, integer or float up to 64 bits"):
        lm.ops.cast([1.0], dtype)
