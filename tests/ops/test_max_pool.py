import numpy as np
import pytest

import lamina as lm
from lamina import _cpu
from op_testing import check_empty_batch, check_forward, check_gradients, check_op, check_rows_alone, check_same_bits
from ops.pooling_reference import CASES, OPS, all_spans, apart, largest, reduce_windows


def reference(x, pool_size=2, strides=None, padding="valid"):
    return reduce_windows(x, all_spans(x, pool_size, strides, padding), largest)


@pytest.mark.parametrize(("shape", "pool_size", "strides", "padding"), CASES)
def test_max_pool(shape, pool_size, strides, padding):
    op = getattr(lm.ops, "max_" + OPS[len(shape)])
    check_op(
        lambda x: op(x, pool_size, strides, padding),
        [apart(shape)],
        lambda x: reference(x, pool_size, strides, padding),
        layouts=shape[0] == 2,
        places=12,
    )


@pytest.mark.parametrize(("shape", "pool_size", "strides", "padding"), CASES)
def test_indices(shape, pool_size, strides, padding):
    x = apart(shape)
    y, indices = getattr(lm.ops, "max_" + OPS[len(shape)])(x, pool_size, strides, padding, return_indices=True)
    assert indices.dtype == np.int64
    flat = x.reshape(shape[0], -1, shape[-1])
    taken = np.take_along_axis(flat, indices.numpy().reshape(shape[0], -1, shape[-1]), 1)
    np.testing.assert_array_equal(taken.reshape(y.shape), y.numpy())


def test_indices_do_not_disturb_gradients():
    x = lm.tensor(apart((1, 4, 6, 3)), requires_grad=True)
    y, _ = lm.ops.max_pool2d(x, return_indices=True)
    y.sum().backward()
    assert x.grad.numpy().sum() == y.size


def test_volumes_for_threads():
    x = apart((2, 9, 17, 20, 24)).astype(np.float32)
    for pool_size, strides in ((2, 2), (3, 2)):
        check_same_bits(lambda x, p=pool_size, s=strides: lm.ops.max_pool3d(x, p, s, "same"), [x])


@pytest.mark.parametrize(("pool_size", "strides"), [(2, 2), (3, 2), (4, 3)])
def test_large_enough_for_threads(pool_size, strides):
    def op(x):
        return lm.ops.max_pool2d(x, pool_size, strides, "same")

    x = apart((3, 33, 40, 24)).astype(np.float32)
    check_same_bits(op, [x])
    check_rows_alone(op, [x])


def test_output_past_the_caches():
    x = np.random.default_rng(0).standard_normal((2, 258, 258, 128), np.float32)  # y and dx from 16 MB are streamed
    x = lm.tensor(x, requires_grad=True)
    y = lm.ops.max_pool2d(x, 3, 1)
    y.backward(np.ones(y.shape))
    np.testing.assert_array_equal(
        y.numpy(), np.lib.stride_tricks.sliding_window_view(x.array, (3, 3), (1, 2)).max((4, 5))
    )
    assert x.grad.numpy().sum(dtype=np.float64) == y.size


def test_windows_of_more_than_256_places():
    x = apart((2, 20, 21, 5))
    for pool_size, strides, padding in [((16, 17), 3, "valid"), (20, 1, "same"), ((16, 16), 2, "valid")]:

        def op(x, args=(pool_size, strides, padding)):
            return lm.ops.max_pool2d(x, *args)

        check_forward(op, [x], lambda x, args=(pool_size, strides, padding): reference(x, *args))
        check_gradients(op, [x])
        check_same_bits(op, [x])
        check_empty_batch(op, [x])


@pytest.mark.parametrize("pool_size", [2, 3, 4, 17])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_first_of_equal_values_wins(pool_size, dtype):
    x = lm.tensor(np.zeros((1, 2 * pool_size, 2 * pool_size, 19), dtype), requires_grad=True)
    x.array[0, 1, :, 3] = -0.0  # equal to 0
    lm.ops.max_pool2d(x, pool_size).backward(np.ones((1, 2, 2, 19)))
    expected = np.zeros(x.shape)
    expected[:, ::pool_size, ::pool_size] = 1
    np.testing.assert_array_equal(x.grad.numpy(), expected)


