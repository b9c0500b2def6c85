"""Resizing, padding, joining and sampling images: memory-bound, 13 to 51 MB in or out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench import peer
from bench.case import Case
from bench.ops.elementwise import pair

DEFAULT_MALLOC = True
Shape = tuple[int, int, int, int]


def ours(name: str, *arguments: Any) -> Callable[[Any], Any]:
    import lamina as lm

    if name == "resize":
        return lambda x: lm.ops.resize(x, *arguments)
    if name == "pad":
        width, mode = arguments
        return lambda x: lm.ops.pad(x, ((0, 0), (width, width), (width, width), (0, 0)), mode)
    if name == "concatenate":
        axis, other = arguments
        beside = lm.ops.multiply(lm.tensor(np.ones(other, np.float32)), 1.0)  # in the pool's memory, as results of ops
        return lambda x: lm.ops.concatenate([x, beside], axis)
    grid = lm.tensor(places(*arguments))
    return lambda x: lm.ops.grid_sample(x, grid)


def theirs(name: str, *arguments: Any) -> Callable[[Any], Any]:
    import torch
    from torch.nn import functional

    if name == "resize":
        size, mode = arguments
        smooth = {} if mode == "nearest" else {"align_corners": False}
        return lambda x: functional.interpolate(x, size, mode=mode, **smooth)
    if name == "pad":
        width, mode = arguments
        return lambda x: functional.pad(x, (width,) * 4, mode)
    if name == "concatenate":
        axis = {0: 0, 1: 2, 2: 3, 3: 1}[arguments[0]]
        beside = peer.images(np.ones(arguments[1], np.float32))
        return lambda x: torch.cat([x, beside], axis)
    grid = torch.from_numpy(places(*arguments))
    return lambda x: functional.grid_sample(x, grid, align_corners=False)


def places(images: int, rows: int, columns: int) -> np.ndarray[Any, Any]:
    """A turned and enlarged image, as augmentation makes it."""
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    grid = np.stack([0.8 * x - 0.3 * y, 0.3 * x + 0.8 * y], -1)
    return np.repeat(grid[None], images, 0).astype(np.float32)


def case(label: str, x: Shape, y: Shape, name: str, *arguments: Any) -> list[Case]:
    read, written = 4.0 * np.prod(x), 4.0 * np.prod(y)
    both = partial(ours, name, *arguments), partial(theirs, name, *arguments)
    return pair(label, x, y, *both, float(read + written), float(read + written), 1e-3)


def cases(smoke: bool) -> list[Case]:
    n, side, c = (2, 6, 20) if smoke else (16, 56, 64)
    big = 2 * side
    small, large = (n, side, side, c), (n, big, big, c)
    colour, wide = (n, 4 * side, 4 * side, 3), (n, 8 * side, 8 * side, 3)
    padded = (n, big + 2, big + 2, c)
    found = []
    for mode in ("nearest", "bilinear", "bicubic"):
        found += case(f"resize {mode} x2", small, large, "resize", (big, big), mode)
    found += case("resize bilinear /2", large, small, "resize", (side, side), "bilinear")
    found += case("resize bilinear x2, 3 channels", colour, wide, "resize", wide[1:3], "bilinear")
    found += case("pad 1 with zeros", large, padded, "pad", 1, "constant")
    found += case("pad 1 mirrored", large, padded, "pad", 1, "reflect")
    found += case("concatenate channels", small, (n, side, side, 2 * c), "concatenate", 3, small)
    found += case("concatenate channels, large", large, (n, big, big, 2 * c), "concatenate", 3, large)
    found += case("grid_sample bilinear", small, small, "grid", n, side, side)
    return found
