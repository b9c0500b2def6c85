"""crop_images, pad_images, rgb_to_grayscale."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor, as_tensor
from lamina.kinds import is_integer
from lamina.ops.arithmetic import add, multiply
from lamina.ops.checks import float_tensor
from lamina.ops.indexing import getitem
from lamina.ops.pad import pad

WEIGHTS = (0.2989, 0.587, 0.114)  # of red, green and blue, as ITU-R BT.601 has them


def _sides(op: str, verb: str, size: int, before: Any, after: Any, target: Any, sign: int) -> tuple[int, int]:
    """Two of (before, after, target size) give the third: before and after."""
    given = [v for v in (before, after, target) if v is not None]
    for v in given:
        if not is_integer(v):
            raise TypeError(f"{op}: sizes must be integers or None, got {v!r}")
    if len(given) != 2:
        raise ValueError(
            f"{op}: of what is {verb} before, after, and the target size, two must be given, got {len(given)}"
        )
    if before is None:
        before = sign * (target - size) - after
    elif after is None:
        after = sign * (target - size) - before
    if before < 0 or after < 0 or size + sign * (before + after) < 1:
        raise ValueError(f"{op}: {before} and {after} cannot be {verb} at {size} pixels")
    return int(before), int(after)


def _images(op: str, images: Any) -> Tensor:
    x = as_tensor(images)
    if x.ndim not in (3, 4):
        raise ValueError(f"{op}: images must have shape (N, H, W, C) or (H, W, C), got {x.shape}")
    return x


def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
) -> Tensor:
    """A part of images. Two of top, bottom and target height are given, and two of left, right and target width.

    Args:
        images: tensor of shape (N, H, W, C) or (H, W, C), of any dtype.
        top_cropping, left_cropping, bottom_cropping, right_cropping: how many pixels to drop.
        target_height, target_width: how many to keep.

    Returns:
        Tensor of shape (N, target height, target width, C), or without N; a view.

    Raises:
        ValueError: if not two are given, one is negative, or more is dropped than there is.
        TypeError: if one is no integer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.ops.crop_images(np.zeros((6, 6, 3)), 1, 2, target_height=4, target_width=3).shape
        (4, 3, 3)
    """
    x = _images("crop_images", images)
    top, _ = rows = _sides("crop_images", "dropped", x.shape[-3], top_cropping, bottom_cropping, target_height, -1)
    left, _ = columns = _sides("crop_images", "dropped", x.shape[-2], left_cropping, right_cropping, target_width, -1)
    bottom, right = x.shape[-3] - rows[1], x.shape[-2] - columns[1]
    return getitem(x, (..., slice(top, bottom), slice(left, right), slice(None)))


def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
) -> Tensor:
    """Zeros around images. Two of top, bottom and target height are given, and two of left, right and target width.

    Args:
        images: tensor of shape (N, H, W, C) or (H, W, C), of any dtype.
        top_padding, left_padding, bottom_padding, right_padding: how many pixels to add.
        target_height, target_width: how many there shall be.

    Returns:
        Tensor of shape (N, target height, target width, C), or without N.

    Raises:
        ValueError: if not two are given, one is negative, or the target is smaller than the images.
        TypeError: if one is no integer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.ops.pad_images(np.zeros((6, 6, 3)), 1, 2, target_height=8, target_width=9).shape
        (8, 9, 3)
    """
    x = _images("pad_images", images)
    rows = _sides("pad_images", "added", x.shape[-3], top_padding, bottom_padding, target_height, 1)
    columns = _sides("pad_images", "added", x.shape[-2], left_padding, right_padding, target_width, 1)
    return pad(x, (*[(0, 0)] * (x.ndim - 3), rows, columns, (0, 0)))


def rgb_to_grayscale(images: Any) -> Tensor:
    """Grey values: 0.2989 red + 0.587 green + 0.114 blue.

    Args:
        images: tensor of shape (N, H, W, 3) or (H, W, 3), float32 or float64; with one channel they stay as they are.

    Returns:
        Tensor of shape (N, H, W, 1), or (H, W, 1).

    Raises:
        ValueError: for another number of channels or axes.
        TypeError: if images are not of floating point.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.rgb_to_grayscale(lm.tensor([[[1.0, 1.0, 0.0]]])).item(), 4)
        0.8859
    """
    x = _images("rgb_to_grayscale", float_tensor(images, "rgb_to_grayscale", "images"))
    if x.shape[-1] not in (1, 3):
        raise ValueError(f"rgb_to_grayscale: images must have 3 channels (or 1), got {x.shape}")
    if x.shape[-1] == 1:
        return x
    red, green, blue = [multiply(x[..., i : i + 1], weight) for i, weight in enumerate(WEIGHTS)]
    return add(add(red, green), blue)
