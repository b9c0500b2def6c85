"""resize: images in another size."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor, pair
from lamina.ops.indexing import getitem
from lamina.ops.pad import pad
from lamina.ops.resample import ResampleFunction, Taps, taps
from lamina.ops.shapes import reshape

INTERPOLATIONS = ("nearest", "nearest_floor", "bilinear", "bicubic", "area")


def cubic(distance: Any, a: float) -> Any:
    """The cubic convolution kernel of Keys at distances that are not negative."""
    d = distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


@functools.lru_cache(maxsize=256)
def resize_taps(inputs: int, outputs: int, interpolation: str, antialias: bool, align_corners: bool) -> Taps:
    """The map of resizing one axis."""
    j = np.arange(outputs)
    if interpolation == "nearest":  # in whole numbers: exact
        return taps(inputs, (2 * j + 1) * inputs // (2 * outputs))
    if interpolation == "nearest_floor":
        return taps(inputs, j * inputs // outputs)
    if interpolation == "area":
        return _spans(inputs, j * inputs // outputs, -(-(j + 1) * inputs // outputs), lambda i, k: np.ones(i.shape))
    if align_corners:
        scale = (inputs - 1) / (outputs - 1) if outputs > 1 else 0.0
        place = scale * j
    else:
        scale = inputs / outputs
        place = scale * (j + 0.5) - 0.5
    if antialias:
        reach = max(scale, 1.0) * (1 if interpolation == "bilinear" else 2)
        centre = scale * (j + 0.5)
        first = np.maximum(np.floor(centre - reach + 0.5), 0).astype(np.int64)
        last = np.minimum(np.floor(centre + reach + 0.5), inputs).astype(np.int64)

        def weight(i: Any, k: Any) -> Any:
            distance = np.abs(i - centre[k] + 0.5) / max(scale, 1.0)
            return np.maximum(1 - distance, 0) if interpolation == "bilinear" else cubic(distance, -0.5)

        return _spans(inputs, first, np.maximum(last, first + 1), weight)
    if interpolation == "bilinear":
        place = np.maximum(place, 0)
        below = np.minimum(np.floor(place).astype(np.int64), inputs - 1)
        rest = place - below
        return taps(inputs, np.stack([below, np.minimum(below + 1, inputs - 1)], 1), np.stack([1 - rest, rest], 1))
    below = np.floor(place).astype(np.int64)
    offsets = np.arange(-1, 3)
    weights = cubic(np.abs((place - below)[:, None] - offsets), -0.75)
    return taps(inputs, np.clip(below[:, None] + offsets, 0, inputs - 1), weights)


def _spans(inputs: int, first: Any, last: Any, weight: Any) -> Taps:
    """Output j is the mean of the inputs from first[j] to last[j], by weights of (input, output)."""
    counts = last - first
    begin = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    output = np.repeat(np.arange(len(first)), counts)
    index = np.arange(begin[-1]) - begin[output] + first[output]
    weights = weight(index, output)
    totals = np.zeros(len(first))
    np.add.at(totals, output, weights)
    return Taps(inputs, begin, index.astype(np.int64), weights / totals[output])


def resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    align_corners: bool = False,
) -> Tensor:
    """Images in another size, interpolated.

    Output i reads at (i + 1/2) size / new_size - 1/2; with align_corners at i (size - 1) / (new_size - 1). "nearest"
    takes the pixel that holds the output's middle, floor((i + 1/2) size / new_size), as Keras and PyTorch's
    "nearest-exact"; "nearest_floor" is PyTorch's "nearest", floor(i size / new_size), the same for multiples of a size.
    "area" takes the mean of the pixels that an output covers.

    Args:
        images: tensor of shape (N, H, W, C) or (H, W, C), float32 or float64.
        size: the new height and width.
        interpolation: "nearest", "nearest_floor", "bilinear", "bicubic" (cubic convolution with a = -3/4, with
            antialias -1/2) or "area".
        antialias: whether a smaller image averages over all pixels that it drops ("bilinear", "bicubic"; the others do
            not change).
        crop_to_aspect_ratio: crop the images first, around the middle, to the ratio of the new size.
        pad_to_aspect_ratio: pad them first to that ratio.
        fill_mode: "constant": what padding is.
        fill_value: the constant.
        align_corners: whether the centres of the corner pixels stay where they are ("bilinear", "bicubic").

    Returns:
        Tensor of shape (N, *size, C), or (*size, C).

    Raises:
        ValueError: for other shapes, a size that is not positive, unknown words, or both aspect ratio options.
        TypeError: if x is not of floating point, or the size not of integers.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[0.0], [1.0]]])
        >>> lm.ops.resize(x, (1, 4)).numpy().reshape(-1).tolist()
        [0.0, 0.25, 0.75, 1.0]

    Reference:
        Keys 1981, "Cubic Convolution Interpolation for Digital Image Processing".
    """
    x = float_tensor(images, "resize", "images")
    height, width = pair(size, "resize", "size")
    if x.ndim not in (3, 4) or 0 in x.shape[-3:]:
        raise ValueError(f"resize: images must have shape (N, H, W, C) or (H, W, C), got {x.shape}")
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"resize: interpolation must be one of {', '.join(INTERPOLATIONS)}, got {interpolation!r}")
    if align_corners and interpolation not in ("bilinear", "bicubic"):
        raise ValueError(f'resize: align_corners goes with "bilinear" and "bicubic" only, got {interpolation!r}')
    if fill_mode != "constant":
        raise ValueError(f'resize: fill_mode must be "constant", got {fill_mode!r}')
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("resize: crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other")
    if max(height, width) >= 2**31 or math.prod((height, width, x.size)) >= 2**62:
        raise ValueError(f"resize: size is too large, got {size!r}")
    if crop_to_aspect_ratio:
        x = _cropped_to(x, height, width)
    elif pad_to_aspect_ratio:
        x = _padded_to(x, height, width, fill_value)
    smooth = bool(antialias) and interpolation in ("bilinear", "bicubic")
    maps = {}
    for axis, n in ((x.ndim - 3, height), (x.ndim - 2, width)):
        if x.shape[axis] != n:
            maps[axis] = resize_taps(x.shape[axis], n, interpolation, smooth, bool(align_corners))
    return ResampleFunction.apply((x,), maps) if maps else reshape(x, x.shape)


def _cropped_to(x: Tensor, height: int, width: int) -> Tensor:
    rows, columns = x.shape[-3:-1]
    high = max(min(rows, int(columns * height / width)), 1)
    wide = max(min(columns, int(rows * width / height)), 1)
    top, left = (rows - high) // 2, (columns - wide) // 2
    return getitem(x, (..., slice(top, top + high), slice(left, left + wide), slice(None)))


def _padded_to(x: Tensor, height: int, width: int, value: float) -> Tensor:
    rows, columns = x.shape[-3:-1]
    top = (max(rows, int(columns * height / width)) - rows) // 2
    left = (max(columns, int(rows * width / height)) - columns) // 2
    return pad(x, ((0, 0),) * (x.ndim - 3) + ((top, top), (left, left), (0, 0)), constant_values=value)
