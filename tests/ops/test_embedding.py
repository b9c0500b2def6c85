import numpy as np
import pytest

import lamina as lm
from lamina.autograd import row_sparse
from lamina.autograd.row_sparse import RowSparse
from op_testing import check_op

random = np.random.default_rng(0)


def reference(indices, table):
    return table[indices]


@pytest.mark.parametrize(
    ("rows", "width", "shape"),
    [
        (50, 37, (33, 101)),  # dense; more terms a row than lanes, so much work that threads share it
        (3, 130, (4, 700)),  # several chains a row
        (5000, 67, (6, 51)),  # row-sparse
        (7, 1, (5,)),
        (1, 64, (3, 2, 1)),
    ],
)
def test_embedding(rows, width, shape):
    indices = random.integers(0, rows, shape)
    check_op(lm.ops.embedding, [indices, random.normal(size=(rows, width))], reference)


def test_tables_of_any_rank_and_indices_of_any_integers():
    table = random.normal(size=(5, 2, 3))
    indices = random.integers(0, 5, (3, 4))
    for dtype in (np.int8, np.uint8, np.int32, np.uint64):
        check = lm.ops.embedding(indices.astype(dtype), table)
        np.testing.assert_array_equal(check.numpy(), table[indices])
    check_op(lm.ops.embedding, [indices, table], reference)
    assert lm.ops.embedding(3, table).shape == (2, 3)
    check_op(lm.ops.embedding, [np.array([1, 1, 0]), random.normal(size=4)], reference)


def gradient(index, rows, dy, through=lambda table: table, lazy=False):
    table = lm.tensor(np.zeros((rows, *dy.shape[1:])), requires_grad=True)
    lm.ops.embedding(index, through(table), lazy=lazy).backward(dy)
    return table


def test_large_tables_have_row_sparse_gradients_of_the_same_bits():
    index, dy = random.integers(0, 100, 900), random.normal(size=(900, 5))
    small, large = gradient(index, 100, dy), gradient(index, 10_000, dy)
    assert isinstance(small.grad_array, np.ndarray)
    sparse = large.grad_array
    assert isinstance(sparse, RowSparse)
    assert not sparse.lazy
    assert (np.diff(sparse.rows) > 0).all()
    np.testing.assert_array_equal(large.grad.numpy()[:100], small.grad.numpy())
    assert not large.grad.numpy()[100:].any()
    np.testing.assert_array_equal(np.asarray(sparse), large.grad.numpy())
    assert "of shape=(10000, 5) dtype=float64" in repr(sparse)
    assert gradient(index, 100, dy, lazy=True).grad_array.lazy


def test_a_gradient_that_was_looked_at_may_be_changed():
    table = gradient([3], 100, np.ones((1, 2)))
    table.grad.array[...] *= 2
    assert table.grad.numpy()[3].tolist() == [2, 2]
    lazy = gradient([3], 100, np.ones((1, 2)), lazy=True)
    assert lazy.grad.numpy()[3].tolist() == [1, 1]
    assert isinstance(lazy.grad_array, RowSparse)


def test_no_other_op_meets_a_row_sparse_gradient():
    index, dy = random.integers(0, 9, 20), random.normal(size=(20, 3))
    table = gradient(index, 10_000, dy, through=lambda t: 2 * t, lazy=True)
    np.testing.assert_allclose(table.grad.numpy(), 2 * gradient(index, 10_000, dy).grad.numpy())


def test_gradients_of_several_uses_add_up():
    table = lm.tensor(random.normal(size=(1000, 3)), requires_grad=True)
    expected = np.zeros((1000, 3))
    for index in (np.array([7, 3, 7]), np.array([900, 3]), np.array([], int)):
        lm.ops.embedding(index, table).sum().backward()
        np.add.at(expected, index, 1)
        assert isinstance(table.grad_array, RowSparse)
        np.testing.assert_array_equal(np.asarray(table.grad_array), expected)
    (2 * table).sum().backward()  # dense
    lm.ops.embedding([5], table).sum().backward()
    expected += 2
    expected[5] += 1
    np.testing.assert_array_equal(table.grad.numpy(), expected)
    before = table.grad_array
    lm.ops.embedding([5], table).sum().backward()
    assert before[5, 0] == 3, "a gradient that somebody may hold was written to"


