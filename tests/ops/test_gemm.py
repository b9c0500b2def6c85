"""The product kernel by itself: every shape, transpose and tail; one definition of the result, to the bit."""

import numpy as np
import pytest

import lamina
from lamina import _cpu, backend

CHAIN = 512
EDGES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 29, 31, 32, 33]


def product(a, b, transpose_a=False, transpose_b=False, bias=None, activation=0):
    m = a.shape[1] if transpose_a else a.shape[0]
    n = b.shape[0] if transpose_b else b.shape[1]
    c = backend.full((m, n), -77, a.dtype)
    _cpu.gemm(a, b, c, transpose_a, transpose_b, bias, activation)
    return c


def operands(random, m, n, k, transpose_a, transpose_b, dtype):
    a = random.standard_normal((k, m) if transpose_a else (m, k)).astype(dtype)
    b = random.standard_normal((n, k) if transpose_b else (k, n)).astype(dtype)
    return a, b, random.standard_normal(n).astype(dtype)


def by_chains(a, b, bias):
    """The contract in float64 arithmetic that holds a float32 multiply-add exactly but for its one rounding.

    A product of float32 numbers is exact in float64, and the sum with a float32 is rounded twice at worst; where
    that differs from one rounding, the test allows one unit in the last place.
    """
    total = None
    for begin in range(0, max(a.shape[1], 1), CHAIN):
        chain = np.zeros((a.shape[0], b.shape[1]), np.float32)
        for k in range(begin, min(begin + CHAIN, a.shape[1])):
            chain = (a[:, k : k + 1].astype(np.float64) * b[k].astype(np.float64) + chain).astype(np.float32)
        total = chain if total is None else total + chain
    return total + bias


def shapes(random, count):
    """Sizes that meet every tile, tail and plan: single rows and columns, no k, chains, blocks."""
    yield from [(9, 32, 21632), (200, 1100, 800), (1100, 70, 600), (1, 1, 1), (5, 3, 0), (1, 500, 513), (31, 1, 1025)]
    yield from [(470, 200, 600)] * 4 + [(40, 161, 0)] * 4 + [(15, 512, 530)] * 4  # by panels: blocks, no k, few rows
    for i in range(count):
        if i % 3 == 0:
            yield tuple(int(random.choice(EDGES)) for _ in range(3))
        else:
            yield int(random.integers(1, 90)), int(random.integers(1, 600)), int(random.integers(1, 1300))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_bits(dtype):
    random = np.random.default_rng(7)
    for i, (m, n, k) in enumerate(shapes(random, 60)):
        transpose_a, transpose_b, activation = bool(i & 1), bool(i & 2), i % 3 == 0
        a, b, bias = operands(random, m, n, k, transpose_a, transpose_b, dtype)
        rows = a.T if transpose_a else a
        wanted = rows.astype(np.float64) @ (b.T if transpose_b else b).astype(np.float64) + bias
        wanted = np.maximum(wanted, 0) if activation else wanted
        results = []
        for isa in _cpu.isas():
            if isa == "portable" and m * n * k > 2e6 and len(_cpu.isas()) > 1:  # exact, and slow without FMA
                continue
            lamina.set_isa(isa)
            for threads in (1, 2, 4):
                lamina.set_num_threads(threads)
                results.append(product(a, b, transpose_a, transpose_b, bias, int(activation)))
        case = f"{m}, {n}, {k}, {transpose_a}, {transpose_b}"
        error = np.abs(results[0] - wanted).max() / max(k, 1) ** 0.5
        assert error < (1e-5 if dtype == np.float32 else 1e-13), case
        assert all(r.tobytes() == results[0].tobytes() for r in results), case
        i = int(random.integers(m))
        row = np.ascontiguousarray(a[:, i : i + 1] if transpose_a else a[i : i + 1])
        alone = product(row, b, transpose_a, transpose_b, bias, int(activation))
        assert alone.tobytes() == results[0][i : i + 1].tobytes(), f"{case}: row {i} alone"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "k"), [(521, 2053), (2119, 512), (4160, 260), (2048, 1027)])
