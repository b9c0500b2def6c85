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


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, np.int32, np.int64])
@pytest.mark.parametrize(
    ("condition", "a", "b"),
    [((40, 1001),) * 3, ((40, 1001), (1001,), ()), ((40, 1001), (40, 1), (40, 1001)), ((1001,), (40, 1001), ()),
     ((7, 5, 1), (7, 1, 33), (5, 33)), ((300, 3), (3,), (300, 1)), ((0, 5), (5,), ()), ((), (), ())],
)  # fmt: skip
def test_where_of_many(condition, a, b, dtype):
    chosen = random.normal(size=condition) > 0
    x, y = random.integers(-99, 99, a).astype(dtype), random.integers(-99, 99, b).astype(dtype)
    found = lm.ops.where(chosen, x, y).numpy()
    np.testing.assert_array_equal(found, np.where(chosen, x, y))
    assert found.dtype == x.dtype


def test_where_with_many_elements_and_threads():
    inputs = [random.normal(size=(40, 5001)) > 0, random.normal(size=(40, 5001)), random.normal(size=5001)]
    check_op(lm.ops.where, inputs, np.where, batched=(0, 1), layouts=False, dtypes=(np.float32,), places=3)
    check_op(lambda x: lm.ops.clip(x, -0.5, 0.5), inputs[1:2], lambda x: np.clip(x, -0.5, 0.5), layouts=False, places=3)


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


@pytest.mark.parametrize(("low", "high"), [(-0.5, 0.5), (None, 0.5), (-0.5, None), (None, None)])
def test_clip(low, high):
    x = random.normal(size=(4, 5))
    check_op(lambda x: lm.ops.clip(x, low, high), [x], lambda x: x if low is high is None else np.clip(x, low, high))


def test_clip_by_tensors():
    x, low, high = random.normal(size=(4, 5)), random.normal(size=5) - 1, random.normal(size=(4, 1)) + 1
    y = lm.ops.clip(x, low, high)
    np.testing.assert_array_equal(y.numpy(), np.clip(x, low, high))
    row = lm.tensor(x[0], requires_grad=True)
    lm.ops.clip(row, np.full((3, 1), -0.1), 0.1).sum().backward()
    assert row.grad.shape == (5,)


def test_clip_at_the_bounds():
    x = lm.tensor([-1.0, 0.0, 0.5, 1.0, 2.0, np.nan], requires_grad=True)
    y = lm.ops.clip(x, 0, 1)
    np.testing.assert_array_equal(y.numpy(), [0, 0, 0.5, 1, 1, np.nan])
    y.sum().backward()
    assert x.grad.numpy().tolist() == [0, 1, 1, 1, 0, 0]
    assert lm.ops.clip([1, 5], 2, 3).numpy().tolist() == [2, 3]
    assert lm.ops.clip(lm.tensor([0.0, 9.0]), 3, 2).numpy().tolist() == [2, 2]
    assert np.isnan(lm.ops.clip(lm.tensor([0.0, 9.0]), np.nan, 2).numpy()).all()
    with pytest.raises(ValueError, match="clip: shapes"):
        lm.ops.clip(np.zeros(3), np.zeros(2), 1)
    with pytest.raises(TypeError, match="expected an array of numbers"):
        lm.ops.clip(np.zeros(3, np.complex64), 0, 1)


def test_select():
    x = random.normal(size=(4, 5))
    check_op(
        lambda x, y: lm.ops.select([x > 0.5, x > -0.5], [x * 2, y], 1.0),
        [x, random.normal(size=5)],
        lambda x, y: np.select([x > 0.5, x > -0.5], [x * 2, np.broadcast_to(y, x.shape)], 1.0),
    )
    with pytest.raises(ValueError, match="select: expected a choice a condition, got 1 and 2"):
        lm.ops.select([[True]], [1.0, 2.0])


def test_nonzero():
    for found, expected in zip(lm.ops.nonzero(C), np.nonzero(C), strict=True):
        assert found.numpy().tolist() == expected.tolist()
    assert lm.ops.nonzero(5)[0].numpy().tolist() == [0]
