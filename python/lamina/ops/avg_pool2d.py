"""avg_pool2d: the mean of each window."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.pool2d import Pool2D, pool2d


class AvgPool2DFunction(Function):
    def forward(self, x: Any, pool: Pool2D, count_padding: bool) -> Any:
        x = backend.contiguous(x)
        y = backend.empty((x.shape[0], *pool.output, x.shape[3]), x.dtype, like=x)
        backend.kernels(x).avg_pool2d_forward(x, y, count_padding, *pool.window)
        self.saved = x.shape, pool, count_padding
        return y

    def backward(self, dy: Any) -> Any:
        shape, pool, count_padding = self.saved
        dx = backend.empty(shape, dy.dtype, like=dy)
        backend.kernels(dx).avg_pool2d_backward(backend.contiguous(dy), dx, count_padding, *pool.window)
        return dx


def avg_pool2d(
    x: Any, pool_size: Any = 2, strides: Any = None, padding: str = "valid", count_padding: bool = False
) -> Tensor:
    """Average pooling: y[n, i, j, c] = mean over the window of x[n, i * stride + kh, j * stride + kw, c].

    Args:
        x: images (N, H, W, C), float32 or float64.
        pool_size: height and width of the window, or one number for both.
        strides: steps between windows, one number or two; the pool size if None.
        padding: "valid" (windows inside x only) or "same" (ceil(H / stride) x ceil(W / stride) windows).
        count_padding: whether padding counts as zeros (PyTorch's default) or not at all (Keras).

    Returns:
        Tensor (N, OH, OW, C) of x's dtype.

    Raises:
        TypeError: if x holds no numbers, or pool_size or strides are no integers.
        ValueError: for a wrong shape, sizes below 1, unknown padding, or a window larger than the input.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[[1.0], [5.0], [2.0], [0.0]], [[3.0], [4.0], [8.0], [6.0]]]])  # (1, 2, 4, 1)
        >>> lm.ops.avg_pool2d(x).numpy().ravel().tolist()
        [3.25, 4.0]

    Reference:
        LeCun et al. 1998, "Gradient-based learning applied to document recognition".
    """
    x = float_tensor(x, "avg_pool2d")
    return AvgPool2DFunction.apply((x,), pool2d(x, pool_size, strides, padding, "avg_pool2d"), bool(count_padding))