def test_sorted_segments():
    for index in (np.array([5, 0, 5, 2**40, 0, 5]), np.array([5, 0, 5, 2**62 - 1]), np.array([], np.int64)):
        order, first, numbers = row_sparse.sorted_segments(index)
        assert numbers.tolist() == sorted(set(index.tolist()))
        for u, number in enumerate(numbers):
            places = order[first[u] : first[u + 1]]
            assert places.tolist() == np.flatnonzero(index == number).tolist()


def test_the_indices_are_those_of_the_forward_pass():
    index, table = np.array([1, 2]), lm.tensor(np.zeros((3, 1)), requires_grad=True)
    y = lm.ops.embedding(index, table)
    index[...] = 99
    y.sum().backward()
    assert table.grad.numpy().tolist() == [[0.0], [1.0], [1.0]]


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        (np.full((4, 6), 10), r"indices must be from 0 to 9, got 10 at \(0, 0\)"),
        (np.where(np.arange(24).reshape(4, 6) == 23, 17, 0), r"got 17 at \(3, 5\)"),
        ([0, -1, 3], "got -1 at 1"),
        (np.array([2**63], np.uint64), "got 9223372036854775808 at 0"),
    ],
)
def test_out_of_range(indices, message):
    with pytest.raises(ValueError, match="embedding: .*" + message):
        lm.ops.embedding(indices, np.zeros((10, 2)))


def test_bad_arguments():
    with pytest.raises(TypeError, match="embedding: indices must be integers, got float32"):
        lm.ops.embedding([1.0], np.zeros((10, 2)))
    with pytest.raises(TypeError, match="embedding: indices must be integers, got bool"):
        lm.ops.embedding([True], np.zeros((10, 2)))
    with pytest.raises(TypeError, match="expected an array of numbers"):
        lm.ops.embedding([1], np.zeros((10, 2), np.complex64))
    with pytest.raises(ValueError, match=r"embedding: table must have shape \(rows, ...\), got \(\)"):
        lm.ops.embedding([1], np.float32(3))
    with pytest.raises(ValueError, match="embedding: indices must be from 0 to -1, got 0"):
        lm.ops.embedding([0], np.zeros((0, 2)))
    assert lm.ops.embedding(np.zeros((0, 3), int), np.zeros((0, 2))).shape == (0, 3, 2)


def test_the_kernel_guards_memory():
    kernel = lm._cpu.embedding_backward
    dy, y = np.ones((3, 2)), np.zeros((4, 2))
    order, first, rows = np.array([2, 0, 1]), np.array([0, 2, 3]), np.array([1, 3])
    kernel(dy, order, first, rows, y)
    assert y[:, 0].tolist() == [0, 2, 0, 1]
    bad = [
        (np.array([2, 0, 3]), first, rows),
        (np.array([2, 0, -1]), first, rows),
        (order, np.array([0, 0, 3]), rows),
        (order, np.array([0, 2, 4]), rows),
        (order, np.array([1, 2, 3]), rows),
        (order, first, np.array([1, 4])),
        (order, first, np.array([-1, 3])),
        (order, first, np.array([3, 3])),
    ]
    for arguments in bad:
        with pytest.raises(IndexError, match="not in order, or out of range"):
            kernel(dy, *arguments, y)
    with pytest.raises(ValueError, match="do not fit"):
        kernel(dy, order, first, rows, np.zeros((4, 3)))
    with pytest.raises(IndexError):
        kernel(dy, order, first, None, np.zeros((1, 2)))
