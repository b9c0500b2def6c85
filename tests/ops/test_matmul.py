import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_rows_alone, check_same_bits

random = np.random.default_rng(0)
SHAPES = [
    ((4, 5), (5, 3), (0,)),
    ((4, 2, 5), (5, 3), (0,)),
    ((4, 2, 5), (4, 5, 3), (0, 1)),
    ((4, 2, 5), (1, 5, 3), (0,)),
    ((4, 1, 2, 5), (3, 5, 3), (0,)),
    ((4, 5), (5,), (0,)),
    ((4, 2, 5), (4, 5, 1), (0, 1)),
]
WHOLE = [
    ((5,), (5,)),
    ((5,), (5, 3)),
    ((5,), (2, 5, 3)),
    ((2, 5), (4, 5, 3)),
    ((1, 2, 5), (4, 5, 3)),
    ((4, 2, 5), (5,)),
]


def swapped(x):
    return x.swapaxes(-1, -2)


@pytest.mark.parametrize(("a", "b", "batched"), SHAPES)
def test_rows(a, b, batched):
    check_op(lm.ops.matmul, [random.normal(size=a), random.normal(size=b)], np.matmul, batched=batched)


@pytest.mark.parametrize(("a", "b"), WHOLE)
def test_whole(a, b):
    check_op(lm.ops.matmul, [random.normal(size=a), random.normal(size=b)], np.matmul, batch_axis=None)


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize(
    ("a", "b"), [((4, 5), (5, 3)), ((2, 4, 5), (5, 3)), ((2, 4, 5), (2, 5, 3)), ((4, 5), (2, 5, 3))]
)
def test_transposes(transpose_a, transpose_b, a, b):
    x, y = random.normal(size=a), random.normal(size=b)
    inputs = [swapped(x) if transpose_a else x, swapped(y) if transpose_b else y]
    check_op(
        lambda s, t: lm.ops.matmul(s, t, transpose_a, transpose_b),
        inputs,
        lambda s, t: (swapped(s) if transpose_a else s) @ (swapped(t) if transpose_b else t),
        batch_axis=None,
    )


def test_large():
    a, b = random.normal(size=(6, 40, 700)).astype(np.float32), random.normal(size=(700, 90)).astype(np.float32)
    check_same_bits(lm.ops.matmul, [a, b])
    check_rows_alone(lm.ops.matmul, [a, b])
    batch = random.normal(size=(6, 700, 90)).astype(np.float32)
    check_same_bits(lm.ops.matmul, [a, batch])
    check_rows_alone(lm.ops.matmul, [a, batch], batched=(0, 1))


def test_a_transposed_view_is_not_copied():
    lm.ops.matmul(lm.tensor(np.ones((300, 500), np.float32)), lm.tensor(np.ones((500, 10), np.float32)))
    before = lm._cpu.pool_stats()["allocations"]
    lm.ops.matmul(lm.tensor(np.ones((500, 300), np.float32)).T, lm.tensor(np.ones((10, 500), np.float32)).T)
    assert lm._cpu.pool_stats()["allocations"] == before + 1  # the result alone


def test_operator():
    a = lm.tensor([[1.0, 2.0]])
    assert (a @ a.T).item() == 5
    assert (np.array([[1.0, 2.0]], np.float32) @ a.T).item() == 5


def test_integers():
    a = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(lm.ops.matmul(a, a, transpose_b=True).numpy(), a @ a.T)


def test_empty():
    zeros = np.zeros
    assert lm.ops.matmul(zeros((0, 5)), zeros((5, 3))).shape == (0, 3)
    assert lm.ops.matmul(zeros((2, 0)), zeros((0, 3))).numpy().tolist() == [[0] * 3] * 2
    assert lm.ops.matmul(zeros((2, 2, 0)), zeros((2, 0, 3))).numpy().sum() == 0
    assert lm.ops.matmul(zeros((0, 2, 4)), zeros((0, 4, 3))).shape == (0, 2, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: lm.ops.matmul(np.zeros((2, 3)), np.zeros((4, 5))),
            ValueError,
            r"matmul: shapes \(2, 3\) and \(4, 5\) do not fit for a . b",
        ),
        (lambda: lm.ops.matmul(np.zeros((2, 3)), np.zeros((3, 5)), True, True), ValueError, r"for a\^T . b\^T"),
        (
            lambda: lm.ops.matmul(np.zeros((2, 3)), np.float64(1)),
            ValueError,
            "matmul: a and b must have at least one axis",
        ),
        (
            lambda: lm.ops.matmul(np.zeros((2, 4, 3)), np.zeros((3, 3, 5))),
            ValueError,
            r"matmul: shapes \(2,\) and \(3,\) do not broadcast",
        ),
        (
            lambda: lm.ops.matmul(np.zeros((2, 3)), np.zeros((3, 5), np.float32)),
            TypeError,
            "matmul: a and b must have one dtype",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
