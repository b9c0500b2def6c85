"""RoIAlign, 512 boxes out of a map of 256 channels, and non-maximum suppression of a detector's proposals.

PyTorch alone has neither (torchvision has). Beside RoIAlign stands its grid_sample at the same points, and the mean of
four; beside the suppression all overlaps as one matrix, of which the rows of the boxes that stay are crossed off.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench import ours as our_side
from bench import peer
from bench.case import Arrays, Case, Prepared
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


def roi_align(count: int, height: int, width: int) -> Callable[[Any], Any]:
    import lamina as lm

    box, index = lm.tensor(boxes(count, height, width)), np.zeros(count, np.int64)
    return lambda x: lm.ops.roi_align(x, box, index, BINS, 1.0, 2)


def grid_sample(count: int, height: int, width: int) -> Callable[[Any], Any]:
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


def proposals(count: int, levels: int) -> Arrays:
    """Boxes that crowd around some places, as a detector's do, each of a level of its pyramid."""
    random = np.random.default_rng(0)
    place = random.uniform(0, 1000, (max(1, count // 25), 2))[random.integers(0, max(1, count // 25), count)]
    corner, size = place + random.normal(0, 8, (count, 2)), random.uniform(40, 80, (count, 2))
    found = np.concatenate([corner, corner + size], 1).astype(np.float32)
    labels = np.arange(count) % levels
    return {"boxes": found, "scores": random.permutation(count).astype(np.float32), "labels": labels}


def nms(a: Arrays) -> Prepared:
    import lamina as lm

    boxes, scores, labels = (our_side.tensor(a[name]) for name in ("boxes", "scores", "labels"))

    def run() -> Any:
        return lm.ops.nms(boxes, scores, 0.7, labels)

    return Prepared(run, lambda: {"kept": run().numpy()})


def crossing_off(a: Arrays) -> Prepared:
    import torch

    boxes, scores, labels = (peer.tensor(a[name]) for name in ("boxes", "scores", "labels"))

    def of_one_level(own: Any) -> Any:
        own = own[scores[own].argsort(descending=True, stable=True)]
        left, top, right, bottom = boxes[own].T
        width = torch.minimum(right[:, None], right) - torch.maximum(left[:, None], left)
        height = torch.minimum(bottom[:, None], bottom) - torch.maximum(top[:, None], top)
        shared, area = width.clamp_(min=0) * height.clamp_(min=0), (right - left) * (bottom - top)
        apart = (shared / (area[:, None] + area - shared) <= 0.7).cpu().numpy()
        stays = np.ones(len(own), bool)
        for i in range(len(own)):
            if stays[i]:
                stays[i + 1 :] &= apart[i, i + 1 :]
        return own[torch.from_numpy(stays).to(own.device)]

    def run() -> Any:
        kept = torch.cat([of_one_level((labels == level).nonzero()[:, 0]) for level in labels.unique()])
        return kept[scores[kept].argsort(descending=True, stable=True)]

    return Prepared(run, lambda: {"kept": peer.numpy(run())})


def cases(smoke: bool) -> list[Case]:
    count, height, width, channels = (5, 12, 13, 8) if smoke else (512, 200, 304, 256)
    x, y = (1, height, width, channels), (count, BINS, BINS, channels)
    size = count, height, width
    moved = 4.0 * (np.prod(x) + np.prod(y))
    align = pair("roi_align 7x7", x, y, partial(roi_align, *size), partial(grid_sample, *size), moved, moved, 1e-3)
    return align + [
        Case(
            name, partial(proposals, *((9, 2) if smoke else sizes)), nms, crossing_off, gradients=False, threads=(0, 1)
        )
        for name, sizes in (("nms, 1000 boxes", (1000, 1)), ("nms, 5 x 1000 boxes", (5000, 5)))
    ]
