"""take, take_along_axis, put_along_axis: places along an axis named by arrays of integers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.arithmetic import operands
from lamina.ops.broadcasting import broadcast_shape, reduce_to
from lamina.ops.indexing import add_rows
from lamina.ops.shapes import one_axis, reshape


def checked_indices(op: str, indices: Any, count: int, like: Any, name: str = "indices", negative: bool = False) -> Any:
    """Indices as an array of int64 in [0, count), a copy; negative ones count from the end where they may.

    Raises:
        TypeError: if they are no integers.
        ValueError: if one is out of range; names the first one's value and place.
    """
    array = indices.array if isinstance(indices, Tensor) else backend.as_array(indices)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{op}: {name} must be integers, got {array.dtype}")
    lowest = -count if negative else 0
    if array.size and backend.on_host(array) and (array.min() < lowest or array.max() >= count):
        wrong = (array < lowest) | (array >= count)
        place = tuple([int(i) for i in np.argwhere(wrong)[0]])
        where = f" at {place[0] if len(place) == 1 else place}" if place else ""
        raise ValueError(f"{op}: {name} must be from {lowest} to {count - 1}, got {int(array[place])}{where}")
    if isinstance(indices, Tensor) and name != "x":
        backend.refuse_mixed(op, **{"x": like, name: array})
    result = backend.from_pool(backend.moved(array, like).astype(np.int64, copy=False))
    if negative and count:
        result += (result < 0) * np.int64(count)
    return result


def _folded(array: Any, axis: int) -> Any:
    """A contiguous array as (outer, axis, inner)."""
    shape = array.shape
    return backend.contiguous(array).reshape(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))


def put_along(y: Any, index: Any, values: Any, axis: int, tell: bool = False) -> Any:
    """Puts values in the places along an axis that the index names; of several for one place the last one stays.

    Returns:
        Which values stayed, booleans of the shape of the index, if `tell` asks for it.
    """
    xp = backend.array_module(y)
    kind = np.int32 if index.size < 2**31 else np.int64  # a GPU's atomics know the former
    order = xp.arange(index.size, dtype=kind).reshape(index.shape)
    winner = xp.full(y.shape, -1, kind)
    places = [xp.arange(n).reshape([-1 if j == i else 1 for j in range(y.ndim)]) for i, n in enumerate(index.shape)]
    places[axis] = index
    xp.maximum.at(winner, tuple(places), order)  # the same whichever comes first
    flat = xp.broadcast_to(values, index.shape).reshape(-1)
    if flat.size:
        xp.copyto(y, flat[xp.maximum(winner, 0)], where=winner >= 0)
    return winner[tuple(places)] == order if tell else None


class TakeFunction(Function):
    def forward(self, x: Any, index: Any, axis: int) -> Any:
        self.saved = x.shape, index, axis
        shape = x.shape[:axis] + index.shape + x.shape[axis + 1 :]
        y = backend.empty(shape, x.dtype, like=x)
        if x.dtype not in (backend.float32, backend.float64):
            y[...] = backend.array_module(x).take(x, index, axis)
            return y
        folded = _folded(x, axis)
        backend.kernels(x).take(folded, index.reshape(-1), y.reshape(folded.shape[0], index.size, folded.shape[2]))
        return y

    def backward(self, dy: Any) -> Any:
        shape, index, axis = self.saved
        dx = backend.zeros(shape, dy.dtype, like=dy)
        folded = _folded(dx, axis)
        values = backend.contiguous(dy).reshape(folded.shape[0], index.size, folded.shape[2])
        add_rows(folded, index.reshape(-1), values)
        return dx


class TakeAlongAxisFunction(Function):
    def forward(self, x: Any, index: Any, axis: int) -> Any:
        self.saved = x.shape, index, axis
        return backend.array_module(x).take_along_axis(x, index, axis)

    def backward(self, dy: Any) -> Any:
        shape, index, axis = self.saved
        whole = [index.shape[i] if i != axis else n for i, n in enumerate(shape)]  # the index may repeat x
        dx = backend.zeros(tuple(whole), dy.dtype, like=dy)
        backend.kernels(dx).scatter_add_along(_folded(dy, axis), _folded(index, axis), _folded(dx, axis))
        return reduce_to(dx, shape)


class PutAlongAxisFunction(Function):
    """x with values in the named places. Of values for one place the last one counts, and has the gradient."""

    def forward(self, x: Any, values: Any, index: Any, axis: int) -> Any:
        self.saved = index, axis, values.shape
        y = backend.empty(x.shape, x.dtype, like=x)
        y[...] = x
        put_along(y, index, values, axis)
        return y

    def backward(self, dy: Any) -> Any:
        index, axis, shape = self.saved
        dx = dvalues = None
        if self.needs[0]:
            dx = backend.empty(dy.shape, dy.dtype, like=dy)
            dx[...] = dy
            put_along(dx, index, backend.zeros(index.shape, dy.dtype, like=dy), axis)
        if self.needs[1]:
            xp = backend.array_module(dy)
            stayed = put_along(
                backend.zeros(dy.shape, dy.dtype, like=dy), index, backend.zeros((), dy.dtype, like=dy), axis, True
            )
            dvalues = reduce_to(xp.where(stayed, xp.take_along_axis(dy, index, axis), dy.dtype.type(0)), shape)
        return dx, dvalues


def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The values of x at places along an axis: rows by their numbers, as in an embedding.

    Args:
        x: tensor of any shape and dtype.
        indices: integers of any shape; negative ones count from the end.
        axis: the axis; None takes all values of x row by row, as one axis.

    Returns:
        Tensor of the shape of x, with the shape of indices in the place of the axis. A place that is named more than
        once gets the sum of its gradients, in the order of the indices.

    Raises:
        ValueError: if an index or the axis is out of range.
        TypeError: if indices or the axis are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.take(lm.tensor([[1.0, 2.0], [3.0, 4.0]]), [1, 1, 0], axis=0).numpy().tolist()
        [[3.0, 4.0], [3.0, 4.0], [1.0, 2.0]]
    """
    x = as_tensor(x)
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    axis = one_axis("take", axis, x.ndim)
    return TakeFunction.apply((x,), checked_indices("take", indices, x.shape[axis], x.array, negative=True), axis)


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """y[..., i, ...] = x[..., indices[..., i, ...], ...]: places along an axis that differ from row to row.

    Args:
        x: tensor of any shape and dtype.
        indices: integers; their shape broadcasts with that of x but for the axis. Negative ones count from the end.
        axis: the axis; None takes all values of x row by row, as one axis.

    Returns:
        Tensor of the shape of indices, broadcast.

    Raises:
        ValueError: if an index or the axis is out of range, or the shapes do not fit.
        TypeError: if indices or the axis are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.take_along_axis(lm.tensor([[1.0, 2.0], [3.0, 4.0]]), [[1], [0]], axis=1).numpy().tolist()
        [[2.0], [3.0]]
    """
    x, index, axis = _along("take_along_axis", x, indices, axis)
    return TakeAlongAxisFunction.apply((x,), index, axis)


