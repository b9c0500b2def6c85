"""getitem: x[key] as in NumPy, with integers, slices, ..., None, arrays of integers or booleans."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor


def add_rows(dx: Any, index: Any, values: Any) -> None:
    """dx[:, index[i]] += values[:, i] in the order of i, for (outer, rows, inner), (n,) and (outer, n, inner)."""
    backend.kernels(dx).scatter_add(backend.contiguous(values), index, dx)


class GetItemFunction(Function):
    linear = True

    def forward(self, x: Any, key: tuple[Any, ...]) -> Any:
        self.saved = x.shape, key
        return backend.array_module(x).asarray(x[key])

    def backward(self, dy: Any) -> Any:
        shape, key = self.saved
        dx = backend.zeros(shape, dy.dtype, like=dy)
        arrays = [k for k in key if backend.is_array(k) and k.dtype.kind != "b"]
        xp = backend.array_module(dy)
        if not arrays:  # no place is named twice
            dx[key] = dy
        elif len(key) == 1:  # whole rows
            rows, inner = shape[0], math.prod(shape[1:])
            index = xp.where(arrays[0] < 0, arrays[0] + rows, arrays[0]).astype(np.int64).reshape(-1)
            add_rows(dx.reshape(1, rows, inner), index, dy.reshape(1, index.size, inner))
        else:
            places = xp.arange(dx.size).reshape(shape)[key].reshape(-1)
            add_rows(dx.reshape(1, dx.size, 1), places, backend.contiguous(dy).reshape(1, places.size, 1))
        return dx


def getitem(x: Any, key: Any) -> Tensor:
    """x[key], as in NumPy. Places that arrays of integers name more than once get the sum of their gradients.

    Args:
        x: tensor of any shape and dtype.
        key: integers, slices, ..., None, arrays (or tensors, or lists) of integers or booleans, or a tuple of them.

    Returns:
        Tensor; a view of x unless the key has arrays.

    Raises:
        IndexError: if an index is out of range, or of floating point.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        >>> x[[0, 0, 1], 1].sum().backward()
        >>> x.grad.numpy().tolist()
        [[0.0, 2.0], [0.0, 1.0]]
    """
    x = as_tensor(x)
    keys = key if isinstance(key, tuple) else (key,)
    return GetItemFunction.apply((x,), tuple([_plain(k, x.array) for k in keys]))


def _plain(key: Any, x: Any) -> Any:
    """A part of a key as x takes it; arrays as copies, because backward needs them as they are now."""
    if isinstance(key, Tensor):
        key = key.array
        backend.refuse_mixed("getitem", x=x, key=key)
    if isinstance(key, list):
        array = np.asarray(key)
        return backend.moved(array if array.size else array.astype(np.int64), x)
    return backend.moved(key.copy(), x) if backend.is_array(key) else key