@pytest.mark.parametrize("pool_size", [2, 3, 4])
def test_nan_wins(pool_size):
    for place in np.ndindex(pool_size, pool_size):
        x = lm.tensor(np.full((1, pool_size, pool_size, 20), np.inf), requires_grad=True)
        x.array[0, *place, 5:] = np.nan
        y = lm.ops.max_pool2d(x, pool_size)
        assert np.isnan(y.numpy()[..., 5:]).all()
        assert (y.numpy()[..., :5] == np.inf).all()
        y.backward(np.ones(y.shape))
        expected = np.zeros(x.shape)
        expected[0, 0, 0, :5] = 1
        expected[0, *place, 5:] = 1
        np.testing.assert_array_equal(x.grad.numpy(), expected)


def test_the_last_nan_wins():
    x = lm.tensor(np.full((1, 2, 2, 3), np.nan), requires_grad=True)
    lm.ops.max_pool2d(x).backward(np.ones((1, 1, 1, 3)))
    assert x.grad.numpy()[0, ..., 0].tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("pool_size", [2, 3, 5])
def test_padding_never_wins(pool_size):
    for value in (-np.inf, -1e30):
        x = lm.tensor(np.full((1, 5, 5, 3), value), requires_grad=True)
        y = lm.ops.max_pool2d(x, pool_size, 2, "same")
        assert (y.numpy() == value).all()
        y.backward(np.ones(y.shape))
        assert x.grad.numpy().sum() == y.size


def test_no_offsets_without_gradients():
    x = lm.tensor(apart((1, 4, 4, 3)))
    assert lm.ops.max_pool2d(x).node is None
    with lm.no_grad():
        assert lm.ops.max_pool2d(lm.tensor(x.array, requires_grad=True)).node is None


def window(kernel, strides, before=(0, 0), after=(0, 0)):
    return 1, *kernel, 1, *strides, 0, *before, 0, *after


GEOMETRY = window((2, 2), (2, 2))


def test_foreign_offsets_are_harmless():
    dy = np.ones((1, 1, 2, 2, 20), np.float32)
    random = np.random.default_rng(0)
    for offsets in (np.full(dy.shape, 255), np.full(dy.shape, 4), random.integers(0, 256, dy.shape)):
        dx = np.full((1, 1, 4, 4, 20), 7, np.float32)
        _cpu.max_pool_backward(dy, offsets.astype(np.uint8), dx, GEOMETRY)
        assert dx.sum() == (offsets < 4).sum()  # the others name no place
    large = window((17, 17), (1, 1))
    dx = np.empty((1, 1, 18, 18, 20), np.float32)
    for number in (-1, -(2**31), 2**31 - 1, 289):
        _cpu.max_pool_backward(dy, np.full(dy.shape, number, np.int32), dx, large)
        assert not dx.any()


@pytest.mark.parametrize(
    ("offsets", "geometry"),
    [
        (np.zeros((1, 2, 2, 19), np.uint8), GEOMETRY),  # too few
        (np.zeros((1, 2, 2, 20), np.int32), GEOMETRY),  # the wrong type
        (np.zeros((1, 2, 2, 40), np.uint8)[..., ::2], GEOMETRY),  # the wrong layout
        (np.zeros((1, 2, 2, 20), np.uint8), window((2, 2), (1, 1))),  # another geometry
        (np.zeros((1, 2, 2, 20), np.uint8), window((0, 2), (2, 2))),
        (np.zeros((1, 2, 2, 20), np.uint8), window((2, 2), (0, 2))),
        (np.zeros((1, 2, 2, 20), np.uint8), window((2, 2), (2, 2), (-1, 0), (1, 0))),
        (np.zeros((1, 2, 2, 20), np.uint8), window((2, 2), (4, 4), (2, 2), (2, 2))),  # windows of padding alone
        (np.zeros((1, 2, 2, 20), np.uint8), window((9, 2), (2, 2))),  # larger than the input
        (np.zeros((1, 2, 2, 20), np.uint8), (2, 2, 2)),  # adaptive, other outputs
        (np.zeros((1, 2, 2, 20), np.uint8), (1, 0, 2)),
        (np.zeros((1, 2, 2, 20), np.uint8), (1, 2**31, 2)),
        (np.zeros((1, 2, 2, 20), np.uint8), (1, 2)),
        (np.zeros((1, 2, 2, 20), np.uint8), ("2", 2, 2)),
        (np.zeros((1, 2, 2, 20), np.uint8), window((2**62, 2), (2, 2))),
    ],
)
def test_backward_refuses_what_does_not_fit(offsets, geometry):
    dy, dx = np.ones((1, 1, 2, 2, 20), np.float32), np.zeros((1, 1, 4, 4, 20), np.float32)
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        _cpu.max_pool_backward(dy, offsets, dx, geometry)


