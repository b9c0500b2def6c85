"""tile, repeat: values more than once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.kinds import is_integer
from lamina.ops.broadcasting import reduce_to
from lamina.ops.indexing import getitem
from lamina.ops.shapes import one_axis, reshape


class RepeatFunction(Function):
    """Blocks of x, each `times` times in a row: x (rows, columns) -> (rows, times, columns)."""

    linear = True

    def forward(self, x: Any, axis: int, times: int, shape: tuple[int, ...]) -> Any:
        rows, columns = math.prod(x.shape[:axis]), math.prod(x.shape[axis:])
        self.saved = x.shape, rows, times, columns
        xp = backend.array_module(x)
        x = backend.contiguous(x).reshape(rows, columns)
        y = backend.empty((rows * times, columns), x.dtype, like=x)
        backend.kernels(x).copy_columns(x, 0, y, 0, columns, xp.repeat(xp.arange(rows), times))
        return y.reshape(shape)

    def backward(self, dy: Any) -> Any:
        shape, rows, times, columns = self.saved
        dy = backend.contiguous(dy).reshape(rows, times, columns)
        return reduce_to(dy, (rows, 1, columns)).reshape(shape)


def tile(x: Any, repeats: int | tuple[int, ...]) -> Tensor:
    """x laid side by side: repeats[i] times along axis i.

    Args:
        x: tensor of any shape and dtype.
        repeats: how often, an axis each, none negative. Where there are fewer than axes, they count for the last ones;
            where there are more, x gets axes of size 1 in front.

    Returns:
        Tensor whose sizes are those of x times repeats.

    Raises:
        ValueError: if one is negative.
        TypeError: if one is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.tile(lm.tensor([1.0, 2.0]), (2, 2)).numpy().tolist()
        [[1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0]]
    """
    x = as_tensor(x)
    times = _counts("tile", "repeats", repeats)
    ndim = max(x.ndim, len(times))
    times = (1,) * (ndim - len(times)) + times
    y = reshape(x, (1,) * (ndim - x.ndim) + x.shape)
    for axis in range(ndim - 1, -1, -1):
        if times[axis] != 1:
            shape = (*y.shape[:axis], y.shape[axis] * times[axis], *y.shape[axis + 1 :])
            y = RepeatFunction.apply((y,), axis, times[axis], shape)
    return y


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Each element of an axis several times in a row.

    Args:
        x: tensor of any shape and dtype.
        repeats: how often: an integer, or one for each element of the axis; none negative.
        axis: the axis that grows; None: x is flattened first.

    Raises:
        ValueError: if one is negative, or there are not as many as elements.
        TypeError: if one is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.repeat(lm.tensor([1.0, 2.0]), 2).numpy().tolist()
        [1.0, 1.0, 2.0, 2.0]
        >>> lm.ops.repeat(lm.tensor([1.0, 2.0]), [2, 1]).numpy().tolist()
        [1.0, 1.0, 2.0]
    """
    x = as_tensor(x)
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    axis = one_axis("repeat", axis, x.ndim)
    times = np.asarray(repeats)
    counts = _counts("repeat", "repeats", times.tolist())
    length = x.shape[axis]
    if len(counts) == 1:
        shape = (*x.shape[:axis], length * counts[0], *x.shape[axis + 1 :])
        return RepeatFunction.apply((x,), axis + 1, counts[0], shape)
    if len(counts) != length:
        raise ValueError(f"repeat: expected one count or {length}, got {len(counts)}")
    return getitem(x, (*[slice(None)] * axis, np.repeat(np.arange(length), counts)))


def _counts(op: str, name: str, values: Any) -> tuple[int, ...]:
    """Integers that are not negative, from one or several."""
    found = tuple(values) if isinstance(values, tuple | list) else (values,)
    for value in found:
        if not is_integer(value):
            raise TypeError(f"{op}: {name} must be integers, got {values!r}")
        if value < 0:
            raise ValueError(f"{op}: {name} must not be negative, got {values!r}")
    return tuple([int(value) for value in found])
