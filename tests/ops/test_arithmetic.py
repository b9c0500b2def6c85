import numpy as np
import pytest

import lamina as lm
from op_testing import check_forward, check_op, check_rows_alone, check_same_bits

random = np.random.default_rng(0)
BINARY = [
    (lm.ops.add, np.add),
    (lm.ops.subtract, np.subtract),
    (lm.ops.multiply, np.multiply),
    (lm.ops.divide, np.divide),
    (lm.ops.maximum, np.maximum),
    (lm.ops.minimum, np.minimum),
]
UNARY = [(lm.ops.negative, np.negative), (lm.ops.abs, np.abs), (lm.ops.square, np.square)]
SHAPES = [
    ((4, 5), (4, 5)),
    ((4, 5), (5,)),
    ((5,), (4, 5)),
    ((4, 1), (1, 5)),
    ((4, 3, 5), (4, 1, 5)),
    ((4, 1, 5, 1), (4, 2, 1, 3)),
    ((4, 2, 3), ()),
    ((2, 1, 3, 1, 5), (4, 1, 6, 1)),
]


def away_from_zero(shape):
    x = random.normal(size=shape)
    return np.asarray(x + np.copysign(0.1, x))


@pytest.mark.parametrize(("op", "reference"), BINARY)
@pytest.mark.parametrize(("a", "b"), SHAPES)
def test_binary(op, reference, a, b):
    batched = [i for i, shape in enumerate((a, b)) if len(shape) == max(len(a), len(b)) and shape[0] == 4]
    alone = batched and (a[0] == 4 or len(b) < len(a)) and len(a) >= len(b)
    inputs = [away_from_zero(a), away_from_zero(b) + 3]
    check_op(op, inputs, reference, batch_axis=0 if alone else None, batched=batched)


@pytest.mark.parametrize(("op", "reference"), BINARY)
def test_large(op, reference):
    a, b, row, column = (
        random.normal(size=s).astype(np.float32) + 3 for s in [(6, 50_001), (6, 50_001), (50_001,), (6, 1)]
    )
    for other, batched in [(b, (0, 1)), (row, (0,)), (column, (0, 1)), (np.float32(2).reshape(()), (0,))]:
        check_forward(op, [a, other], reference)
        check_same_bits(op, [a, other])
        check_rows_alone(op, [a, other], batched=batched)


@pytest.mark.parametrize(("op", "reference"), UNARY)
@pytest.mark.parametrize("shape", [(7,), (5, 6), (4, 3, 2), (4, 30_000)])
def test_unary(op, reference, shape):
    check_op(op, [away_from_zero(shape)], reference)


@pytest.mark.parametrize(("op", "reference"), BINARY)
def test_numbers_take_the_dtype_of_the_tensor(op, reference):
    for dtype in (np.float32, np.float64):
        x = np.array([1.0, 2.0], dtype)
        for got, expected in [
            (op(lm.tensor(x), 3), reference(x, dtype(3))),
            (op(0.1, lm.tensor(x)), reference(dtype(0.1), x)),
        ]:
            assert got.dtype == dtype
            np.testing.assert_array_equal(got.numpy(), expected)


@pytest.mark.parametrize(("op", "reference"), BINARY)
def test_integers(op, reference):
    a, b = np.array([[1, -2], [3, 4]], np.int32), np.array([5, 6], np.int32)
    got = op(lm.tensor(a), lm.tensor(b))
    np.testing.assert_array_equal(got.numpy(), reference(a, b).astype(got.dtype))
    assert got.dtype == (np.float32 if op is lm.ops.divide else np.int32)
    assert op(lm.tensor(a), lm.tensor([0.5, 1.5])).dtype == np.float32  # beside floats they become floats
    assert op(lm.tensor(np.array([1.0])), lm.tensor(a)).dtype == np.float64


def test_operators():
    x = lm.tensor([2.0, 4.0])
    for got, expected in [
        (x + 1, [3, 5]),
        (1 + x, [3, 5]),
        (x - 1, [1, 3]),
        (1 - x, [-1, -3]),
        (x * 2, [4, 8]),
        (2 * x, [4, 8]),
        (x / 2, [1, 2]),
        (8 / x, [4, 2]),
        (-x, [-2, -4]),
        (np.array([1, 2], np.float32) + x, [3, 6]),
        (x + np.array([1, 2], np.float32), [3, 6]),
    ]:
        assert isinstance(got, lm.Tensor)
        assert got.dtype == np.float32
        assert got.numpy().tolist() == expected


def test_nan_infinities_and_division_by_zero():
    special = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan])
    for op, reference in BINARY:
        with np.errstate(all="ignore"):
            check_forward(op, [special[:, None], special], reference)


def test_equal_operands_share_the_gradient():
    for op in (lm.ops.maximum, lm.ops.minimum):
        a, b = lm.tensor([1.0], requires_grad=True), lm.tensor([1.0], requires_grad=True)
        op(a, b).backward()
        assert a.grad.item() == b.grad.item() == 0.5


def test_an_operand_used_twice():
    x = lm.tensor([3.0], requires_grad=True)
    (x * x + x).backward()
    assert x.grad.item() == 7


@pytest.mark.parametrize("op", [op for op, _ in BINARY])
def test_errors(op):
    name = op.__name__
    with pytest.raises(ValueError, match=rf"{name}: shapes \(2, 3\) and \(4,\) do not broadcast"):
        op(np.zeros((2, 3), np.float32), np.zeros(4, np.float32))
    with pytest.raises(TypeError, match=f"{name}: a and b must have one dtype, got float32 and float64"):
        op(np.zeros(3, np.float32), np.zeros(3))
    with pytest.raises(TypeError, match="expected an array of numbers"):
        op(np.zeros(3, np.complex64), np.zeros(3, np.complex64))
    with pytest.raises(TypeError, match="expected an array of numbers"):
        op(np.zeros(3, np.complex64), np.zeros(3, np.complex64))
    with pytest.raises(ValueError, match=r"do not broadcast"):
        op(np.zeros((0, 3), np.float32), np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("op", [lm.ops.add, lm.ops.maximum, lm.ops.divide, lm.ops.power])
def test_what_is_pythons_own_takes_the_dtype_of_the_other(op):
    fine = np.array([1.5, 2.5]) + 2.0**-40
    for a, b in ((0.1, fine), (fine, [0.1, 0.2]), ([0.1, 0.2], lm.tensor(fine)), (lm.tensor(fine), 0.1)):
        y = op(a, b)
        assert y.dtype == np.float64
        plain = [np.asarray(v.array if isinstance(v, lm.Tensor) else v) for v in (a, b)]
        np.testing.assert_allclose(y.numpy(), getattr(np, op.__name__)(*plain), rtol=1e-14)
    assert op([0.1], [0.2]).dtype == np.float32


def test_unsigned_integers_are_negated_as_in_numpy():
    x = np.array([0, 1, 255], np.uint8)
    np.testing.assert_array_equal(lm.ops.negative(x).numpy(), -x)
