"""Boxes suppressed by better ones: the CPU's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernel_testing import FLOATS, check_kernel, emulated, written


def boxes_of(count: int, dtype: Any) -> np.ndarray:
    random = np.random.default_rng(count)
    corner = random.uniform(0, 40, (count, 2))
    return np.concatenate([corner, corner + random.uniform(0, 30, (count, 2))], 1).astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("bounds", [(0, 1), (0, 63), (0, 64), (0, 65), (0, 3, 3, 70, 200), (0, 330), (0,), (0, 0)])
def test_nms(bounds: tuple[int, ...], dtype: Any) -> None:
    starts, count = np.array(bounds, np.int64), bounds[-1]
    for threshold in (0.0, 0.4, 1.0):
        keep = written((count,), np.uint8)
        check_kernel("nms", boxes=boxes_of(count, dtype), starts=starts, keep=keep, threshold=threshold)


def test_nms_leaves_alone_groups_out_of_range() -> None:
    boxes, keep = boxes_of(5, np.float32), np.full(5, 7, np.uint8)
    emulated().nms(boxes, np.array([-3, 2, 1 << 40], np.int64), keep, 0.5, 0)
    np.testing.assert_array_equal(keep, 7)
