"""RoIAlign: 512 boxes out of a map of 256 channels. PyTorch alone has none: its grid_sample at the same points, and the
mean of four."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench.case import Case
from bench.ops.elementwise import pair

DEFAULT_MALLOC = True
BINS = 7


def boxes(count: int, height: int, width: int) -> np.ndarray[Any, Any]:
    """Inside the map, from 7 to 30 pixels long."""
    random = np.random.default_rng(0)
    most = min(30, min(height, width) - 2)
    size = random.uniform(min(7, most), most, (count, 2))
    corner = random.uniform(0, 1, (count, 2)) * (np.array([width, height]) - 2 - size)
    return np.concatenate([corner, corner + size], 1).astype(np.float32)


def ours(count: int, height: int, width: int) -> Callable[[Any], Any]:
    import lamina as lm

    box, index = lm.tensor(boxes(count, height, width)), np.zeros(count, np.int64)
    return lambda x: lm.ops.roi_align(x, box, index, BINS, 1.0, 2)


def theirs(count: int, height: int, width: int) -> Callable[[Any], Any]:
    import torch
    from torch.nn import functional

    box = boxes(count, height, width)
    step = (np.arange(2 * BINS, dtype=np.float32) + 0.5) / (2 * BINS)
    x, y = (box[:, i, None] + step * (box[:, i + 2] - box[:, i])[:, None] for i in (0, 1))
    place = np.stack(np.broadcast_arrays(2 * x[:, None] / (width - 1) - 1, 2 * y[:, :, None] / (height - 1) - 1), -1)
    grid = torch.from_numpy(place.astype(np.float32).reshape(1, count * 2 * BINS, 2 * BINS, 2))

    def op(x: Any) -> Any:
        points = functional.grid_sample(x, grid, align_corners=True)
        bins = functional.avg_pool2d(points, 2)
        return bins.reshape(x.shape[1], count, BINS, BINS).transpose(0, 1)

    return op


def cases(smoke: bool) -> list[Case]:
    count, height, width, channels = (5, 12, 13, 8) if smoke else (512, 200, 304, 256)
    x, y = (1, height, width, channels), (count, BINS, BINS, channels)
    size = count, height, width
    moved = 4.0 * (np.prod(x) + np.prod(y))
    return pair("roi_align 7x7", x, y, partial(ours, *size), partial(theirs, *size), moved, moved, 1e-3)
