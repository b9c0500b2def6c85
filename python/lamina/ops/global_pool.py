"""global_avg_pool, global_max_pool: the mean and the largest value of each channel over all places."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.broadcasting import sum_over
from lamina.ops.checks import float_tensor
from lamina.ops.max_pool import MaxPoolFunction
from lamina.ops.pool import NAMES, Pool, adaptive_pool


class GlobalAvgPoolFunction(Function):
    """Forward is a sum over rows, in chains (csrc/ops/reduce_sum.h); backward that of one window as large as x."""

    linear = True

    def forward(self, x: Any, geometry: Pool) -> Any:
        y = sum_over(x, tuple(range(1, x.ndim - 1)))
        y *= y.dtype.type(1 / math.prod(x.shape[1:-1]))
        self.saved = x.shape, geometry
        return y.reshape(geometry.output)

    def backward(self, dy: Any) -> Any:
        shape, geometry = self.saved
        dx = backend.empty(geometry.shape, dy.dtype, like=dy)
        backend.kernels(dx).avg_pool_backward(backend.contiguous(dy), dx, False, geometry.window)
        return dx.reshape(shape)


def _one_window(x: Tensor, keepdims: bool, op: str) -> Pool:
    if x.ndim - 2 not in NAMES:
        raise ValueError(f"{op}: x must have shape (N, ..., C) with one to three axes between, got {x.shape}")
    geometry = adaptive_pool(x, x.ndim - 2, 1, op)
    return geometry if keepdims else geometry._replace(output=(x.shape[0], x.shape[-1]))


def global_avg_pool(x: Any, keepdims: bool = False) -> Tensor:
    """y[n, c] = the mean of x[n, ..., c] over all axes between.

    Args:
        x: sequences (N, L, C), images (N, H, W, C) or volumes (N, D, H, W, C), float32 or float64.
        keepdims: whether the axes between stay, with a size of 1.

    Returns:
        Tensor (N, C) of x's dtype, or (N, 1, ..., C) with keepdims.

    Raises:
        ValueError: for another number of axes, or an empty one besides N.

    Example:
        >>> import lamina as lm
        >>> lm.ops.global_avg_pool(lm.tensor([[[1.0, 2.0], [3.0, 6.0]]])).numpy().tolist()
        [[2.0, 4.0]]

    Reference:
        Lin et al. 2014, "Network In Network", arXiv:1312.4400.
    """
    x = float_tensor(x, "global_avg_pool")
    return GlobalAvgPoolFunction.apply((x,), _one_window(x, keepdims, "global_avg_pool"))


def global_max_pool(x: Any, keepdims: bool = False) -> Tensor:
    """y[n, c] = the largest x[n, ..., c] over all axes between.

    Of equal values the first one gets the gradient. NaN wins over every number.

    Args:
        x: sequences (N, L, C), images (N, H, W, C) or volumes (N, D, H, W, C), float32 or float64.
        keepdims: whether the axes between stay, with a size of 1.

    Returns:
        Tensor (N, C) of x's dtype, or (N, 1, ..., C) with keepdims.

    Raises:
        ValueError: for another number of axes, or an empty one besides N.

    Example:
        >>> import lamina as lm
        >>> lm.ops.global_max_pool(lm.tensor([[[1.0, 2.0], [3.0, 6.0]]])).numpy().tolist()
        [[3.0, 6.0]]
    """
    x = float_tensor(x, "global_max_pool")
    return MaxPoolFunction.apply((x,), _one_window(x, keepdims, "global_max_pool"), None)
