"""any, all, count_nonzero, argmax, argmin: over an axis or all, without gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.reductions import count_over, reduced_axes, shaped
from lamina.ops.shapes import one_axis


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether any value over axes is true (not 0). NaN is not 0. See `sum` for arguments and errors.

    Returns:
        Tensor of booleans.

    Example:
        >>> import lamina as lm
        >>> lm.ops.any(lm.tensor([[0.0, 1.0], [0.0, 0.0]]), axis=1).numpy().tolist()
        [True, False]
    """
    array = as_tensor(x).array
    xp = backend.array_module(array)
    return Tensor(xp.asarray(xp.any(array, reduced_axes("any", axis, array.ndim), keepdims=keepdims)))


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether all values over axes are true (not 0). See `sum` for arguments and errors.

    Returns:
        Tensor of booleans.

    Example:
        >>> import lamina as lm
        >>> lm.ops.all(lm.tensor([[2.0, 1.0], [0.0, 1.0]]), axis=1).numpy().tolist()
        [True, False]
    """
    array = as_tensor(x).array
    xp = backend.array_module(array)
    return Tensor(xp.asarray(xp.all(array, reduced_axes("all", axis, array.ndim), keepdims=keepdims)))


def count_nonzero(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """How many values over axes are not 0. See `sum` for arguments and errors.

    Returns:
        Tensor of int64.

    Example:
        >>> import lamina as lm
        >>> lm.ops.count_nonzero(lm.tensor([[0.0, 1.0], [2.0, 3.0]]), axis=0).numpy().tolist()
        [1, 2]
    """
    array = as_tensor(x).array
    axes = reduced_axes("count_nonzero", axis, array.ndim)
    xp = backend.array_module(array)
    return Tensor(shaped(xp.asarray(xp.count_nonzero(array, axes), np.int64), array.shape, axes, keepdims))


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The place of the largest value along an axis; of several the first. A NaN counts as the largest.

    Args:
        x: tensor of any shape and dtype.
        axis: the axis; None for the place among all values, row by row.
        keepdims: keep the axis, with size 1.

    Returns:
        Tensor of int64.

    Raises:
        ValueError: if the axis is out of range, or there is nothing to choose from.
        TypeError: if the axis is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.argmax(lm.tensor([[1.0, 3.0], [2.0, 0.0]]), axis=1).numpy().tolist()
        [1, 0]
    """
    return _place_of("argmax", x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The place of the smallest value along an axis; see `argmax`. A NaN counts as the smallest.

    Example:
        >>> import lamina as lm
        >>> lm.ops.argmin(lm.tensor([[1.0, 3.0], [2.0, 0.0]]), axis=1).numpy().tolist()
        [0, 1]
    """
    return _place_of("argmin", x, axis, keepdims)


def _place_of(op: str, x: Any, axis: int | None, keepdims: bool) -> Tensor:
    array = as_tensor(x).array
    if axis is not None:
        axis = one_axis(op, axis, array.ndim)
    axes = tuple(range(array.ndim)) if axis is None else (axis,)
    if count_over(array.shape, axes) == 0:
        raise ValueError(f"{op}: nothing to choose from over axes {axes} of shape {array.shape}")
    if math.prod(array.shape) == 0:
        left = tuple([n for i, n in enumerate(array.shape) if i not in axes])
        return Tensor(shaped(backend.zeros(left, np.int64, like=array), array.shape, axes, keepdims))
    xp = backend.array_module(array)
    return Tensor(xp.asarray(getattr(xp, op)(array, axis, keepdims=keepdims), np.int64))
