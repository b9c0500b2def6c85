"""Sums and extremes along an axis: the CPU's order, and so its bits."""

from __future__ import annotations

from typing import Any

import pytest

from kernel_testing import FLOATS, check_kernel, numbers, same_as, written

SHAPES = [(3, 7, 5), (1, 513, 3), (2, 1100, 33), (1, 600, 8), (4, 1, 40), (2, 0, 3), (0, 4, 3), (3, 4, 0)]
ROWS = [(5, 3, 1), (2, 512, 1), (3, 2100, 1), (2, 8193, 1), (1, 16384, 1), (0, 5, 1), (3, 0, 1)]


@pytest.mark.parametrize("dtype", FLOATS)
def test_reduce_sum(dtype: Any) -> None:
    for outer, reduced, inner in SHAPES + ROWS:
        x = numbers((outer, reduced, inner), dtype)
        check_kernel("reduce_sum", x=x, y=written((outer, inner), dtype))
    x = numbers((2, 9, 5), dtype, special=True)
    check_kernel("reduce_sum", x=x, y=written((2, 5), dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("activation", range(4))
def test_bias_backward(activation: int, dtype: Any) -> None:
    for shape in [(3, 7), (1, 1), (530, 5), (70, 33), (0, 4), (3, 0), (2, 3, 4, 10)]:
        y, dy, n = numbers(shape, dtype), numbers(shape, dtype, 1), shape[-1]
        kept = {"y": y, "dy": dy, "activation": activation}
        dz = written(shape, dtype) if activation else None
        check_kernel("bias_backward", **kept, dz=dz, db=written(n, dtype))
        check_kernel("bias_backward", **kept, dz=dz, db=None)
    check_kernel("bias_backward", **kept, dz=same_as("dy"), db=written(n, dtype))
    if not activation:
        check_kernel("bias_backward", y=None, dy=dy, activation=0, dz=None, db=written(n, dtype))
