"""relu: max(0, x), and its relatives by arguments."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.autograd.unpooled import Unpooled
from lamina.ops.arithmetic import multiply
from lamina.ops.checks import float_tensor
from lamina.ops.rectifiers import rectifier


class ReluFunction(Function):
    takes_unpooled = True

    def forward(self, x: Any) -> Any:
        x = backend.contiguous(x)
        y = backend.empty_like(x)
        backend.kernels(x).relu_forward(x, y)
        self.saved = y
        return y

    def backward(self, dy: Any) -> Any:
        if type(dy) is Unpooled:
            return dy.replace(_before_relu(dy.y, dy.dy))
        return _before_relu(self.saved, dy)

    def graph_backward(self, dy: Any) -> Any:
        return multiply(dy, Tensor((self.saved > 0).astype(dy.dtype)))


def _before_relu(y: Any, dy: Any) -> Any:
    dx = backend.empty_like(y)
    backend.kernels(y).relu_backward(y, backend.contiguous(dy), dx)
    return dx


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """Rectified linear unit, y = max(0, x), element by element. NaN stays NaN.

    With the other arguments y = min(x, max_value) where x > threshold, else negative_slope (x - threshold).

    Args:
        x: tensor of any shape, float32 or float64.
        negative_slope: the slope below the threshold, not negative.
        max_value: the largest value of y, not negative; None for no bound.
        threshold: where the slope changes, not negative.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if an argument is negative or not finite.

    Example:
        >>> import lamina as lm
        >>> lm.ops.relu(lm.tensor([-1.0, 0.0, 2.0])).numpy().tolist()
        [0.0, 0.0, 2.0]
        >>> lm.ops.relu(lm.tensor([-4.0, 8.0]), negative_slope=0.25, max_value=6.0).numpy().tolist()
        [-1.0, 6.0]

    Reference:
        Nair & Hinton 2010, "Rectified Linear Units Improve Restricted Boltzmann Machines".
    """
    if negative_slope == 0 and max_value is None and threshold == 0:
        return ReluFunction.apply((float_tensor(x, "relu"),))
    return rectifier(x, negative_slope, max_value, threshold, "relu")
