"""max_pool2d: the largest value of each window."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.pool2d import Pool2D, pool2d

_BYTE_PLACES = 256  # windows of at most so many places keep their winners' places in bytes


class MaxPool2DFunction(Function):
    def forward(self, x: Any, pool: Pool2D) -> Any:
        x = backend.contiguous(x)
        y = backend.empty((x.shape[0], *pool.output, x.shape[3]), x.dtype, like=x)
        offsets = None
        if self.recording:
            places = pool.window[0] * pool.window[1]
            offsets = backend.empty(y.shape, np.uint8 if places <= _BYTE_PLACES else np.int32, like=x)
        backend.kernels(x).max_pool2d_forward(x, y, offsets, *pool.window)
        self.saved = offsets, x.shape, pool
        return y

    def backward(self, dy: Any) -> Any:
        offsets, shape, pool = self.saved
        dx = backend.empty(shape, dy.dtype, like=dy)
        backend.kernels(dx).max_pool2d_backward(backend.contiguous(dy), offsets, dx, *pool.window)
        return dx


def max_pool2d(x: Any, pool_size: Any = 2, strides: Any = None, padding: str = "valid") -> Tensor:
    """Max pooling: y[n, i, j, c] = max over the window of x[n, i * stride + kh, j * stride + kw, c].

    Padding never wins. Of equal values the first in the window (by rows) gets the gradient. NaN wins over every number.

    Args:
        x: images (N, H, W, C), float32 or float64.
        pool_size: height and width of the window, or one number for both.
        strides: steps between windows, one number or two; the pool size if None.
        padding: "valid" (windows inside x only) or "same" (ceil(H / stride) x ceil(W / stride) windows).

    Returns:
        Tensor (N, OH, OW, C) of x's dtype.

    Raises:
        TypeError: if x holds no numbers, or pool_size or strides are no integers.
        ValueError: for a wrong shape, sizes below 1, unknown padding, or a window larger than the input.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[[1.0], [5.0], [2.0], [0.0]], [[3.0], [4.0], [8.0], [7.0]]]])  # (1, 2, 4, 1)
        >>> lm.ops.max_pool2d(x).numpy().ravel().tolist()
        [5.0, 8.0]

    Reference:
        Riesenhuber & Poggio 1999, "Hierarchical models of object recognition in cortex".
    """
    x = float_tensor(x, "max_pool2d")
    return MaxPool2DFunction.apply((x,), pool2d(x, pool_size, strides, padding, "max_pool2d"))
