"""Boxes cut out of feature maps, and the gradient: the CPU's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, emulated, numbers, written

FEW = [("forward", True), ("random:1", True)]


def boxes_of(count: int, extent: float, dtype: Any) -> np.ndarray:
    random = np.random.default_rng(count)
    corner = random.uniform(-extent / 4, extent, (count, 2))
    boxes = np.concatenate([corner, corner + random.uniform(0, extent, (count, 2))], 1)
    boxes[::5] = np.round(boxes[::5])
    return boxes.astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("scale", "samples", "aligned"), [(1.0, 0, False), (0.5, 2, True), (0.7, 0, True)])
def test_roi_align(scale: float, samples: int, aligned: bool, dtype: Any) -> None:
    for images, h, w, channels, count, rows, columns in [
        (1, 1, 1, 1, 1, 1, 1),
        (2, 5, 7, 3, 9, 2, 3),
        (3, 8, 6, 8, 12, 7, 7),
        (2, 4, 4, 5, 0, 2, 2),
    ]:
        boxes, index = boxes_of(count, 10.0, dtype), np.random.default_rng(1).integers(0, images, count)
        named = {"boxes": boxes, "index": index, "scale": scale, "samples": samples, "aligned": aligned}
        shape = (count, rows, columns, channels)
        x, dy = numbers((images, h, w, channels), dtype), numbers(shape, dtype, 1)
        check_kernel("roi_align_forward", x=x, y=written(shape, dtype), **named, schedules=FEW)
        check_kernel("roi_align_backward", dy=dy, dx=written(x.shape, dtype), **named, schedules=FEW)


def test_more_regions_than_are_cut_at_a_time() -> None:
    count, dtype = 2100, np.float32
    boxes, index = boxes_of(count, 5.0, dtype), np.random.default_rng(1).integers(0, 2, count)
    named = {"boxes": boxes, "index": index, "scale": 1.0, "samples": 1, "aligned": False}
    x, dy = numbers((2, 4, 5, 2), dtype), numbers((count, 1, 2, 2), dtype, 1)
    check_kernel("roi_align_forward", x=x, y=written(dy.shape, dtype), **named, schedules=FEW[:1])
    check_kernel("roi_align_backward", dy=dy, dx=written(x.shape, dtype), **named, schedules=FEW[:1])


def test_boxes_that_are_nowhere_and_images_that_are_none() -> None:
    boxes = np.array([[np.nan, 0, 1, 1], [0, 0, 1e30, 1], [-np.inf, 0, np.inf, 2], [0, 0, 2, 2], [0, 0, 2, 2]])
    index = np.array([0, 0, 0, 1 << 40, -1])
    for dtype in FLOATS:
        x, y = np.ones((1, 3, 3, 2), dtype), np.full((5, 2, 2, 2), np.nan, dtype)
        dx = np.full(x.shape, np.nan, dtype)
        emulated().roi_align_forward(x, boxes.astype(dtype), index, y, 1.0, 0, False, 0)
        assert not y.any()
        emulated().roi_align_backward(np.ones_like(y), boxes.astype(dtype), index, dx, 1.0, 0, False, 0)
        assert not dx.any()
