import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_same_bits

X = np.random.default_rng(0).normal(size=(4, 3, 6, 5))
MODES = ("constant", "reflect", "symmetric", "edge", "wrap")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("widths", [((0, 0), (1, 2), (0, 3), (0, 0)), ((0, 0), (0, 0), (2, 1), (4, 0))])
def test_each_row(mode, widths):
    check_op(lambda x: lm.ops.pad(x, widths, mode), [X], lambda x: np.pad(x, widths, mode))


@pytest.mark.parametrize("mode", MODES)
def test_every_axis(mode):
    check_op(lambda x: lm.ops.pad(x, (1, 2), mode), [X], lambda x: np.pad(x, (1, 2), mode), batch_axis=None)


def test_constant():
    x = X[:, :, :, :1]
    check_op(
        lambda x: lm.ops.pad(x, ((0, 0), (2, 0), (0, 0), (0, 1)), constant_values=-2.5),
        [x],
        lambda x: np.pad(x, ((0, 0), (2, 0), (0, 0), (0, 1)), constant_values=-2.5),
    )
    assert lm.ops.pad(np.float32(3), ()).item() == 3


def test_large():
    x = np.random.default_rng(0).normal(size=(3, 300, 7, 65)).astype(np.float32)
    for mode in MODES:
        check_same_bits(lambda x, mode=mode: lm.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode), [x])
    big = np.random.default_rng(0).normal(size=(3, 2000, 1000)).astype(np.float32)  # written past the caches
    y = lm.ops.pad(big, ((0, 0), (1, 2), (3, 0))).numpy()
    np.testing.assert_array_equal(y, np.pad(big, ((0, 0), (1, 2), (3, 0))))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.bool_])
def test_integers(dtype):
    x = np.arange(12).reshape(3, 4).astype(dtype)
    for mode in MODES:
        y = lm.ops.pad(x, ((1, 0), (2, 1)), mode).numpy()
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, np.pad(x, ((1, 0), (2, 1)), mode))
    np.testing.assert_array_equal(lm.ops.pad(x, 1, constant_values=1).numpy(), np.pad(x, 1, constant_values=1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lm.ops.pad(X, -1), ValueError, "pad: pad_width must not be negative, got -1"),
        (lambda: lm.ops.pad(X, 1.5), TypeError, "pad: pad_width must be integers, got 1.5"),
        (lambda: lm.ops.pad(X, ((1, 1), (1, 1))), ValueError, "pad: pad_width must be a pair .* of 4 axes"),
        (lambda: lm.ops.pad(X, 1, "zeros"), ValueError, "pad: mode must be one of constant, reflect"),
        (lambda: lm.ops.pad(X, 1, "edge", 3), ValueError, 'constant_values go with mode "constant" only'),
        (lambda: lm.ops.pad(X[0, 0], 6, "reflect"), ValueError, 'pad: mode "reflect" can add 5 at most to axis 0'),
        (lambda: lm.ops.pad(X[0, 0], 7, "symmetric"), ValueError, 'mode "symmetric" can add 6 at most to axis 0'),
        (lambda: lm.ops.pad(X[0, 0], 7, "wrap"), ValueError, 'mode "wrap" can add 6 at most'),
        (lambda: lm.ops.pad(X[:0], 1, "edge"), ValueError, 'mode "edge" can add 0 at most to axis 0 of size 0'),
        (lambda: lm.ops.pad(X, 2**62), ValueError, "pad: pad_width is too large"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
