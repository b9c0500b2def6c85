"""Functions of one number or two, comparisons and choices: the CPU's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, numbers, same_as, sizes, updated, written

ELEMENTARY = ["exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "erf", "sigmoid", "tanh", "binary_step"]
TRANSCENDENTAL = ["sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "arcsinh", "arccosh", "arctanh"]
TRANSCENDENTAL += ["log2", "log10"]
FORWARDS = [("forward", True)]  # nothing is shared, so one order is as good as another


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ELEMENTARY + TRANSCENDENTAL)
def test_functions(name: str, dtype: Any) -> None:
    for scale in (0.4, 3.0, 90.0, 1e7):
        x, dy = numbers(1031, dtype, scale=scale, special=True), numbers(1031, dtype, 1)
        check_kernel(f"{name}_forward", schedules=FORWARDS, x=x, y=written(x.shape, dtype))
        check_kernel(f"{name}_backward", schedules=FORWARDS, saved=x, dy=dy, dx=written(x.shape, dtype))
    for n in sizes():
        check_kernel(f"{name}_forward", schedules=FORWARDS, x=np.abs(x[:n]), y=written(n, dtype))
    check_kernel(f"{name}_forward", x=x, y=same_as("x"))
    check_kernel(f"{name}_backward", saved=x, dy=dy, dx=same_as("dy"))


def test_angles_of_every_size() -> None:
    x = np.ldexp(np.random.default_rng(0).standard_normal(4000), np.arange(4000) % 2000 - 1000)
    for name in ("sin", "cos", "tan"):
        check_kernel(f"{name}_forward", schedules=FORWARDS, x=x, y=written(x.shape, np.float64))
        with np.errstate(over="ignore"):
            narrow = x.astype(np.float32)
        check_kernel(f"{name}_forward", schedules=FORWARDS, x=narrow, y=written(x.shape, np.float32))


SHAPES = [((7, 33), (7, 33)), ((5, 8), (8,)), ((5, 8), (5, 1)), ((1,), (3, 4, 5)), ((2, 3, 1, 5), (3, 4, 5)), ((), ())]
SHAPES += [((0, 4), (4,)), ((60, 16), (60, 16))]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["arctan2", "hypot", "logaddexp", "power"])
def test_pairs(name: str, dtype: Any) -> None:
    special = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 2.0, -2.5, 3.0, 1e-40, 1e30, -1e30, 0.5]
    a, b = (np.array(v, dtype).reshape(-1) for v in np.meshgrid(special, special))
    check_kernel(name, schedules=FORWARDS, a=a, b=b, y=written(a.shape, dtype))
    for a_shape, b_shape in SHAPES:
        a, b = numbers(a_shape, dtype, scale=3), numbers(b_shape, dtype, 1, scale=3)
        y = np.broadcast_shapes(a_shape, b_shape)
        check_kernel(name, schedules=FORWARDS, a=np.asarray(np.abs(a)), b=b, y=written(y, dtype))
    check_kernel(name, a=a, b=b, y=same_as("b"))


COMPARISONS = ["equal", "not_equal", "less", "less_equal", "magnitude_equal", "magnitude_less"]
COMPARISONS += ["logical_and", "logical_or", "logical_xor"]


@pytest.mark.parametrize("dtype", [*FLOATS, np.uint8])
@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name: str, dtype: Any) -> None:
    values = np.array([0, 1, 2, 0, 1] if dtype == np.uint8 else [np.nan, -1.0, 0.0, -0.0, 1.0, np.inf], dtype)
    for a_shape, b_shape in SHAPES:
        rng = np.random.default_rng(2)
        a, b = rng.choice(values, a_shape), rng.choice(values, b_shape)
        y = written(np.broadcast_shapes(a_shape, b_shape), np.uint8)
        check_kernel(name, schedules=FORWARDS, a=np.asarray(a, dtype), b=np.asarray(b, dtype), y=y)


@pytest.mark.parametrize("dtype", FLOATS)
def test_where(dtype: Any) -> None:
    shapes = [((7, 33), (7, 33), (7, 33)), ((6, 8), (8,), ()), ((6, 8), (6, 1), (6, 8)), ((2, 3, 4), (3, 1), (2, 1, 4))]
    shapes += [((0, 4), (4,), ()), ((), (), ()), ((3, 5), (3, 5), (1, 5)), ((40, 16), (40, 16), (1,))]
    for shape, a_shape, b_shape in shapes:
        condition = np.random.default_rng(0).integers(0, 3, shape).astype(np.uint8)
        a, b = numbers(a_shape, dtype, special=True), numbers(b_shape, dtype, 1, special=True)
        check_kernel("where", condition=condition, a=a, b=b, y=written(shape, dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_prelu(dtype: Any) -> None:
    for rows, n in [(5, 7), (9, 8), (1031, 1), (64, 1), (0, 3), (1, 16)]:
        x, slopes, dy = numbers((rows, n), dtype, special=True), numbers(n, dtype, 1), numbers((rows, n), dtype, 2)
        named, shape = {"x": x, "slopes": slopes}, (rows, n)
        check_kernel("prelu_forward", **named, y=written(shape, dtype))
        check_kernel("prelu_backward", **named, dy=dy, dx=written(shape, dtype), terms=written(shape, dtype))
        check_kernel("prelu_backward", **named, dy=dy, dx=None, terms=written(shape, dtype))
        check_kernel("prelu_backward", **named, dy=updated(dy), dx=same_as("dy"), terms=None)
