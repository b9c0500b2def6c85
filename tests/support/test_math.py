"""csrc/support/math.h, trigonometry.h, power.h: at most 4 ULP everywhere, special values, equal bits on every ISA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lamina import _cpu, backend

Array = np.ndarray[Any, Any]
Extended = np.longdouble


def erf(x: Array) -> Array:
    """erf(x) = 2 / sqrt(pi) e^(-x^2) sum 2^n x^(2 n + 1) / (2 n + 1)!!: no term is negative, so nothing cancels."""
    x = np.clip(x, -8, 8)
    term, total, n = x.copy(), x.copy(), 0
    while np.abs(term).max() > 0 and (np.abs(term) > np.abs(total) * 1e-21).any():
        n += 1
        term = term * (2 * x * x / (2 * n + 1))
        total = total + term
    return total * np.exp(-x * x) * 2 / np.sqrt(Extended("3.14159265358979323846264338327950288"))


def sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


# name: (reference in extended precision, where the interesting numbers are)
FUNCTIONS: dict[str, tuple[Callable[[Array], Array], tuple[float, float]]] = {
    "exp": (np.exp, (-110, 95)),
    "expm1": (np.expm1, (-40, 95)),
    "log": (np.log, (0, 4)),
    "log1p": (np.log1p, (-1, 4)),
    "sqrt": (np.sqrt, (0, 4)),
    "erf": (erf, (-7, 7)),
    "sigmoid": (sigmoid, (-110, 95)),
    "tanh": (np.tanh, (-22, 22)),
    "rsqrt": (lambda x: 1 / np.sqrt(x), (0, 4)),
    "sin": (np.sin, (-1e4, 1e4)),
    "cos": (np.cos, (-1e4, 1e4)),
    "tan": (np.tan, (-1e4, 1e4)),
    "arcsin": (np.arcsin, (-1, 1)),
    "arccos": (np.arccos, (-1, 1)),
    "arctan": (np.arctan, (-20, 20)),
    "sinh": (np.sinh, (-110, 110)),
    "cosh": (np.cosh, (-110, 110)),
    "arcsinh": (np.arcsinh, (-99, 99)),
    "arccosh": (np.arccosh, (1, 20)),
    "arctanh": (np.arctanh, (-1, 1)),
    "log2": (np.log2, (0, 4)),
    "log10": (np.log10, (0, 4)),
}
DTYPES = [np.float32, np.float64]
needs_extended = pytest.mark.skipif(np.finfo(Extended).nmant < 63, reason="no extended precision to compare with")


def call(name: str, x: Array) -> Array:
    y = np.empty_like(x)
    getattr(_cpu, f"{name}_forward")(x, y)
    return y


def samples(name: str, dtype: Any, count: int) -> Array:
    """Every exponent (random bits), the interesting range, and the neighbourhood of 0 and 1."""
    rng = np.random.default_rng(3)
    low, high = FUNCTIONS[name][1]
    if dtype == np.float64 and low < -100:
        low, high = -750, 715
    whole = np.frombuffer(rng.bytes(count * np.dtype(dtype).itemsize), dtype)
    parts = [whole[np.isfinite(whole)], rng.uniform(low, high, count), rng.normal(0, 1, count // 2)]
    parts += [1 + rng.normal(0, 1e-3, count // 4), rng.normal(0, 1e-3, count // 4)]
    return np.concatenate([part.astype(dtype) for part in parts])


def ulps(y: Array, exact: Array) -> Array:
    """The distance in units of the last place of the exact result (a denormal's where it is one)."""
    info = np.finfo(y.dtype)
    with np.errstate(over="ignore", under="ignore"):
        rounded = exact.astype(y.dtype)
    magnitude = np.clip(np.abs(rounded), info.smallest_subnormal, np.nextafter(info.max, y.dtype.type(0)))
    unit = np.spacing(magnitude).astype(Extended)
    same = (y == rounded) | (np.isnan(y) & np.isnan(rounded))
    with np.errstate(invalid="ignore"):
        return np.where(same, 0, np.abs(y.astype(Extended) - exact) / unit)


@needs_extended
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_at_most_4_ulp(name: str, dtype: Any) -> None:
    x = samples(name, dtype, 10_000 if name == "erf" else 200_000)
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name][0](x.astype(Extended))
    error = ulps(call(name, x), exact)
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    assert error[worst] <= 4, f"{name}({x[worst]!r}) is {error[worst]} ULP off"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_same_bits_on_every_isa(name: str, dtype: Any) -> None:
    x = samples(name, dtype, 20_011)
    before, results = backend.isa(), []
    try:
        for isa in _cpu.isas():
            backend.set_isa(isa)
            results.append(call(name, x))
    finally:
        backend.set_isa(before)
    integer = np.uint32 if dtype == np.float32 else np.uint64
    for result in results[1:]:
        np.testing.assert_array_equal(np.isnan(result), np.isnan(results[0]))
        valid = ~np.isnan(result)
        np.testing.assert_array_equal(result[valid].view(integer), results[0][valid].view(integer))


