"""Images resized and read between their pixels: the CPU's bits, gradients included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, emulated, numbers, written


def taps(inputs: int, outputs: int, most: int, dtype: Any, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A map with up to `most` taps for an output, none for some."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, most + 1, outputs)
    begin = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    count = int(begin[-1])
    return begin, random.integers(0, inputs, count), random.standard_normal(count).astype(dtype)


NAMES = ("begin", "index", "weight")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("most", [1, 2, 4, 9])
def test_resample(most: int, dtype: Any) -> None:
    for images, h, w, channels, rows, columns in [
        (1, 1, 1, 1, 1, 1),
        (2, 5, 6, 3, 4, 9),
        (1, 7, 4, 8, 13, 4),
        (2, 3, 8, 5, 3, 2),
        (0, 3, 3, 2, 4, 4),
    ]:
        down, across = taps(h, rows, most, dtype, 1), taps(w, columns, most, dtype, 2)
        for has_h, has_w in ((True, True), (True, False), (False, True)):
            shape = (images, rows if has_h else h, columns if has_w else w, channels)
            named = {f"h_{name}": a if has_h else None for name, a in zip(NAMES, down, strict=True)}
            named |= {f"w_{name}": a if has_w else None for name, a in zip(NAMES, across, strict=True)}
            check_kernel("resample", x=numbers((images, h, w, channels), dtype), y=written(shape, dtype), **named)


@pytest.mark.parametrize("dtype", FLOATS)
def test_resample_leaves_out_taps_out_of_range(dtype: Any) -> None:
    x, y = numbers((1, 2, 2, 3), dtype), np.empty((1, 2, 2, 3), dtype)
    begin, index, weight = np.array([0, 2, 1 << 40]), np.array([0, 1 << 40, -7]), np.ones(3, dtype)
    emulated().resample(x, y, begin, index, weight, None, None, None, 0)
    np.testing.assert_array_equal(y, [[x[0, 0], np.zeros_like(x[0, 0])]])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("sampling", range(3))
def test_grid_sample(sampling: int, dtype: Any) -> None:
    # (unit, place, beyond): pixels and each way beyond; PyTorch's and Keras's combinations
    ways = [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3), (0, 0, 4), (1, 0, 0), (2, 1, 1), (1, 2, 1), (2, 3, 0)]
    for unit, place, beyond in ways:
        for images, h, w, channels, rows, columns in [(1, 1, 1, 1, 2, 2), (2, 5, 4, 3, 6, 7), (1, 3, 6, 8, 2, 9)]:
            x = numbers((images, h, w, channels), dtype)
            scale = 1.0 if unit else float(max(h, w))
            grid = numbers((images, rows, columns, 2), dtype, 1, scale=scale)
            grid[0, 0, 0] = np.nan, 1e12
            grid[0, 1] = np.round(grid[0, 1])
            shape = (images, rows, columns, channels)
            named = {"sampling": sampling, "unit": unit, "place": place, "beyond": beyond, "fill": 0.7}
            few = [("forward", True), ("random:1", True)]
            dy = numbers(shape, dtype, 2)
            check_kernel("grid_sample_forward", x=x, grid=grid, y=written(shape, dtype), **named, schedules=few)
            check_kernel(
                "grid_sample_backward_input", dy=dy, grid=grid, dx=written(x.shape, dtype), **named, schedules=few
            )
            check_kernel(
                "grid_sample_backward_grid",
                dy=dy,
                x=x,
                grid=grid,
                dgrid=written(grid.shape, dtype),
                **named,
                schedules=few,
            )


@pytest.mark.parametrize("dtype", FLOATS)
def test_grid_sample_of_one_pixel_by_many(dtype: Any) -> None:
    grid = numbers((1, 20, 15, 2), dtype, scale=0.4)
    dy = numbers((1, 20, 15, 2), dtype, 1)
    named = {"sampling": 1, "unit": 0, "place": 1, "beyond": 0, "fill": 0.0}
    check_kernel("grid_sample_backward_input", dy=dy, grid=grid, dx=written((1, 2, 3, 2), dtype), **named)
    empty = numbers((1, 0, 3, 2), dtype)
    check_kernel("grid_sample_backward_input", dy=empty, grid=empty, dx=written((1, 2, 3, 2), dtype), **named)
