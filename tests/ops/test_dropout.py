import numpy as np
import pytest

import lamina as lm
from op_testing import check_gradients, check_layouts, check_same_bits
from support.test_philox import philox

X = np.random.default_rng(0).normal(size=(40, 1000)).astype(np.float32)


def reference(x, rate, seed, stream):
    """The contract of csrc/ops/dropout.h, in NumPy."""
    dropped = int(np.floor(rate * 65536 + 0.5))
    tiles = -(-x.size // 128)
    words = philox(np.arange(16 * tiles), stream, seed).reshape(tiles, 16, 4)
    bits = np.stack([words & 0xFFFF, words >> 16], -1).transpose(0, 2, 3, 1).reshape(-1)[: x.size]
    scale = x.dtype.type(65536) / x.dtype.type(max(1, 65536 - dropped))
    return np.where(bits.reshape(x.shape) >= dropped, x * scale, 0)


@pytest.mark.parametrize("rate", [0, 0.001, 0.5, 0.9, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_against_the_contract(rate, dtype):
    for shape in ((), (0,), (5,), (3, 129), (40, 1000)):
        x = np.random.default_rng(0).normal(size=shape).astype(dtype)
        y = lm.ops.dropout(x, rate, 7, 2**40 + 3).numpy()
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, reference(x, rate, 7, 2**40 + 3))


def test_same_bits():
    check_same_bits(lambda x: lm.ops.dropout(x, 0.3, 1, 2), [X])
    check_same_bits(lambda x: lm.ops.dropout(x, 0.3, 1, 2), [X.astype(np.float64)])


def test_layouts_and_gradients():
    check_layouts(lambda x: lm.ops.dropout(x, 0.3, 1, 2), [X[:5, :30]])
    check_gradients(lambda x: lm.ops.dropout(x, 0.3, 1, 2), [X[:5, :30]])


def test_the_gradient_flows_where_the_elements_stayed():
    x = lm.tensor(X, requires_grad=True)
    y = lm.ops.dropout(x, 0.25, 1, 2)
    y.backward(np.ones_like(X))
    np.testing.assert_array_equal(x.grad.numpy() != 0, y.numpy() != 0)
    assert np.unique(x.grad.numpy()).tolist() == [0, np.float32(4 / 3)]


def test_large_arrays_written_past_the_caches():
    x = np.random.default_rng(0).normal(size=(1 << 22) + 77).astype(np.float32)
    np.testing.assert_array_equal(lm.ops.dropout(x, 0.5, 1, 2).numpy(), reference(x, 0.5, 1, 2))


def test_fraction_and_mean():
    y = lm.ops.dropout(np.ones(10**6), 0.3, 5, 6).numpy()
    assert abs((y == 0).mean() - 0.3) < 0.002
    assert abs(y.mean() - 1) < 0.003


def test_seeds_and_streams_differ():
    def kept(seed, stream):
        return lm.ops.dropout(np.ones(1000), 0.5, seed, stream).numpy() != 0

    for other in (kept(2, 2), kept(1, 3), kept(1, 2 + 2**32), kept(1 + 2**32, 2)):
        assert 0.4 < (kept(1, 2) == other).mean() < 0.6


def test_nothing_is_left_of_dropped_infinities():
    x = np.full(1000, np.inf)
    assert set(lm.ops.dropout(x, 0.5, 1, 2).numpy().tolist()) == {0.0, np.inf}


@pytest.mark.parametrize("rate", [-0.1, 1.5, np.nan, np.inf, True])
def test_rate_out_of_range(rate):
    with pytest.raises(ValueError, match=r"dropout: rate must be in \[0, 1\], got"):
        lm.ops.dropout(X, rate, 1, 2)


def test_dtype():
    with pytest.raises(TypeError, match="expected an array of numbers"):
        lm.ops.dropout(X.astype(np.complex64), 0.5, 1, 2)
