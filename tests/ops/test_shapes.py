import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits

random = np.random.default_rng(0)
X = random.normal(size=(4, 3, 2, 5))
EACH_ROW = [
    (lambda x: lm.ops.reshape(x, (x.shape[0], 6, 5)), lambda x: x.reshape(x.shape[0], 6, 5)),
    (lm.ops.flatten, lambda x: x.reshape(x.shape[0], 30)),
    (lambda x: lm.ops.transpose(x, (0, 3, 1, 2)), lambda x: x.transpose(0, 3, 1, 2)),
    (lambda x: lm.ops.expand_dims(x, -1), lambda x: np.expand_dims(x, -1)),
    (lambda x: lm.ops.squeeze(x[:, :1], 1), lambda x: x[:, 0]),
    (lambda x: lm.ops.split(x, [1, 3], 3), lambda x: tuple(np.split(x, [1, 3], 3))),
    (lambda x: lm.ops.split(x, 3, 1), lambda x: tuple(np.split(x, 3, 1))),
    (lambda x: lm.ops.concatenate([x, x], 2), lambda x: np.concatenate([x, x], 2)),
    (lambda x: lm.ops.stack([x, x * 2], -1), lambda x: np.stack([x, x * 2], -1)),
]


@pytest.mark.parametrize(("op", "reference"), EACH_ROW)
def test_each_row(op, reference):
    check_op(op, [X], reference)


@pytest.mark.parametrize(
    ("op", "reference"),
    [
        (lm.ops.transpose, np.transpose),
        (lambda x: x.T, np.transpose),
        (lambda x: x.transpose(1, 0, 3, 2), lambda x: x.transpose(1, 0, 3, 2)),
        (lambda x: x.reshape(-1), np.ravel),
        (lambda x: x.reshape(12, -1), lambda x: x.reshape(12, 10)),
        (lm.ops.squeeze, np.squeeze),
    ],
)
def test_whole(op, reference):
    check_op(op, [X], reference, batch_axis=None)


def test_several_inputs():
    arrays = [random.normal(size=(4, n, 3)) for n in (1, 2, 5)]
    check_op(lambda *t: lm.ops.concatenate(t, 1), arrays, lambda *a: np.concatenate(a, 1), batched=(0, 1, 2))
    same = [random.normal(size=(4, 3)) for _ in range(3)]
    check_op(lambda *t: lm.ops.stack(t, 1), same, lambda *a: np.stack(a, 1), batched=(0, 1, 2))


def test_large():
    arrays = [random.normal(size=(300, n)).astype(np.float32) for n in (700, 1, 900)]
    check_same_bits(lambda *t: lm.ops.concatenate(t, 1), arrays)
    check_same_bits(lambda *t: lm.ops.concatenate(t, 1), [a.T.copy() for a in arrays[:1]] * 3)
    check_same_bits(lambda x: lm.ops.split(x, 2, 1), arrays[:1])
    rows = [np.arange(200_000, dtype=np.int16).reshape(2, -1), np.ones((3, 100_000), np.int16)]
    np.testing.assert_array_equal(lm.ops.concatenate(rows).numpy(), np.concatenate(rows))


def test_an_unused_part_has_no_gradient():
    x = lm.tensor([1.0, 2.0, 3.0], requires_grad=True)
    first, second = lm.ops.split(x, [2])
    (second * 5).sum().backward()
    assert x.grad.numpy().tolist() == [0, 0, 5]
    assert first.shape == (2,)


def test_views_share_memory():
    x = lm.tensor(X)
    for y in (lm.ops.reshape(x, -1), lm.ops.transpose(x), lm.ops.split(x, 2)[1], lm.ops.expand_dims(x, 0)):
        assert np.shares_memory(y.array, X)


