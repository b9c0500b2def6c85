"""Kernels that move rows and elements about, and what adds them up again: the CPU's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, emulated, numbers, same_as, updated, written
from lamina import _cpu


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_copy_columns(dtype: Any) -> None:
    x = np.arange(5 * 24).reshape(5, 24).astype(dtype)
    for begin, y_begin, count, before, after in [(0, 0, 24, 0, 0), (3, 5, 7, 2, 1), (8, 8, 8, 8, 8), (0, 2, 0, 2, 3)]:
        named = {"x": x, "x_begin": begin, "y_begin": y_begin, "count": count, "before": before, "after": after}
        for fill in (None, np.array(3.0, dtype)):
            y = updated(np.full((5, 32), 9, dtype))
            check_kernel("copy_columns", y=y, index=None, fill=fill, **named)
            index = np.array([4, -1, 0, 0, -1, 2, 3], np.int64)
            y = updated(np.full((7, 32), 9, dtype))
            check_kernel("copy_columns", y=y, index=index, fill=fill, **named)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_copy_parts(dtype: Any) -> None:
    for rows, columns in [(5, [3, 0, 8, 1]), (3, [16, 16]), (1, [2] * 70), (0, [3]), (4, [])]:
        parts = [np.arange(rows * n).reshape(rows, n).astype(dtype) for n in columns]
        whole = (rows, sum(columns))
        check_kernel("copy_parts", parts=parts, columns=columns, whole=written(whole, dtype), join=True)
        taken: list[Any] = [written((rows, n), dtype) for n in columns]
        if taken:
            taken[-1] = None
        x = np.arange(rows * sum(columns)).reshape(whole).astype(dtype)
        check_kernel("copy_parts", parts=taken, columns=columns, whole=x, join=False)


@pytest.mark.parametrize("dtype", FLOATS)
def test_take_and_scatter_add(dtype: Any) -> None:
    for outer, rows, count, inner in [(2, 5, 9, 3), (1, 7, 70, 1), (1, 3, 40, 8), (2, 50, 33, 40), (1, 4, 0, 2)]:
        index = np.random.default_rng(0).integers(0, rows, count)
        x, v = numbers((outer, rows, inner), dtype), numbers((outer, count, inner), dtype, 1)
        check_kernel("take", x=x, index=index, y=written((outer, count, inner), dtype))
        check_kernel("scatter_add", v=v, index=index, y=updated(x))
        along = np.random.default_rng(1).integers(0, rows, (outer, count, inner))
        check_kernel("scatter_add_along", v=v, index=along, y=updated(x))
    check_kernel("scatter_add", v=numbers((1, 100, 2), dtype), index=np.ones(100, np.int64), y=updated(x[:1, :, :2]))


def test_numbers_out_of_range_are_passed_over() -> None:
    cuda, index = emulated(), np.array([0, 7, -1, 2])
    x, v = numbers((1, 3, 4), np.float32), numbers((1, 4, 4), np.float32)
    y = np.full((1, 4, 4), 5, np.float32)
    cuda.take(x, index, y, 0)
    np.testing.assert_array_equal(y[0], [x[0, 0], [5] * 4, [5] * 4, x[0, 2]])
    expected = x.copy()
    expected[0, 0] += v[0, 0]
    expected[0, 2] += v[0, 3]
    y = x.copy()
    cuda.scatter_add(v, index, y, 0)
    np.testing.assert_array_equal(y, expected)
    y = x.copy()
    cuda.scatter_add_along(v, np.ascontiguousarray(np.broadcast_to(index[None, :, None], v.shape)), y, 0)
    np.testing.assert_array_equal(y, expected)
    y = np.full((4, 4), 5, np.float32)
    cuda.copy_columns(x[0], 0, y, 0, 4, np.array([0, 7, -1, 2]), 0, 0, None, 0)
    np.testing.assert_array_equal(y, [x[0, 0], [5] * 4, [0] * 4, x[0, 2]])


@pytest.mark.parametrize("dtype", FLOATS)
def test_embedding_backward(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    cases = [(1, 3, 5), (40, 9, 8), (1600, 2, 3), (2100, 30, 4), (513, 1, 1)]
    for positions, table, width in cases:
        named = np.sort(rng.integers(0, table, positions) * rng.integers(0, 2, positions))
        order = np.argsort(rng.permutation(positions))
        rows, first = np.unique(named, return_index=True)
        first = np.append(first, positions).astype(np.int64)
        dy = numbers((positions, width), dtype)
        segments = {"dy": dy, "order": order, "first": first}
        schedules = [("forward", True), ("reverse", True)]
        y = updated(np.full((table, width), 7, dtype))
        check_kernel("embedding_backward", schedules=schedules, **segments, rows=rows.astype(np.int64), y=y)
        check_kernel(
            "embedding_backward", schedules=schedules, **segments, rows=None, y=written((rows.size, width), dtype)
        )
    empty = {"order": np.empty(0, np.int64), "first": np.zeros(1, np.int64), "rows": None}
    check_kernel("embedding_backward", dy=np.empty((0, 3), dtype), **empty, y=updated(np.ones((2, 3), dtype)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["running_sum", "running_product"])
def test_running(name: str, dtype: Any) -> None:
    for shape in [(3, 7, 5), (40, 70, 1), (1, 1, 1), (2, 33, 3), (0, 4, 2), (2, 0, 2), (33, 32, 1)]:
        x = numbers(shape, dtype)
        for turned in (False, True):
            check_kernel(name, x=x, reversed=turned, y=written(shape, dtype))
            check_kernel(name, x=x, reversed=turned, y=same_as("x"))


@pytest.mark.parametrize("dtype", FLOATS)
def test_reduce_extreme(dtype: Any) -> None:
    shapes = [(3, 7, 5), (2, 300, 3), (5, 3, 1), (2, 1100, 1), (1, 1, 1), (0, 4, 2), (3, 2, 0), (1, 9000, 2)]
    for shape in shapes:
        outer, reduced, inner = shape
        x = np.round(numbers(shape, dtype, scale=3))
        if reduced > 8:
            x[0, 3] = np.nan
        kept = (outer, inner)
        for largest in (True, False):
            check_kernel("reduce_extreme", x=x, largest=largest, y=written(kept, dtype))
            y = np.empty(kept, dtype)
            _cpu.reduce_extreme(x, largest, y)
            dy = numbers(kept, dtype, 1)
            check_kernel("reduce_extreme_backward", x=x, y=y, dy=dy, dx=written(shape, dtype))
