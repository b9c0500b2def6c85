"""one_hot, multi_hot: 1 in the places that numbers name."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import integer
from lamina.ops.creation import filled
from lamina.ops.gather import checked_indices
from lamina.ops.shapes import one_axis


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = "float32") -> Tensor:
    """1 in the place that each number names, 0 in the others.

    Args:
        x: integers of any shape, from 0 to num_classes - 1.
        num_classes: the length of the new axis.
        axis: which axis of the result the new one is.
        dtype: of the result.

    Returns:
        Tensor of the shape of x with a new axis.

    Raises:
        ValueError: if a number is out of range (named with its place), or the axis is.
        TypeError: if x are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.one_hot([1, 0], 3).numpy().tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    index = _classes("one_hot", x, num_classes)
    axis = one_axis("one_hot", axis, index.ndim + 1)
    xp = backend.array_module(index)
    hot = filled("one_hot", (index.size, num_classes), 0, dtype, index)
    hot[xp.arange(index.size), index.reshape(-1)] = 1
    return Tensor(xp.moveaxis(hot.reshape(*index.shape, num_classes), -1, axis))


def multi_hot(x: Any, num_classes: int, dtype: Any = "float32") -> Tensor:
    """1 in all places that a row of numbers names, 0 in the others.

    Args:
        x: integers of shape (..., k), from 0 to num_classes - 1.
        num_classes: the length of the last axis of the result.
        dtype: of the result.

    Returns:
        Tensor of shape (..., num_classes).

    Raises:
        ValueError: if a number is out of range (named with its place), or x has no axes.
        TypeError: if x are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.multi_hot([[1, 0], [2, 2]], 3).numpy().tolist()
        [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    index = _classes("multi_hot", x, num_classes)
    if index.ndim == 0:
        raise ValueError("multi_hot: x must have shape (..., k), got ()")
    rows = math.prod(index.shape[:-1])
    hot = filled("multi_hot", (rows, num_classes), 0, dtype, index)
    hot[backend.array_module(index).arange(rows)[:, None], index.reshape(rows, index.shape[-1])] = 1
    return Tensor(hot.reshape(*index.shape[:-1], num_classes))


def _classes(op: str, x: Any, num_classes: int) -> Any:
    integer(num_classes, op, "num_classes", 1)
    like = x.array if isinstance(x, Tensor) else backend.here
    return checked_indices(op, x, num_classes, like, "x")
