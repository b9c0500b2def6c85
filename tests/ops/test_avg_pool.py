import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from op_testing import check_forward, check_gradients, check_op, check_rows_alone, check_same_bits
from ops.pooling_reference import CASES, OPS, all_spans, mean, reduce_windows, several


def reference(x, pool_size=2, strides=None, padding="valid", count_padding=False):
    places = np.prod(several(pool_size, x.ndim - 2))

    def average(window):
        return window.sum(tuple(range(1, x.ndim - 1))) / places if count_padding else mean(window)

    return reduce_windows(x, all_spans(x, pool_size, strides, padding), average)


@pytest.mark.parametrize("count_padding", [False, True])
@pytest.mark.parametrize(("shape", "pool_size", "strides", "padding"), CASES)
def test_avg_pool(shape, pool_size, strides, padding, count_padding):
    op = getattr(lm.ops, "avg_" + OPS[len(shape)])
    check_op(
        lambda x: op(x, pool_size, strides, padding, count_padding),
        [np.random.default_rng(0).normal(size=shape)],
        lambda x: reference(x, pool_size, strides, padding, count_padding),
        layouts=not count_padding,
        places=12,
    )


@pytest.mark.parametrize(("pool_size", "strides"), [(2, 2), (3, 2), (4, 3)])
def test_large_enough_for_threads(pool_size, strides):
    def op(x):
        return lm.ops.avg_pool2d(x, pool_size, strides, "same")

    x = np.random.default_rng(0).standard_normal((3, 33, 40, 24), np.float32)
    check_same_bits(op, [x])
    check_rows_alone(op, [x])


def test_windows_longer_than_a_chain():
    x = np.random.default_rng(0).normal(size=(2, 40, 41, 5)) + 3
    for pool_size in [(40, 41), (23, 23), (16, 32), (1, 40)]:
        check_forward(lambda x, p=pool_size: lm.ops.avg_pool2d(x, p, 7), [x], lambda x, p=pool_size: reference(x, p, 7))
        check_gradients(lambda x, p=pool_size: lm.ops.avg_pool2d(x, p, 7), [x])
        check_same_bits(lambda x, p=pool_size: lm.ops.avg_pool2d(x, p, 7), [x])


def test_long_sums_stay_exact():
    x = np.full((1, 1000, 1000, 1), 0.1, np.float32)
    assert abs(lm.ops.avg_pool2d(x, 1000).item() - 0.1) < 1e-4 * 0.1  # one chain would be off by 1 %


def test_output_past_the_caches():
    x = np.random.default_rng(0).integers(-8, 8, (2, 257, 257, 128)).astype(np.float32)  # from 16 MB on: streamed
    x = lm.tensor(x, requires_grad=True)
    y = lm.ops.avg_pool2d(x, 2, 1)
    y.backward(np.ones(y.shape))
    v = x.numpy()
    np.testing.assert_array_equal(y.numpy(), (v[:, :-1, :-1] + v[:, :-1, 1:] + v[:, 1:, :-1] + v[:, 1:, 1:]) / 4)
    assert x.grad.numpy().sum(dtype=np.float64) == y.size


def test_nan_and_infinities():
    x = np.random.default_rng(0).normal(size=(1, 4, 6, 3))
    x[0, 0, 0], x[0, 1, 3], x[0, 2, 4], x[0, 3, 5] = np.nan, np.inf, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        check_forward(lm.ops.avg_pool2d, [x], reference)


def test_bindings_refuse_what_does_not_fit():
    dy, dx = np.ones((1, 1, 2, 2, 20), np.float32), np.zeros((1, 1, 4, 4, 20), np.float32)
    for window in [
        (1, 2, 2, 1, 1, 1, *(0,) * 6),
        (1, 0, 2, 1, 2, 2, *(0,) * 6),
        (1, 2, 2, 1, 4, 4, 0, 2, 2, 0, 2, 2),
        (1, 5, 5, 1, 1, 1, *(0,) * 6),
        (1, 3, 2),
        (0, 2, 2),
        (1,),
    ]:
        with pytest.raises(ValueError):
            _cpu.avg_pool_backward(dy, dx, False, window)
    with pytest.raises(ValueError, match="N, D, H, W, C"):
        _cpu.avg_pool_backward(dy[0], dx[0], False, (1, 2, 2))