def test_one_row_of_a_large_product(n, k, dtype):
    """From 4 MB on the matrix is read row by row: the bits are those of tiles, which two rows go through."""
    random = np.random.default_rng(9)
    a, b, bias = operands(random, 2, n, k, False, False, dtype)
    row = a[:1].copy()
    for isa in _cpu.isas():
        lamina.set_isa(isa)
        for threads in (1, 2, 4):
            lamina.set_num_threads(threads)
            for offset, activation in ((None, 0), (bias, 0), (bias, 1), (bias, 2)):
                wanted = product(a, b, bias=offset, activation=activation)[:1]
                assert product(row, b, bias=offset, activation=activation).tobytes() == wanted.tobytes()
                column = product(row.T.copy(), b, True, bias=offset, activation=activation)
                assert column.tobytes() == wanted.tobytes()
        if isa == "portable" and len(_cpu.isas()) > 1:
            continue
        b_bad = b.copy()
        b_bad[k // 2, 3] = np.inf
        got = product(row, b_bad)
        assert np.isinf(got[0, 3])
        assert np.isfinite(np.delete(got, 3, 1)).all()


@pytest.mark.parametrize(("m", "n", "k"), [(3, 5, 40), (20, 33, 512), (7, 40, 1200), (1, 64, 1024)])
def test_sum_is_chains_in_order(m, n, k):
    random = np.random.default_rng(1)
    a, b, bias = operands(random, m, n, k, False, False, np.float32)
    wanted = by_chains(a, b, bias)
    difference = np.abs(product(a, b, bias=bias) - wanted)
    assert (difference <= 2 * np.spacing(np.abs(wanted))).all()
    assert (difference == 0).mean() > 0.99


def test_chains_keep_the_error_of_long_sums_small():
    random = np.random.default_rng(2)
    a, b, _ = operands(random, 8, 16, 25088, False, False, np.float32)
    wanted = a.astype(np.float64) @ b.astype(np.float64)
    assert np.abs(product(a, b) - wanted).max() / wanted.std() < 4e-6  # one chain would be ten times worse


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fused_activation_has_the_bits_of_the_op(activation, dtype):
    random = np.random.default_rng(3)
    a, b, bias = operands(random, 37, 83, 600, False, False, dtype)
    number = {"relu": 1, "sigmoid": 2, "tanh": 3}[activation]
    fused = product(a, b, bias=bias, activation=number)
    alone = getattr(lamina.ops, activation)(product(a, b, bias=bias)).numpy()
    assert fused.tobytes() == alone.tobytes()


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_batched_is_each_product(count, threads):
    random = np.random.default_rng(4)
    lamina.set_num_threads(threads)
    for transpose_a in (False, True):
        for transpose_b in (False, True):
            a = random.standard_normal((count, 70, 40) if transpose_a else (count, 40, 70)).astype(np.float32)
            b = random.standard_normal((count, 50, 70) if transpose_b else (count, 70, 50)).astype(np.float32)
            c = backend.empty((count, 40, 50))
            _cpu.gemm_batched(a, b, c, transpose_a, transpose_b)
            for i in range(count):
                assert c[i].tobytes() == product(a[i], b[i], transpose_a, transpose_b).tobytes()


def test_nan_and_infinity_pass_through():
    a = np.ones((20, 30), np.float32)
    b = np.ones((30, 40), np.float32)
    a[3, 5], b[7, 9] = np.nan, np.inf
    for activation in (0, 1):
        c = product(a, b, activation=activation)
        assert np.isnan(c[3]).all()
        assert np.isinf(np.delete(c[:, 9], 3)).all()
        assert np.isfinite(np.delete(np.delete(c, 3, 0), 9, 1)).all()


def test_binding_guards_memory():
    a, b, c = np.ones((2, 3), np.float32), np.ones((3, 4), np.float32), np.ones((2, 4), np.float32)
    read_only = c.copy()
    read_only.flags.writeable = False
    for arguments, error in [
        ((a, b, np.ones((2, 5), np.float32)), ValueError),
        ((a, a, c), ValueError),
        ((a[None], b, c), ValueError),
        ((a, b.astype(np.float64), c), TypeError),
        ((a, b.T.copy().T, c), ValueError),
        ((a, b, read_only), ValueError),
        ((a.astype(">f4"), b, c), TypeError),
        ((a.astype(np.int32), b, c), TypeError),
        ((a, b, c, False, False, np.ones(3, np.float32)), ValueError),
        ((a, b, c, False, False, None, 9), ValueError),
        ((a, b, None), TypeError),
    ]:
        with pytest.raises(error):
            _cpu.gemm(*arguments)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_addend_is_added_after_the_bias(dtype):
    random = np.random.default_rng(11)
    for i, (m, n, k) in enumerate([*shapes(random, 40), (1, 2048, 1024)]):
        transpose_a, transpose_b = bool(i & 1), bool(i & 2)
        a, b, bias = operands(random, m, n, k, transpose_a, transpose_b, dtype)
        bias = None if i % 5 == 0 else bias
        addend = random.standard_normal((m, n)).astype(dtype)
        wanted = product(a, b, transpose_a, transpose_b, bias) + addend
        for isa in _cpu.isas():
            if isa == "portable" and m * n * k > 2e6 and len(_cpu.isas()) > 1:  # exact, and slow without FMA
                continue
            lamina.set_isa(isa)
            for threads, activation in ((1, 0), (1, 1), (2, 1), (4, 0)):
                lamina.set_num_threads(threads)
                c = backend.full((m, n), -77, dtype)
                _cpu.gemm(a, b, c, transpose_a, transpose_b, bias, activation, addend)
                assert np.array_equal(c, np.maximum(wanted, 0) if activation else wanted), (m, n, k, isa, threads)


def test_an_addend_of_another_size_is_refused():
    a = np.ones((3, 3), np.float32)
    with pytest.raises(ValueError, match="elements"):
        _cpu.gemm(a, a, backend.full((3, 3), 0, np.float32), False, False, None, 0, np.ones((2, 3), np.float32))
