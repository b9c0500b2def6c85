import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_rows_alone, check_same_bits

random = np.random.default_rng(0)
X = random.normal(size=(5, 4, 3))


@pytest.mark.parametrize("axis", [0, 1, -1, None])
@pytest.mark.parametrize("indices", [[0, 2, 0, -1], 1, [[1, 1], [0, 2]], np.zeros((0,), np.int64)])
def test_take(axis, indices):
    check_op(
        lambda x: lm.ops.take(x, indices, axis),
        [X],
        lambda x: np.take(x, indices, axis),
        batch_axis=0 if axis in (1, -1) else None,
    )


@pytest.mark.parametrize(("rows", "inner", "count"), [(50, 1, 5000), (7, 3, 5000), (300, 128, 2000), (3, 1000, 300)])
def test_embeddings_have_the_same_bits(rows, inner, count):
    index = random.integers(0, rows, count) * random.integers(0, 2, count)  # row 0 for half of them
    x = random.normal(size=(rows, inner)).astype(np.float32)
    check_same_bits(lambda t: lm.ops.take(t, index, 0), [x])
    check_same_bits(lambda t: t[index], [x])
    dy = random.normal(size=(count, inner)).astype(np.float32)
    expected = np.zeros_like(x)
    np.add.at(expected, index, dy)  # in the order of the indices
    t = lm.tensor(x, requires_grad=True)
    lm.ops.take(t, index, 0).backward(dy)
    np.testing.assert_array_equal(t.grad.numpy(), expected)
    t.zero_grad()
    t[index].backward(dy)
    np.testing.assert_array_equal(t.grad.numpy(), expected)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_take_along_axis(axis):
    shape = list(X.shape)
    shape[axis] = 6
    index = random.integers(-X.shape[axis], X.shape[axis], shape)
    check_op(
        lambda x: lm.ops.take_along_axis(x, index, axis),
        [X],
        lambda x: np.take_along_axis(x, index, axis),
        batch_axis=None,
    )
    batched = random.integers(0, 3, (5, 4, 2))
    check_rows_alone(lambda x, i: lm.ops.take_along_axis(x, i, -1), [X, batched], batched=(0, 1))


def test_take_along_axis_broadcasts():
    index = np.array([[[2], [0], [1], [1]]])
    check_op(
        lambda x: lm.ops.take_along_axis(x, index, -1),
        [X],
        lambda x: np.take_along_axis(x, np.broadcast_to(index, (x.shape[0], 4, 1)), -1),
    )
    x = X[:1]
    wide = random.integers(0, 4, (6, 2, 3))
    check_op(
        lambda x: lm.ops.take_along_axis(x, wide, 1),
        [x],
        lambda x: np.take_along_axis(np.broadcast_to(x, (6, 4, 3)), wide, 1),
        batch_axis=None,
    )
    flat = [3, 3, -1]
    check_op(
        lambda x: lm.ops.take_along_axis(x, flat), [X], lambda x: np.take_along_axis(x, np.array(flat), None),
        batch_axis=None,
    )  # fmt: skip
    check_same_bits(
        lambda x, i: lm.ops.take_along_axis(x, i, 0),
        [random.normal(size=(9, 70)).astype(np.float32), random.integers(0, 9, (2000, 70))],
    )


def put(x, index, values, axis):
    y = x.copy()
    np.put_along_axis(y, index, values, axis)
    return y


@pytest.mark.parametrize("repeats", [False, True])
def test_put_along_axis(repeats):
    index = np.array([[[0, 2, 2], [1, 1, 0]]]) if repeats else np.array([[[0, 1, 2], [2, 0, 1]]])
    index = np.broadcast_to(index, (5, 2, 3)).copy()
    values = random.normal(size=(5, 2, 3))
    check_op(
        lambda x, v: lm.ops.put_along_axis(x, index, v, 1),
        [X, values],
        lambda x, v: put(x, index, v, 1),
        batch_axis=None,
    )
    check_op(
        lambda x, v: lm.ops.put_along_axis(x, index, v, 1),
        [X, values[0, 0, :1]],
        lambda x, v: put(x, index, v, 1),
        batch_axis=None,
    )


