import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

X = np.random.default_rng(0).normal(size=(4, 3, 2, 5))


@pytest.mark.parametrize(
    ("op", "reference"),
    [
        (lambda x: lm.ops.flip(x, (1, -1)), lambda x: np.flip(x, (1, -1))),
        (lambda x: lm.ops.roll(x, 2, 3), lambda x: np.roll(x, 2, 3)),
        (lambda x: lm.ops.roll(x, (-4, 8), (1, 3)), lambda x: np.roll(x, (-4, 8), (1, 3))),
        (lambda x: lm.ops.roll(x, 1, (1, 2)), lambda x: np.roll(x, 1, (1, 2))),
        (lambda x: lm.ops.roll(x, (1, 1), (3, 3)), lambda x: np.roll(x, 2, 3)),
        (lambda x: lm.ops.rot90(x, 1, (1, 3)), lambda x: np.rot90(x, 1, (1, 3))),
        (lambda x: lm.ops.rot90(x, 2, (1, 2)), lambda x: np.rot90(x, 2, (1, 2))),
        (lambda x: lm.ops.rot90(x, -1, (3, 1)), lambda x: np.rot90(x, -1, (3, 1))),
        (lambda x: lm.ops.rot90(x, 4, (1, 2)), lambda x: x),
        (lambda x: lm.ops.moveaxis(x, 1, -1), lambda x: np.moveaxis(x, 1, -1)),
        (lambda x: lm.ops.moveaxis(x, (3, 1), (1, 2)), lambda x: np.moveaxis(x, (3, 1), (1, 2))),
        (lambda x: lm.ops.swapaxes(x, 1, -1), lambda x: np.swapaxes(x, 1, -1)),
        (lambda x: lm.ops.unstack(x, axis=1), lambda x: tuple(np.moveaxis(x, 1, 0))),
    ],
)
def test_each_row(op, reference):
    check_op(op, [X], reference)


@pytest.mark.parametrize(
    ("op", "reference"),
    [
        (lm.ops.flip, np.flip),
        (lambda x: lm.ops.roll(x, 7), lambda x: np.roll(x, 7)),
        (lambda x: lm.ops.roll(x, 3, 0), lambda x: np.roll(x, 3, 0)),
        (lm.ops.rot90, np.rot90),
    ],
)
def test_whole(op, reference):
    check_op(op, [X], reference, batch_axis=None)


def test_views_share_memory():
    x = lm.tensor(X)
    for y in (lm.ops.flip(x), lm.ops.rot90(x), lm.ops.moveaxis(x, 0, 1), lm.ops.unstack(x)[1]):
        assert np.shares_memory(y.array, X)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lm.ops.flip(X, 4), ValueError, "flip: axis 4 is out of range for 4 dimensions"),
        (lambda: lm.ops.roll(X, 1, 4), ValueError, "roll: axis 4 is out of range"),
        (lambda: lm.ops.roll(X, 1.5, 1), TypeError, "roll: shift must be integers, got 1.5"),
        (lambda: lm.ops.roll(X, (1, 2), (0, 1, 2)), ValueError, "roll: expected a shift for each axis"),
        (lambda: lm.ops.rot90(X, 1, (1, 1)), ValueError, "rot90: axes must be two different ones"),
        (lambda: lm.ops.rot90(X, 0.5), TypeError, "rot90: k must be an integer"),
        (lambda: lm.ops.moveaxis(X, (0, 1), 0), ValueError, "moveaxis: source and destination"),
        (lambda: lm.ops.moveaxis(X, (0, 0), (0, 1)), ValueError, "moveaxis: source and destination"),
        (lambda: lm.ops.swapaxes(X, 0, 4), ValueError, "swapaxes: axis 4 is out of range"),
        (lambda: lm.ops.unstack(X, 5), ValueError, "unstack: axis 0 has 4 slices, expected 5"),
        (lambda: lm.ops.unstack(X[:0]), ValueError, "unstack: axis 0 has 0 slices, expected at least one"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
