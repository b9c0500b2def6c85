"""getitem: x[key] as in NumPy, with integers, slices, ..., None, arrays of integers or booleans."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor


class GetItemFunction(Function):
    def forward(self, x: Any, key: tuple[Any, ...]) -> Any:
        self.saved = x.shape, key
        return np.asarray(x[key])

    def backward(self, dy: Any) -> Any:
        shape, key = self.saved
        dx = backend.zeros(shape, dy.dtype, like=dy)
        if any(isinstance(k, np.ndarray) and k.dtype.kind != "b" for k in key):
            np.add.at(dx, key, dy)  # a place may be named twice; in the order of the indices
        else:
            dx[key] = dy
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
    return GetItemFunction.apply((x,), tuple([_plain(k) for k in keys]))


def _plain(key: Any) -> Any:
    """A part of a key as NumPy takes it; arrays as copies, because backward needs them as they are now."""
    if isinstance(key, Tensor):
        key = key.array
    if isinstance(key, list):
        array = np.asarray(key)
        return array if array.size else array.astype(np.int64)
    return key.copy() if isinstance(key, np.ndarray) else key
