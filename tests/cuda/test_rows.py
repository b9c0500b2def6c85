"""Kernels that reduce rows: the CPU's bits, by 16 virtual lanes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, numbers, same_as, written


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("logarithm", [False, True])
def test_softmax(logarithm: bool, dtype: Any) -> None:
    cases = [((1, 1), -1), ((3, 5), -1), ((17, 16), 1), ((2, 1003), -1), ((0, 4), -1), ((4, 0), -1), ((2, 7, 5), 1)]
    cases += [((600, 3), 0), ((1, 8209), -1)]  # more than a chain
    for shape, axis in cases:
        x, dy, y = numbers(shape, dtype, scale=5), numbers(shape, dtype, 1), numbers(shape, dtype, 2)
        named = {"axis": axis, "logarithm": logarithm}
        check_kernel("softmax_forward", x=x, y=written(shape, dtype), **named)
        check_kernel("softmax_backward", y=y, dy=dy, dx=written(shape, dtype), **named)
    x = np.array([[np.nan, 1, 2], [np.inf, 0, 1], [-np.inf, -np.inf, -np.inf], [-np.inf, 0, 3]], dtype)
    check_kernel("softmax_forward", x=x, y=written(x.shape, dtype), logarithm=logarithm)
    check_kernel("softmax_backward", y=x, dy=x[::-1].copy(), dx=same_as("dy"), logarithm=logarithm)
