"""softmax: e^x / sum e^x along an axis, and its logarithm."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.shapes import one_axis

_LEAST_COLUMNS = 8  # fewer values side by side do not fill vectors: the axis is moved to the end, and back


class SoftmaxFunction(Function):
    __slots__ = ("axis", "logarithm", "moved")
    axis: int
    logarithm: bool
    moved: bool

    def forward(self, x: Any, axis: int, logarithm: bool) -> Any:
        self.axis, self.logarithm = axis, logarithm
        columns = 1
        for n in x.shape[self.axis + 1 :]:
            columns *= n
        self.moved = 1 < columns < _LEAST_COLUMNS
        x = backend.contiguous(self._last(x))
        y = backend.empty_like(x)
        backend.kernels(x).softmax_forward(x, y, -1 if self.moved else self.axis, logarithm)
        self.saved = y
        return self._back(y)

    def backward(self, dy: Any) -> Any:
        y = self.saved
        dx = backend.empty_like(y)
        dy = backend.contiguous(self._last(dy))
        backend.kernels(y).softmax_backward(y, dy, dx, -1 if self.moved else self.axis, self.logarithm)
        return self._back(dx)

    def _last(self, array: Any) -> Any:
        return backend.array_module(array).moveaxis(array, self.axis, -1) if self.moved else array

    def _back(self, array: Any) -> Any:
        return backend.contiguous(backend.array_module(array).moveaxis(array, -1, self.axis)) if self.moved else array


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
    return SoftmaxFunction.apply((x,), one_axis("softmax", axis, x.ndim), False)


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """y = log(e^x / sum e^x) along an axis, computed as x - max x - log(sum e^(x - max x)), which never overflows.

    A row of -infinity alone, or one with +infinity or NaN in it, gives NaN.

    Args:
        x: tensor of one dimension or more, float32 or float64.
        axis: the axis whose e^y sum to 1.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if x has no such axis.

    Example:
        >>> import lamina as lm
        >>> lm.ops.log_softmax(lm.tensor([[1000.0, 0.0]])).numpy().tolist()
        [[0.0, -1000.0]]
    """
    x = float_tensor(x, "log_softmax")
    return SoftmaxFunction.apply((x,), one_axis("log_softmax", axis, x.ndim), True)