def test_integers_become_float32():
    assert lm.ops.max_pool2d(np.arange(16).reshape(1, 4, 4, 1)).dtype == np.float32


ONE = np.zeros((1, 4, 4, 1), np.float32)


@pytest.mark.parametrize("op", [lm.ops.max_pool2d, lm.ops.avg_pool2d, lm.ops.lp_pool2d])
@pytest.mark.parametrize(
    ("x", "arguments", "message"),
    [
        (np.zeros((4, 4, 1)), {}, r"x must have shape \(N, H, W, C\), got \(4, 4, 1\)"),
        (np.zeros((1, 0, 4, 1)), {}, r"of at least 1, got \(1, 0, 4, 1\)"),
        (np.zeros((1, 4, 4, 0)), {}, r"of at least 1, got \(1, 4, 4, 0\)"),
        (ONE, {"pool_size": 0}, "pool_size must be at least 1, got 0"),
        (ONE, {"pool_size": (2, -1)}, r"pool_size must be at least 1, got \(2, -1\)"),
        (ONE, {"strides": 0}, "strides must be at least 1, got 0"),
        (ONE, {"strides": (1, 2, 3)}, "strides must be an integer or a pair"),
        (ONE, {"pool_size": 5}, "pool_size 5 is larger than the input, 4"),
        (ONE, {"pool_size": (2, 9), "padding": 1}, "pool_size 9 is larger than the input, 4"),
        (ONE, {"padding": "full"}, 'padding must be "valid" or "same", an integer.* got \'full\''),
        (ONE, {"padding": (1, 1, 1)}, r"padding must be .* got \(1, 1, 1\)"),
        (ONE, {"padding": None}, "padding must be .* got None"),
        (ONE, {"padding": -1}, "padding must be at least 0, got -1"),
        (ONE, {"padding": 2}, r"padding \(2, 2\) is more than half of pool_size 2"),
        (ONE, {"padding": ((0, 0), (0, 2))}, r"padding \(0, 2\) is more than half of pool_size 2"),
        (ONE, {"pool_size": 2**31, "padding": "same"}, "too large"),
        (ONE, {"pool_size": (2**16, 2**16), "padding": "same"}, "too large"),
        (ONE, {"strides": 2**31}, "too large"),
        (ONE, {"pool_size": 2, "padding": 2**31}, "too large"),
    ],
)
def test_errors(op, x, arguments, message):
    with pytest.raises(ValueError, match=f"{op.__name__}: .*{message}"):
        op(x, **arguments)


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (lm.ops.max_pool1d, r"\(N, L, C\)"),
        (lm.ops.avg_pool1d, r"\(N, L, C\)"),
        (lm.ops.max_pool3d, r"\(N, D, H, W, C\)"),
        (lm.ops.avg_pool3d, r"\(N, D, H, W, C\)"),
    ],
)
def test_wrong_rank(op, shape):
    with pytest.raises(ValueError, match=rf"{op.__name__}: x must have shape {shape}, got \(1, 4, 4, 1\)"):
        op(ONE)


@pytest.mark.parametrize("op", [lm.ops.max_pool2d, lm.ops.avg_pool2d, lm.ops.lp_pool2d])
def test_type_errors(op):
    with pytest.raises(TypeError, match=f"{op.__name__}: pool_size must be an integer"):
        op(ONE, pool_size=2.0)
    with pytest.raises(TypeError, match=f"{op.__name__}: padding must be an integer"):
        op(ONE, padding=((0.5, 0), 0))
    with pytest.raises(TypeError, match="expected an array of numbers"):
        op(ONE.astype(np.complex64))
    with pytest.raises(TypeError):
        op(ONE.astype(complex))
