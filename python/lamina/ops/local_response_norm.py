"""local_response_norm: channels damped by their neighbours."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor, integer


class LocalResponseNormFunction(Function):
    def forward(self, x: Any, settings: tuple[int, float, float, float]) -> Any:
        x = backend.contiguous(x)
        y = backend.empty_like(x)
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        backend.kernels(x).local_response_norm_forward(rows, y, *settings)
        self.saved = rows, settings
        return y

    def backward(self, dy: Any) -> Any:
        rows, settings = self.saved
        dx = backend.empty(dy.shape, rows.dtype, like=rows)
        backend.kernels(rows).local_response_norm_backward(rows, backend.contiguous(dy), dx, *settings)
        return dx


def local_response_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """y = x / (k + alpha / size * sum of x^2 over the `size` channels around)^beta, along the last axis.

    Around channel c are c - size // 2 to c + (size - 1) // 2, as far as they exist. As in PyTorch, alpha is divided by
    size; AlexNet's alpha of 1e-4 with 5 channels is 5e-4 here.

    Args:
        x: tensor (..., C), float32 or float64.
        size: how many channels a sum takes, at least 1.
        alpha: at least 0.
        beta: the exponent.
        k: greater than 0.

    Returns:
        Tensor of x's shape and dtype.

    Raises:
        TypeError: if size is no integer, or for a dtype other than float32 or float64.
        ValueError: for numbers out of range, or an x without channels.

    Example:
        >>> import lamina as lm
        >>> lm.ops.local_response_norm([[1.0, 0.0, 0.0]], size=3, alpha=3.0, beta=1.0).numpy().round(4).tolist()
        [[0.5, 0.0, 0.0]]

    Reference:
        Krizhevsky, Sutskever & Hinton 2012, "ImageNet Classification with Deep Convolutional Neural Networks".
    """
    x = float_tensor(x, "local_response_norm")
    if x.ndim < 1 or x.shape[-1] < 1:
        raise ValueError(f"local_response_norm: x must have shape (..., C) with C of at least 1, got {x.shape}")
    size = integer(size, "local_response_norm", "size")
    if not 1 <= size <= 1 << 20:
        raise ValueError(f"local_response_norm: size must be from 1 to {1 << 20}, got {size}")
    if not 0 <= alpha < math.inf:
        raise ValueError(f"local_response_norm: alpha must be at least 0, got {alpha}")
    if not math.isfinite(beta):
        raise ValueError(f"local_response_norm: beta must be finite, got {beta}")
    if not 0 < k < math.inf:
        raise ValueError(f"local_response_norm: k must be greater than 0, got {k}")
    y: Tensor = LocalResponseNormFunction.apply((x,), (size, float(alpha), float(beta), float(k)))
    return y
