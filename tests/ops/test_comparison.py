import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)
X, Y = random.integers(-2, 3, (5, 4)).astype(float), random.integers(-2, 3, (5, 4)).astype(float)
COMPARISONS = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
LOGIC = ["logical_and", "logical_or", "logical_xor"]


@pytest.mark.parametrize("name", [*COMPARISONS, *LOGIC])
def test_two(name):
    op, reference = getattr(lm.ops, name), getattr(np, name)
    check_op(op, [X, Y], reference, gradients=False, batched=(0, 1))
    check_op(op, [X, Y[0]], reference, gradients=False)
    check_op(lambda x: op(x, 1), [X], lambda x: reference(x, 1), gradients=False)
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0])
    np.testing.assert_array_equal(op(special[:, None], special).numpy(), reference(special[:, None], special))
    assert op([1, 2], lm.tensor([1.0, 3.0])).dtype == bool
    with pytest.raises(ValueError, match=rf"{name}: shapes \(2,\) and \(3,\) do not broadcast"):
        op(np.zeros(2), np.zeros(3))


BROADCASTS = [((40, 1001),) * 2, ((40, 1001), (1001,)), ((40, 1), (40, 1001)), ((), (40, 1001)),
              ((7, 1, 33), (7, 5, 1)), ((300, 3), (3,)), ((0, 5), (5,)), ((), ())]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64, bool, np.int32])
@pytest.mark.parametrize(("a", "b"), BROADCASTS)
def test_many(a, b, dtype):
    x, y = random.integers(-1, 2, a).astype(dtype), random.integers(-1, 2, b).astype(dtype)
    for name in [*COMPARISONS, *LOGIC]:
        found = getattr(lm.ops, name)(x, y).numpy()
        assert found.dtype == bool
        np.testing.assert_array_equal(found, getattr(np, name)(x, y))
    np.testing.assert_array_equal(lm.ops.logical_not(x).numpy(), np.logical_not(x))


@pytest.mark.parametrize("name", ["logical_not", "isnan", "isinf", "isfinite"])
def test_one(name):
    check_op(getattr(lm.ops, name), [X], getattr(np, name), gradients=False)
    special = np.array([np.nan, np.inf, -np.inf, 0.0])
    np.testing.assert_array_equal(getattr(lm.ops, name)(special).numpy(), getattr(np, name)(special))
    assert getattr(lm.ops, name)([1, 0]).dtype == bool


def test_bits():
    a, b = random.integers(-99, 99, (3, 4)), random.integers(-99, 99, 4)
    for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
        np.testing.assert_array_equal(getattr(lm.ops, name)(a, b).numpy(), getattr(np, name)(a, b))
        with pytest.raises(TypeError, match=f"{name}: expected booleans or integers, got float32"):
            getattr(lm.ops, name)([1.0], [1])
        with pytest.raises(ValueError, match=f"{name}: shapes"):
            getattr(lm.ops, name)([1, 2], [1, 2, 3])
    assert lm.ops.bitwise_not([True, False]).numpy().tolist() == [False, True]
    with pytest.raises(TypeError, match="bitwise_not: expected booleans or integers"):
        lm.ops.bitwise_not([1.0])


def test_isclose():
    a, b = np.array([1.0, 2.0, np.nan, np.inf]), np.array([1.0 + 1e-7, 2.1, np.nan, np.inf])
    for nan in (False, True):
        assert lm.ops.isclose(a, b, equal_nan=nan).numpy().tolist() == np.isclose(a, b, equal_nan=nan).tolist()


def test_operators():
    x, y = lm.tensor([1.0, 2.0, 3.0]), lm.tensor([3.0, 2.0, 1.0])
    assert (x == y).numpy().tolist() == [False, True, False]
    assert (x != 2).numpy().tolist() == [True, False, True]
    assert (x < y).numpy().tolist() == [True, False, False]
    assert (x > 2).numpy().tolist() == [False, False, True]
    assert (x <= [1, 1, 1]).numpy().tolist() == [True, False, False]
    assert ((x > 1) & (x < 3)).numpy().tolist() == [False, True, False]
    assert ((x > 2) | (x < 2)).numpy().tolist() == [True, False, True]
    assert ((x > 1) ^ (x > 2)).numpy().tolist() == [False, True, False]
    assert (~(x >= 2)).numpy().tolist() == [True, False, False]
    assert (np.array([1.0, 2.0, 4.0]) == x).numpy().tolist() == [True, True, False]


def test_tensors_stay_hashable_and_none_is_not_equal():
    a, b = lm.Variable([1.0, 2.0]), lm.Variable([1.0, 2.0])
    assert len({a, b}) == 2
    assert {a: 1, b: 2}[b] == 2
    assert a in {a}
    assert (a == None) is False  # noqa: E711
    assert a != "a"
    assert a in [a, b]


def test_what_is_pythons_own_takes_the_dtype_of_the_other():
    tenth = np.array([0.1])
    for a, b in ((0.1, tenth), (tenth, 0.1), ([0.1], lm.tensor(tenth)), (lm.tensor(tenth), [0.1])):
        assert lm.ops.equal(a, b).numpy().tolist() == [True]
        assert lm.ops.less(a, b).numpy().tolist() == [False]
    assert lm.ops.bitwise_and(3, np.array([5], np.int8)).dtype == np.int8
