"""prelu: a rectifier whose slope below 0 is learned."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.broadcasting import sum_over
from lamina.ops.checks import float_tensor, same_dtype


class PreluFunction(Function):
    """The kernels repeat a row of slopes; slopes with an axis of 1 after a longer one are spread first."""

    __slots__ = ("slope_shape",)
    slope_shape: tuple[int, ...]

    def forward(self, x: Any, alpha: Any) -> Any:
        self.slope_shape = alpha.shape
        full = (1,) * (x.ndim - alpha.ndim) + alpha.shape
        first = next((i for i, n in enumerate(full) if n != 1), x.ndim)
        if full[first:] != x.shape[first:]:
            alpha = backend.array_module(x).broadcast_to(alpha.reshape(full[first:]), x.shape[first:])
        x, alpha = backend.contiguous(x), backend.contiguous(alpha)
        y = backend.empty_like(x)
        if x.size:
            backend.kernels(x).prelu_forward(x, alpha, y)
        self.saved = x, alpha
        return y

    def backward(self, dy: Any) -> Any:
        x, alpha = self.saved
        dx = backend.empty_like(x) if self.needs[0] else None
        terms = backend.empty_like(x) if self.needs[1] else None
        if x.size:
            backend.kernels(x).prelu_backward(x, alpha, backend.contiguous(dy), dx, terms)
        if terms is None:
            return dx, None
        full = (1,) * (x.ndim - len(self.slope_shape)) + self.slope_shape
        axes = tuple(i for i, n in enumerate(full) if n == 1)
        return dx, sum_over(terms, axes).reshape(self.slope_shape)


def prelu(x: Any, alpha: Any) -> Tensor:
    """y = x where x > 0, else alpha x, element by element; alpha is learned, and broadcast.

    Args:
        x: tensor of any shape, float32 or float64.
        alpha: slopes below 0, of a shape that is broadcast to x's: (C,) for one a channel, (1,) for one in all.

    Returns:
        Tensor of x's shape and dtype.

    Raises:
        ValueError: if alpha is empty or cannot be broadcast to x's shape.
        TypeError: if the dtypes differ.

    Example:
        >>> import lamina as lm
        >>> lm.ops.prelu(lm.tensor([[-4.0, -4.0], [2.0, -2.0]]), lm.tensor([0.5, 0.25])).numpy().tolist()
        [[-2.0, -1.0], [2.0, -0.5]]

    Reference:
        He et al. 2015, "Delving Deep into Rectifiers", arXiv:1502.01852.
    """
    x, alpha = float_tensor(x, "prelu"), float_tensor(alpha, "prelu", "alpha")
    same_dtype("prelu", x=x, alpha=alpha)
    fits = alpha.ndim <= x.ndim and all(
        a in (1, n) for a, n in zip(reversed(alpha.shape), reversed(x.shape), strict=False)
    )
    if not fits or math.prod(alpha.shape) == 0:
        raise ValueError(f"prelu: alpha must have a shape that is broadcast to x's, {x.shape}, got {alpha.shape}")
    return PreluFunction.apply((x, alpha))