def put_along_axis(x: Any, indices: Any, values: Any, axis: int | None = None) -> Tensor:
    """x with values in the places that `take_along_axis` would read; of several for one place the last counts.

    Args:
        x: tensor of any shape and dtype.
        indices: integers; their shape broadcasts with that of x but for the axis. Negative ones count from the end.
        values: tensor of the dtype of x; its shape broadcasts to that of indices.
        axis: the axis; None takes all values of x row by row, as one axis.

    Returns:
        Tensor of the shape of x (of one axis if the axis is None).

    Raises:
        ValueError: if an index or the axis is out of range, or the shapes do not fit.
        TypeError: if indices or the axis are no integers, or dtypes differ.

    Example:
        >>> import lamina as lm
        >>> lm.ops.put_along_axis(lm.tensor([[1.0, 2.0], [3.0, 4.0]]), [[1], [0]], 9.0, axis=1).numpy().tolist()
        [[1.0, 9.0], [9.0, 4.0]]
    """
    x, index, axis = _along("put_along_axis", x, indices, axis)
    x, values = operands("put_along_axis", x, values)
    if broadcast_shape("put_along_axis", values.shape, index.shape) != index.shape:
        raise ValueError(f"put_along_axis: values of shape {values.shape} do not broadcast to {index.shape}")
    whole = tuple([n if i == axis else index.shape[i] for i, n in enumerate(x.shape)])
    if whole != x.shape:
        raise ValueError(f"put_along_axis: indices of shape {index.shape} do not fit x of shape {x.shape}")
    return PutAlongAxisFunction.apply((x, values), index, axis)


def _along(op: str, x: Any, indices: Any, axis: int | None) -> tuple[Tensor, Any, int]:
    """x, the indices (broadcast against x but for the axis), and the axis."""
    x = as_tensor(x)
    index = indices if isinstance(indices, Tensor) else Tensor(backend.as_array(indices))
    if axis is None:
        x, index, axis = reshape(x, (x.size,)), reshape(index, (index.size,)), 0
    axis = one_axis(op, axis, x.ndim)
    if index.ndim != x.ndim:
        raise ValueError(f"{op}: indices must have the {x.ndim} axes of x, got shape {index.shape} for {x.shape}")
    others = tuple([1 if i == axis else n for i, n in enumerate(x.shape)])
    shape = broadcast_shape(op, index.shape, others)
    array = checked_indices(
        op, index if isinstance(indices, Tensor) else index.array, x.shape[axis], x.array, negative=True
    )
    return x, backend.contiguous(backend.array_module(array).broadcast_to(array, shape)), axis
