"""scatter, scatter_add, scatter_update: values added to, or put in, places named by arrays of integers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import number_tensor, operands
from lamina.ops.gather import checked_indices, put_along
from lamina.ops.indexing import add_rows
from lamina.ops.shapes import reshape


class ScatterAddFunction(Function):
    """x with values added to rows of it: x (rows, inner), values (n, inner), index (n,)."""

    def forward(self, x: Any, values: Any, index: Any) -> Any:
        self.saved = index
        y = backend.empty(x.shape, x.dtype, like=x)
        y[...] = x
        if x.dtype.kind == "f":
            add_rows(y.reshape(1, *y.shape), index, values.reshape(1, *values.shape))
        else:
            words = np.uint64 if y.dtype == np.int64 else y.dtype  # the same bits; a GPU's atomics know the former
            backend.array_module(y).add.at(y.view(words), index, values.astype(y.dtype, copy=False).view(words))
        return y

    def backward(self, dy: Any) -> Any:
        return dy if self.needs[0] else None, dy[self.saved] if self.needs[1] else None


class ScatterUpdateFunction(Function):
    """x with rows replaced by values. Of values for one row the last one counts, and has the gradient."""

    def forward(self, x: Any, values: Any, index: Any) -> Any:
        y = backend.empty(x.shape, x.dtype, like=x)
        y[...] = x
        rows = backend.array_module(x).broadcast_to(index[:, None], values.shape)
        self.saved = index, put_along(y, rows, values, 0, True)
        return y

    def backward(self, dy: Any) -> Any:
        index, last = self.saved
        dx = dvalues = None
        if self.needs[0]:
            dx = backend.empty(dy.shape, dy.dtype, like=dy)
            dx[...] = dy
            dx[index] = 0
        if self.needs[1]:
            dvalues = backend.array_module(dy).where(last, dy[index], dy.dtype.type(0))
        return dx, dvalues


def scatter(indices: Any, values: Any, shape: tuple[int, ...]) -> Tensor:
    """Zeros, with values added in the named places: a place that is named more than once has the sum.

    Args:
        indices: integers of shape (..., k): the first k indices of a place.
        values: tensor of shape (..., *shape[k:]).
        shape: the shape of the result.

    Returns:
        Tensor of that shape, of the dtype of values.

    Raises:
        ValueError: if an index is out of range or negative, or shapes do not fit.
        TypeError: if indices are no integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.scatter([[0], [2], [0]], lm.tensor([1.0, 2.0, 3.0]), (4,)).numpy().tolist()
        [4.0, 0.0, 2.0, 0.0]
    """
    values = number_tensor(values, "scatter")
    zeros = Tensor(backend.zeros(tuple(shape), values.dtype, like=values.array))
    return _scattered("scatter", ScatterAddFunction, zeros, indices, values)


def scatter_add(inputs: Any, indices: Any, updates: Any) -> Tensor:
    """inputs, with updates added in the named places, in the order of the indices.

    Args:
        inputs: tensor of any shape; float32, float64 or integers.
        indices: integers of shape (..., k): the first k indices of a place.
        updates: tensor of shape (..., *inputs.shape[k:]), of the dtype of inputs.

    Returns:
        Tensor of the shape of inputs; inputs stay as they are.

    Raises:
        ValueError: if an index is out of range or negative, or shapes do not fit.
        TypeError: if indices are no integers, or dtypes differ.

    Example:
        >>> import lamina as lm
        >>> lm.ops.scatter_add(lm.tensor([1.0, 1.0]), [[1], [1]], lm.tensor([2.0, 3.0])).numpy().tolist()
        [1.0, 6.0]
    """
    inputs, updates = operands("scatter_add", number_tensor(inputs, "scatter_add"), updates)
    return _scattered("scatter_add", ScatterAddFunction, inputs, indices, updates)


def scatter_update(inputs: Any, indices: Any, updates: Any) -> Tensor:
    """inputs, with updates in the named places; of several for one place the last counts. See `scatter_add`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.scatter_update(lm.tensor([1.0, 1.0]), [[1], [1]], lm.tensor([2.0, 3.0])).numpy().tolist()
        [1.0, 3.0]
    """
    inputs, updates = operands("scatter_update", inputs, updates)
    return _scattered("scatter_update", ScatterUpdateFunction, inputs, indices, updates)


def _scattered(op: str, function: type[Function], x: Tensor, indices: Any, values: Tensor) -> Tensor:
    index = indices if isinstance(indices, Tensor) else Tensor(backend.as_array(indices))
    depth = index.shape[-1] if index.ndim else 0
    if index.ndim == 0 or not 1 <= depth <= x.ndim:
        raise ValueError(f"{op}: indices must have shape (..., k), k from 1 to {x.ndim}, got {index.shape}")
    expected = (*index.shape[:-1], *x.shape[depth:])
    if values.shape != expected:
        raise ValueError(f"{op}: values must have shape {expected}, got {values.shape}")
    backend.refuse_mixed(op, x=x.array, indices=index.array if isinstance(indices, Tensor) else None)
    row = backend.zeros(index.shape[:-1], np.int64, like=x.array)
    for i in range(depth):
        row = row * x.shape[i] + checked_indices(op, index.array[..., i], x.shape[i], x.array, f"indices[..., {i}]")
    rows, inner = math.prod(x.shape[:depth]), math.prod(x.shape[depth:])
    y = function.apply((reshape(x, (rows, inner)), reshape(values, (row.size, inner))), row.reshape(-1))
    return reshape(y, x.shape)
