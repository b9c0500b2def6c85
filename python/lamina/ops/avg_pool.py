"""avg_pool1d, avg_pool2d, avg_pool3d: the mean of each window."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.pool import Pool, pool


class AvgPoolFunction(Function):
    linear = True

    def forward(self, x: Any, geometry: Pool, count_padding: bool) -> Any:
        x = backend.contiguous(x)
        y = backend.empty(geometry.output, x.dtype, like=x)
        backend.kernels(x).avg_pool_forward(x.reshape(geometry.shape), y, count_padding, geometry.window)
        self.saved = x.shape, geometry, count_padding
        return y

    def backward(self, dy: Any) -> Any:
        shape, geometry, count_padding = self.saved
        dx = backend.empty(geometry.shape, dy.dtype, like=dy)
        backend.kernels(dx).avg_pool_backward(backend.contiguous(dy), dx, count_padding, geometry.window)
        return dx.reshape(shape)


def _avg_pool(x: Any, count: int, pool_size: Any, strides: Any, padding: Any, count_padding: bool, op: str) -> Tensor:
    x = float_tensor(x, op)
    return AvgPoolFunction.apply((x,), pool(x, count, pool_size, strides, padding, op), bool(count_padding))


def avg_pool1d(
    x: Any, pool_size: Any = 2, strides: Any = None, padding: Any = "valid", count_padding: bool = False
) -> Tensor:
    """Average pooling of sequences: y[n, i, c] = mean over the window of x[n, i * stride + k, c].

    Args:
        x: sequences (N, L, C), float32 or float64.
        pool_size: length of the window.
        strides: step between windows; the pool size if None.
        padding: "valid", "same", an integer, or a tuple of one of them or of one pair (before, after).
        count_padding: whether padding counts as zeros (PyTorch's default) or not at all (Keras).

    Returns:
        Tensor (N, OL, C) of x's dtype.

    Raises:
        TypeError: if x holds no numbers, or pool_size, strides or padding are no integers.
        ValueError: for a wrong shape, sizes below 1, unknown padding, or a window larger than the input.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[1.0], [5.0], [2.0], [0.0]]])  # (1, 4, 1)
        >>> lm.ops.avg_pool1d(x).numpy().ravel().tolist()
        [3.0, 1.0]
    """
    return _avg_pool(x, 1, pool_size, strides, padding, count_padding, "avg_pool1d")


def avg_pool2d(
    x: Any, pool_size: Any = 2, strides: Any = None, padding: Any = "valid", count_padding: bool = False
) -> Tensor:
    """Average pooling: y[n, i, j, c] = mean over the window of x[n, i * stride + kh, j * stride + kw, c].

    Args:
        x: images (N, H, W, C), float32 or float64.
        pool_size: height and width of the window, or one number for both.
        strides: steps between windows, one number or two; the pool size if None.
        padding: "valid" (windows inside x only), "same" (ceil(H / stride) x ceil(W / stride) windows), or explicit: an
            integer, or for each of the two axes an integer or a pair (before, after); at most half the window.
        count_padding: whether padding counts as zeros (PyTorch's default) or not at all (Keras).

    Returns:
        Tensor (N, OH, OW, C) of x's dtype.

    Raises:
        TypeError: if x holds no numbers, or pool_size, strides or padding are no integers.
        ValueError: for a wrong shape, sizes below 1, unknown padding, padding of more than half the window, or a
            window larger than the padded input.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[[1.0], [5.0], [2.0], [0.0]], [[3.0], [4.0], [8.0], [6.0]]]])  # (1, 2, 4, 1)
        >>> lm.ops.avg_pool2d(x).numpy().ravel().tolist()
        [3.25, 4.0]

    Reference:
        LeCun et al. 1998, "Gradient-based learning applied to document recognition".
    """
    return _avg_pool(x, 2, pool_size, strides, padding, count_padding, "avg_pool2d")


def avg_pool3d(
    x: Any, pool_size: Any = 2, strides: Any = None, padding: Any = "valid", count_padding: bool = False
) -> Tensor:
    """Average pooling of volumes: y[n, i, j, l, c] = mean over the window of x at depth, height and width.

    Args:
        x: volumes (N, D, H, W, C), float32 or float64.
        pool_size: depth, height and width of the window, or one number for all.
        strides: steps between windows, one number or three; the pool size if None.
        padding: "valid", "same", an integer, or for each of the three axes an integer or a pair (before, after).
        count_padding: whether padding counts as zeros (PyTorch's default) or not at all (Keras).

    Returns:
        Tensor (N, OD, OH, OW, C) of x's dtype.

    Raises:
        TypeError: if x holds no numbers, or pool_size, strides or padding are no integers.
        ValueError: for a wrong shape, sizes below 1, unknown padding, or a window larger than the input.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.ops.avg_pool3d(np.arange(8, dtype="float32").reshape(1, 2, 2, 2, 1)).item()
        3.5
    """
    return _avg_pool(x, 3, pool_size, strides, padding, count_padding, "avg_pool3d")