def test_empty():
    x = np.zeros((0, 3, 2), np.float32)
    assert lm.ops.flatten(x).shape == (0, 6)
    assert lm.ops.reshape(x, (0, 6)).shape == (0, 6)
    assert lm.ops.reshape(x, (-1, 6)).shape == (0, 6)
    assert lm.ops.concatenate([x, np.ones((1, 3, 2), np.float32)]).shape == (1, 3, 2)
    assert [t.shape for t in lm.ops.split(x, 2)] == [(0, 3, 2)] * 2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lm.ops.reshape(X, (7, -1)), ValueError, r"reshape: 120 elements of shape .* do not fit \(7, -1\)"),
        (lambda: lm.ops.reshape(X, (-1, -1)), ValueError, "do not fit"),
        (lambda: lm.ops.reshape(X, (-2, -60)), ValueError, "do not fit"),
        (lambda: lm.ops.reshape(X, 2**40), ValueError, "do not fit"),
        (lambda: lm.ops.reshape(np.zeros((0, 3)), (-1, 0)), ValueError, "do not fit"),
        (lambda: lm.ops.flatten(1.0), ValueError, r"flatten: x must have shape \(N, ...\), got \(\)"),
        (lambda: lm.ops.squeeze(X, 1), ValueError, "squeeze: axis 1 must have size 1"),
        (lambda: lm.ops.squeeze(X, 4), ValueError, "squeeze: axis 4 is out of range for 4 dimensions"),
        (lambda: lm.ops.expand_dims(X, 6), ValueError, "expand_dims: axis 6 is out of range"),
        (lambda: lm.ops.transpose(X, (0, 1, 2)), ValueError, "transpose: axes must name each of 4 axes once"),
        (lambda: lm.ops.transpose(X, (0, 1, 2, 2)), ValueError, "transpose: axes must name each of 4 axes once"),
        (lambda: lm.ops.transpose(X, (0, 1, 2, 1.5)), TypeError, "transpose: axis must be an integer, got 1.5"),
        (lambda: lm.ops.concatenate([]), ValueError, "concatenate: expected at least one tensor"),
        (lambda: lm.ops.concatenate([X, X[:, :2]]), ValueError, "concatenate: shapes .* differ beyond axis 0"),
        (lambda: lm.ops.concatenate([X, X.astype("f4")]), TypeError, r"concatenate: tensors\[1\] must have the dtype"),
        (lambda: lm.ops.stack([X, X[:2]]), ValueError, "stack: shapes must be equal"),
        (lambda: lm.ops.split(X, 3), ValueError, "split: 4 elements cannot be cut into 3 equal parts"),
        (lambda: lm.ops.split(X, 0), ValueError, "split: 4 elements cannot be cut into 0"),
        (lambda: lm.ops.split(X, [3, 1]), ValueError, r"split: indices must increase from 0 to 4, got \[3, 1\]"),
        (lambda: lm.ops.split(X, [5]), ValueError, "split: indices must increase"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lm.ops.split(np.ones(6), 2.5), "split: sections must be an integer, got 2.5"),
        (lambda: lm.ops.split(np.ones(6), [1.5]), "split: indices must be an integer, got 1.5"),
        (lambda: lm.ops.reshape(np.ones(6), (2.0, 3)), r"reshape: shape must be integers, got \(2\.0, 3\)"),
        (lambda: lm.ops.transpose(np.ones(6), 0.5), "transpose: axis must be an integer, got 0.5"),
    ],
)
def test_whole_numbers(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_places_in_arrays():
    parts = lm.ops.split(np.arange(6), np.array([2, 5]))
    assert [p.numpy().tolist() for p in parts] == [[0, 1], [2, 3, 4], [5]]
    assert lm.ops.transpose(np.ones(6), 0).shape == (6,)


def test_lists_beside_float64():
    assert lm.ops.stack([[0.1, 0.2], np.ones(2)]).dtype == np.float64
    assert lm.ops.concatenate([lm.tensor(np.ones(2)), [0.1]]).numpy()[2] == 0.1
