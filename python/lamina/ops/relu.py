"""relu: max(0, x)."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor


class ReluFunction(Function):
    def forward(self, x: Any) -> Any:
        x = backend.contiguous(x)
        y = backend.empty_like(x)
        backend.kernels(x).relu_forward(x, y)
        self.saved = y
        return y

    def backward(self, dy: Any) -> Any:
        y = self.saved
        dx = backend.empty_like(y)
        backend.kernels(y).relu_backward(y, backend.contiguous(dy), dx)
        return dx


def relu(x: Any) -> Tensor:
    """Rectified linear unit, y = max(0, x), element by element. NaN stays NaN.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.relu(lm.tensor([-1.0, 0.0, 2.0])).numpy().tolist()
        [0.0, 0.0, 2.0]

    Reference:
        Nair & Hinton 2010, "Rectified Linear Units Improve Restricted Boltzmann Machines".
    """
    return ReluFunction.apply((float_tensor(x, "relu"),))