INF, NAN = np.inf, np.nan
SPECIAL = {
    "exp": ([0.0, -0.0, INF, -INF, NAN, 1e4, -1e4], [1, 1, INF, 0, NAN, INF, 0]),
    "expm1": ([0.0, INF, -INF, NAN, 1e4, -1e4], [0, INF, -1, NAN, INF, -1]),
    "log": ([1.0, 0.0, -0.0, INF, -INF, NAN, -1.0], [0, -INF, -INF, INF, NAN, NAN, NAN]),
    "log1p": ([0.0, -1.0, INF, -INF, NAN, -2.0], [0, -INF, INF, NAN, NAN, NAN]),
    "sqrt": ([0.0, 4.0, INF, NAN, -1.0], [0, 2, INF, NAN, NAN]),
    "erf": ([0.0, INF, -INF, NAN, 30.0, -30.0], [0, 1, -1, NAN, 1, -1]),
    "sigmoid": ([0.0, INF, -INF, NAN, 1e4, -1e4], [0.5, 1, 0, NAN, 1, 0]),
    "tanh": ([0.0, INF, -INF, NAN, 50.0, -50.0], [0, 1, -1, NAN, 1, -1]),
    "rsqrt": ([4.0, 0.0, INF, NAN, -1.0], [0.5, INF, 0, NAN, NAN]),
    "sin": ([0.0, INF, -INF, NAN], [0, NAN, NAN, NAN]),
    "cos": ([0.0, -0.0, INF, -INF, NAN], [1, 1, NAN, NAN, NAN]),
    "tan": ([0.0, INF, -INF, NAN], [0, NAN, NAN, NAN]),
    "arcsin": ([0.0, 1.5, -1.5, INF, NAN], [0, NAN, NAN, NAN, NAN]),
    "arccos": ([1.0, 1.5, -1.5, INF, NAN], [0, NAN, NAN, NAN, NAN]),
    "arctan": ([0.0, INF, -INF, NAN], [0, np.pi / 2, -np.pi / 2, NAN]),
    "sinh": ([0.0, INF, -INF, NAN, 1e4], [0, INF, -INF, NAN, INF]),
    "cosh": ([0.0, INF, -INF, NAN, -1e4], [1, INF, INF, NAN, INF]),
    "arcsinh": ([0.0, INF, -INF, NAN], [0, INF, -INF, NAN]),
    "arccosh": ([1.0, INF, -INF, NAN, 0.5, -3.0], [0, INF, NAN, NAN, NAN, NAN]),
    "arctanh": ([0.0, 1.0, -1.0, 1.5, -INF, NAN], [0, INF, -INF, NAN, NAN, NAN]),
    "log2": ([1.0, 8.0, 0.0, INF, NAN, -1.0, 2.0**-100], [0, 3, -INF, INF, NAN, NAN, -100]),
    "log10": ([1.0, 1000.0, 0.0, INF, NAN, -1.0], [0, 3, -INF, INF, NAN, NAN]),
    "binary_step": ([0.0, -0.0, 1e-30, -1e-30, INF, -INF, NAN], [1, 1, 1, 0, 1, 0, NAN]),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values_are_exact(name: str, dtype: Any) -> None:
    x, expected = (np.array(values, dtype) for values in SPECIAL[name])
    np.testing.assert_array_equal(call(name, x), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name", ["erf", "tanh", "expm1", "log1p", "sin", "tan", "arcsin", "arctan", "sinh", "arcsinh", "arctanh"]
)
def test_odd_functions_keep_small_arguments_and_signed_zeros(name: str, dtype: Any) -> None:
    tiny = np.finfo(dtype).tiny
    x = np.array([0.0, -0.0, tiny, -tiny], dtype)
    y = call(name, x)
    if name == "erf":
        np.testing.assert_allclose(y, x * 2 / np.sqrt(np.pi), rtol=1e-6)
    else:
        np.testing.assert_array_equal(y, x)
    if name != "expm1":
        np.testing.assert_array_equal(np.signbit(y), np.signbit(x))


def pair(name: str, a: Array, b: Array) -> Array:
    y = np.empty(np.broadcast_shapes(a.shape, b.shape), a.dtype)
    getattr(_cpu, name)(a, b, y)
    return y


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["power", "arctan2", "hypot", "logaddexp"])
def test_pairs_have_ieee_special_values(name: str, dtype: Any) -> None:
    values = np.array([0.0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, INF, -INF, NAN, 1.5, -1e30, 1e30, 2.0**53], dtype)
    a, b = values[:, None].copy(), values
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(a.astype(np.float64), b.astype(np.float64)).astype(dtype)
    y = pair(name, a, b)
    np.testing.assert_allclose(y, expected, rtol=4 * np.finfo(dtype).eps)
    valid = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(y)[valid], np.signbit(expected)[valid])


@needs_extended
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["power", "arctan2", "hypot"])
def test_pairs_at_most_4_ulp(name: str, dtype: Any) -> None:
    rng = np.random.default_rng(4)
    a, b = np.exp(rng.uniform(-20, 20, 100_000)), rng.uniform(-30, 30, 100_000)
    a, b = a.astype(dtype), b.astype(dtype)
    with np.errstate(all="ignore"):
        exact = getattr(np, name)(a.astype(Extended), b.astype(Extended))
    assert ulps(pair(name, a, b), exact).max() <= (2 if name == "power" else 4)
    before, results = backend.isa(), []
    try:
        for isa in _cpu.isas():
            backend.set_isa(isa)
            results.append(pair(name, a[:20_011], b[:20_011]))
    finally:
        backend.set_isa(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
