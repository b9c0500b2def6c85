import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits

X = np.random.default_rng(0).normal(size=(4, 3, 2, 5))


@pytest.mark.parametrize(
    ("op", "reference"),
    [
        (lambda x: lm.ops.tile(x, (1, 2, 1, 3)), lambda x: np.tile(x, (1, 2, 1, 3))),
        (lambda x: lm.ops.tile(x, 2), lambda x: np.tile(x, 2)),
        (lambda x: lm.ops.repeat(x, 3, 2), lambda x: np.repeat(x, 3, 2)),
        (lambda x: lm.ops.repeat(x, 2, -1), lambda x: np.repeat(x, 2, -1)),
        (lambda x: lm.ops.repeat(x, [2, 0, 3], 1), lambda x: np.repeat(x, [2, 0, 3], 1)),
        (lambda x: lm.ops.broadcast_to(x[:, :, :1], (x.shape[0], 3, 7, 5)), lambda x: np.repeat(x[:, :, :1], 7, 2)),
    ],
)
def test_each_row(op, reference):
    check_op(op, [X], reference)


@pytest.mark.parametrize(
    ("op", "reference"),
    [
        (lambda x: lm.ops.tile(x, (2, 1, 3, 1, 1)), lambda x: np.tile(x, (2, 1, 3, 1, 1))),
        (lambda x: lm.ops.repeat(x, 2), lambda x: np.repeat(x, 2)),
        (lambda x: lm.ops.repeat(x, 0, 0), lambda x: np.repeat(x, 0, 0)),
        (lambda x: lm.ops.broadcast_to(x, (2, 1, 4, 3, 2, 5)), lambda x: np.broadcast_to(x, (2, 1, 4, 3, 2, 5))),
    ],
)
def test_whole(op, reference):
    check_op(op, [X], reference, batch_axis=None)


def test_large():
    x = np.random.default_rng(0).normal(size=(300, 700)).astype(np.float32)
    check_same_bits(lambda x: lm.ops.repeat(x, 3, 1), [x])
    check_same_bits(lambda x: lm.ops.tile(x, (2, 2)), [x])


def test_integers_and_numbers():
    assert lm.ops.repeat(np.arange(3, dtype=np.int16), 2).numpy().tolist() == [0, 0, 1, 1, 2, 2]
    assert lm.ops.tile(5, 3).numpy().tolist() == [5, 5, 5]
    assert lm.ops.broadcast_to(2.0, (2,)).numpy().tolist() == [2, 2]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lm.ops.tile(X, -1), ValueError, "tile: repeats must not be negative, got -1"),
        (lambda: lm.ops.tile(X, 1.5), TypeError, "tile: repeats must be integers, got 1.5"),
        (lambda: lm.ops.repeat(X, -2, 1), ValueError, "repeat: repeats must not be negative"),
        (lambda: lm.ops.repeat(X, [1, 2], 1), ValueError, "repeat: expected one count or 3, got 2"),
        (lambda: lm.ops.repeat(X, 2, 4), ValueError, "repeat: axis 4 is out of range"),
        (lambda: lm.ops.repeat(X, 0.5, 1), TypeError, "repeat: repeats must be integers"),
        (lambda: lm.ops.broadcast_to(X, (4, 3, 2, 6)), ValueError, "broadcast_to: shape.* not broadcast"),
        (lambda: lm.ops.broadcast_to(X, (5,)), ValueError, "broadcast_to: shape.* not broadcast"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
