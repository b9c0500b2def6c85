"""sparsemax: the nearest point of the simplex."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.broadcasting import sum_over
from lamina.ops.checks import float_tensor
from lamina.ops.shapes import one_axis


class SparsemaxFunction(Function):
    """y = max(0, x - tau), with tau such that y sums to 1; found by sorting. Sums go along the axis in order."""

    def forward(self, x: Any, axis: int) -> Any:
        n = x.shape[axis]
        xp = backend.array_module(x)
        largest_first = xp.flip(xp.sort(x, axis), axis)  # NaN first
        sums = xp.cumsum(largest_first, axis) - 1
        counts = xp.arange(1, n + 1, dtype=x.dtype).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        held = counts * largest_first > sums  # for the first ones only
        support = xp.maximum(held.sum(axis, keepdims=True), 1)
        tau = xp.take_along_axis(sums, support - 1, axis) / support.astype(x.dtype)
        y = backend.empty(x.shape, x.dtype, like=x)
        xp.subtract(x, tau, out=y)
        xp.maximum(y, 0, out=y)
        self.saved = y > 0, support, axis
        return y

    def backward(self, dy: Any) -> Any:
        held, support, axis = self.saved
        xp = backend.array_module(dy)
        shared = xp.where(held, dy, dy.dtype.type(0))
        total = sum_over(shared, (axis,)).reshape(support.shape)
        return xp.where(held, dy - total / support.astype(dy.dtype), dy.dtype.type(0))


def sparsemax(x: Any, axis: int = -1) -> Tensor:
    """The point of the simplex nearest to x along an axis: y = max(0, x - tau), with tau such that y sums to 1.

    Like softmax, but small values become exactly 0.

    Args:
        x: tensor of one dimension or more, float32 or float64.
        axis: the axis that sums to 1.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if x has no such axis, or it is empty.

    Example:
        >>> import lamina as lm
        >>> lm.ops.sparsemax(lm.tensor([[0.5, 1.0, -3.0]])).numpy().tolist()
        [[0.25, 0.75, 0.0]]

    Reference:
        Martins & Astudillo 2016, "From Softmax to Sparsemax", arXiv:1602.02068.
    """
    x = float_tensor(x, "sparsemax")
    axis = one_axis("sparsemax", axis, x.ndim)
    if x.shape[axis] == 0:
        raise ValueError(f"sparsemax: axis {axis} is empty, got shape {x.shape}")
    return SparsemaxFunction.apply((x,), axis)
