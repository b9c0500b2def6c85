"""Pooling: the CPU's bits, forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, numbers, written

#: ((N, D, H, W, C), window: sizes, strides, paddings before, after; or numbers of outputs)
CASES = [
    ((2, 1, 6, 8, 4), (1, 2, 2, 1, 2, 2, 0, 0, 0, 0, 0, 0)),
    ((1, 1, 7, 5, 3), (1, 3, 3, 1, 2, 2, 0, 1, 1, 0, 1, 1)),
    ((1, 1, 5, 6, 8), (1, 3, 2, 1, 1, 1, 0, 0, 1, 0, 2, 0)),
    ((2, 4, 4, 4, 5), (2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0)),
    ((1, 5, 4, 3, 4), (3, 2, 3, 2, 1, 3, 1, 0, 1, 1, 1, 1)),
    ((3, 1, 1, 9, 2), (1, 1, 3, 1, 1, 4, 0, 0, 1, 0, 0, 0)),
    ((1, 1, 7, 5, 4), (1, 3, 2)),
    ((2, 3, 5, 4, 1), (2, 7, 4)),
    ((0, 1, 4, 4, 2), (1, 2, 2, 1, 2, 2, 0, 0, 0, 0, 0, 0)),
    ((1, 1, 30, 20, 2), (1, 30, 20, 1, 1, 1, 0, 0, 0, 0, 0, 0)),  # more places than a byte counts, and than a chain
]


def outputs_of(shape: tuple[int, ...], window: tuple[int, ...]) -> tuple[int, ...]:
    n, *inputs, channels = shape
    if len(window) == 3:
        return (n, *window, channels)
    sizes, strides, before, after = (window[i : i + 3] for i in (0, 3, 6, 9))
    axes = zip(inputs, sizes, strides, before, after, strict=True)
    return (n, *((i + b + a - k) // s + 1 for i, k, s, b, a in axes), channels)


def places(shape: tuple[int, ...], window: tuple[int, ...]) -> int:
    if len(window) == 12:
        return int(np.prod(window[:3]))
    return int(np.prod([min(n, -(-n // o) + (n % o != 0)) for n, o in zip(shape[1:4], window, strict=True)]))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "window"), CASES)
def test_max_pool(shape: Any, window: Any, dtype: Any) -> None:
    y = outputs_of(shape, window)
    offset = np.uint8 if places(shape, window) <= 256 else np.int32
    x, dy = numbers(shape, dtype, special=True), numbers(y, dtype, 1, special=True)
    x[x > 0.5] = 0.5  # equal values: the first wins
    check_kernel("max_pool_forward", x=x, y=written(y, dtype), offsets=written(y, offset), window=window)
    check_kernel("max_pool_forward", x=x, y=written(y, dtype), offsets=None, window=window)
    # Offsets are compared, never followed: any will do.
    offsets = np.random.default_rng(2).integers(0, places(shape, window), y).astype(offset)
    check_kernel("max_pool_backward", dy=dy, offsets=offsets, dx=written(shape, dtype), window=window)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "window"), CASES)
def test_avg_pool(shape: Any, window: Any, dtype: Any) -> None:
    y = outputs_of(shape, window)
    x, dy = numbers(shape, dtype), numbers(y, dtype, 1)
    for count_padding in (False, True):
        named = {"count_padding": count_padding, "window": window}
        check_kernel("avg_pool_forward", x=x, y=written(y, dtype), **named)
        check_kernel("avg_pool_backward", dy=dy, dx=written(shape, dtype), **named)
