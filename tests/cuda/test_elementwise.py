"""Elementwise kernels: the CPU's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, numbers, same_as, sizes, written


@pytest.mark.parametrize("dtype", FLOATS)
def test_relu(dtype: Any) -> None:
    for n in sizes():
        x, dy = numbers(n, dtype, special=True), numbers(n, dtype, 1)
        check_kernel("relu_forward", x=x, y=written(n, dtype))
        check_kernel("relu_backward", y=x, dy=dy, dx=written(n, dtype))
    check_kernel("relu_forward", x=x, y=same_as("x"))
    check_kernel("relu_backward", y=x, dy=dy, dx=same_as("dy"))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("function", range(19))
def test_activation_function(function: int, dtype: Any) -> None:
    a, b, c = {0: (0.1, 6.0, -0.5), 11: (-1.0, 1.0, 0.0), 16: (4.0, 0.0, 0.0)}.get(function, (0.7, 1.3, 0.9))
    for n in (0, 5, 1031):
        x, dy = numbers(n, dtype, scale=4, special=True), numbers(n, dtype, 1)
        named = {"function": function, "a": a, "b": b, "c": c}
        check_kernel("activation_function_forward", x=x, y=written(n, dtype), **named)
        check_kernel("activation_function_backward", x=x, dy=dy, dx=written(n, dtype), **named)
    check_kernel("activation_function_backward", x=x, dy=dy, dx=same_as("dy"), **named)


SHAPES = [
    ((7, 33), (7, 33)),
    ((5, 8), (8,)),
    ((5, 8), (5, 1)),
    ((1,), (3, 4, 5)),
    ((3, 1, 8), (4, 1)),
    ((2, 3, 1, 5), (3, 4, 5)),
    ((), ()),
    ((0, 4), (4,)),
    ((300, 4), (300, 4)),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("operation", ["add", "subtract", "multiply", "divide", "maximum", "minimum"])
def test_arithmetic(operation: str, dtype: Any) -> None:
    for a_shape, b_shape in SHAPES:
        a, b = numbers(a_shape, dtype, special=True), numbers(b_shape, dtype, 3, special=True)
        y = np.broadcast_shapes(a_shape, b_shape)
        check_kernel(operation, a=a, b=b, y=written(y, dtype))
        check_kernel(operation, a=b, b=a, y=written(y, dtype))
    check_kernel(operation, a=a, b=b, y=same_as("a"))