@pytest.mark.parametrize(("shape", "depth"), [((7,), 1), ((7, 3), 1), ((4, 3, 2), 2), ((3, 2), 2)])
def test_scatter(shape, depth):
    index = np.stack([random.integers(0, n, (6, 2)) for n in shape[:depth]], -1)
    values = random.normal(size=(6, 2, *shape[depth:]))
    x = random.normal(size=shape)
    place = tuple(np.moveaxis(index, -1, 0))

    def added(x, v):
        y = np.array(x)
        np.add.at(y, place, v)
        return y

    def updated(x, v):
        y = np.array(x)
        for at in np.ndindex(6, 2):
            y[tuple(index[at])] = v[at]
        return y

    check_op(lambda v: lm.ops.scatter(index, v, shape), [values], lambda v: added(np.zeros(shape), v), batch_axis=None)
    check_op(lambda x, v: lm.ops.scatter_add(x, index, v), [x, values], added, batch_axis=None)
    check_op(lambda x, v: lm.ops.scatter_update(x, index, v), [x, values], updated, batch_axis=None)


def test_integers_and_inputs_stay():
    x = lm.tensor([1, 1, 1])
    assert lm.ops.scatter_add(x, [[0], [0]], [2, 3]).numpy().tolist() == [6, 1, 1]
    assert lm.ops.scatter_update(x, [[2]], [9]).numpy().tolist() == [1, 1, 9]
    assert lm.ops.put_along_axis(x, [1], 5).numpy().tolist() == [1, 5, 1]
    assert lm.ops.take(x, [0, 0]).numpy().tolist() == [1, 1]
    assert x.numpy().tolist() == [1, 1, 1]


def test_errors():
    with pytest.raises(ValueError, match=r"take: indices must be from -5 to 4, got 7 at \(1, 0\)"):
        lm.ops.take(X, [[0, 1], [7, 9]], 0)
    with pytest.raises(ValueError, match="take: indices must be from -5 to 4, got -6 at 2"):
        lm.ops.take(X, [0, 1, -6], 0)
    with pytest.raises(ValueError, match=r"take: indices must be from -5 to 4, got 5$"):
        lm.ops.take(X, 5, 0)
    with pytest.raises(TypeError, match="take: indices must be integers, got float32"):
        lm.ops.take(X, [0.5], 0)
    with pytest.raises(ValueError, match="take: axis 3 is out of range"):
        lm.ops.take(X, [0], 3)
    with pytest.raises(ValueError, match=r"take_along_axis: indices must be from -3 to 2, got 3 at \(0, 0, 1\)"):
        lm.ops.take_along_axis(X, np.array([[[0, 3]]]), -1)
    with pytest.raises(ValueError, match="take_along_axis: indices must have the 3 axes of x"):
        lm.ops.take_along_axis(X, [0], 0)
    with pytest.raises(ValueError, match="take_along_axis: shapes"):
        lm.ops.take_along_axis(X, np.zeros((5, 3, 1), int), -1)
    with pytest.raises(ValueError, match="put_along_axis: values of shape"):
        lm.ops.put_along_axis(X, np.zeros((5, 4, 1), int), np.zeros((5, 4, 2)), -1)
    for name in ("scatter_add", "scatter_update"):
        op = getattr(lm.ops, name)
        with pytest.raises(ValueError, match=rf"{name}: indices\[\.\.\., 0\] must be from 0 to 4, got -1 at 1"):
            op(X, [[0], [-1]], np.zeros((2, 4, 3)))
        with pytest.raises(ValueError, match=rf"{name}: values must have shape \(2, 4, 3\), got \(2, 4\)"):
            op(X, [[0], [1]], np.zeros((2, 4)))
        with pytest.raises(ValueError, match=rf"{name}: indices must have shape \(\.\.\., k\), k from 1 to 3"):
            op(X, [[0, 0, 0, 0]], np.zeros(1))
        with pytest.raises(TypeError, match=f"{name}: indices.* must be integers, got float64"):
            op(X, np.zeros((1, 1)), np.zeros((1, 4, 3)))


def test_kernels_check_what_they_are_given():
    y, v = np.zeros((1, 3, 2), np.float32), np.ones((1, 2, 2), np.float32)
    for wrong in (np.array([0, 3]), np.array([-1, 0])):
        for call in (
            lambda i: lm._cpu.scatter_add(v, i, y),
            lambda i: lm._cpu.take(y, i, v),
            lambda i: lm._cpu.scatter_add_along(v, np.repeat(i, 2).reshape(1, 2, 2), y),
        ):
            with pytest.raises(IndexError, match="indexing: an index is out of range"):
                call(wrong)
