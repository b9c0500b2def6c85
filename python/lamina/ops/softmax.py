"""softmax: e^x / sum e^x along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor


class SoftmaxFunction(Function):
    """The kernels take rows: another axis is moved to the end and back."""

    __slots__ = ("axis",)
    axis: int

    def forward(self, x: Any, axis: int) -> Any:
        self.axis = axis
        x = backend.contiguous(self._last(x))
        y = backend.empty_like(x)
        backend.kernels(x).softmax_forward(x, y)
        self.saved = y
        return self._back(y)

    def backward(self, dy: Any) -> Any:
        y = self.saved
        dx = backend.empty_like(y)
        backend.kernels(y).softmax_backward(y, backend.contiguous(self._last(dy)), dx)
        return self._back(dx)

    def _last(self, array: Any) -> Any:
        return array if self.axis in (-1, array.ndim - 1) else np.moveaxis(array, self.axis, -1)

    def _back(self, array: Any) -> Any:
        if self.axis in (-1, array.ndim - 1):
            return array
        return backend.contiguous(np.moveaxis(array, -1, self.axis))


def softmax(x: Any, axis: int = -1) -> Tensor:
    """y = e^x / sum e^x along an axis, computed as e^(x - max x), which never overflows.

    A row of -infinity alone, or one with +infinity or NaN in it, gives NaN.

    Args:
        x: tensor of one dimension or more, float32 or float64.
        axis: the axis that sums to 1.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if x has no such axis.

    Example:
        >>> import lamina as lm
        >>> lm.ops.softmax(lm.tensor([[0.0, 0.0], [1000.0, 0.0]])).numpy().tolist()
        [[0.5, 0.5], [1.0, 0.0]]

    Reference:
        Bridle 1990, "Probabilistic Interpretation of Feedforward Classification Network Outputs".
    """
    x = float_tensor(x, "softmax")
    if isinstance(axis, bool) or not hasattr(axis, "__index__"):
        raise TypeError(f"softmax: axis must be an integer, got {axis!r}")
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"softmax: axis {axis} is out of range for shape {x.shape}")
    return SoftmaxFunction.apply((x,), int(axis))
