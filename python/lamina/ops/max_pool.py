"""max_pool1d, max_pool2d, max_pool3d: the largest value of each window."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.autograd.unpooled import Unpooled
from lamina.ops.checks import float_tensor
from lamina.ops.pool import Pool, pool


class MaxPoolFunction(Function):
    def forward(self, x: Any, geometry: Pool, offsets: Any) -> Any:
        x = backend.contiguous(x)
        y = backend.empty(geometry.output, x.dtype, like=x)
        if offsets is None and self.recording:
            offsets = backend.empty(geometry.output, geometry.offset_dtype, like=x)
        backend.kernels(x).max_pool_forward(x.reshape(geometry.shape), y, offsets, geometry.window)
        self.saved = offsets, x.shape, geometry, y
        return y

    def backward(self, dy: Any) -> Any:
        offsets, shape, geometry, y = self.saved
        return Unpooled(dy, y, offsets, geometry.window, geometry.shape, shape)


def winners(offsets: Any, geometry: Pool) -> Any:
    """From each winner's place in its window to its place in the image, (d H + h) W + w, as int64."""
    starts = [backend.moved(s, offsets) for s in geometry.starts()]
    places = offsets.reshape([-1, *(len(s) for s in starts), geometry.shape[-1]]).astype(np.int64)
    _, kernel_h, kernel_w = geometry.kernel
    _, _, height, width, _ = geometry.shape
    d = places // (kernel_h * kernel_w) + starts[0][:, None, None, None]
    h = places // kernel_w % kernel_h + starts[1][:, None, None]
    w = places % kernel_w + starts[2][:, None]
    return ((d * height + h) * width + w).reshape(offsets.shape)


def apply_max_pool(x: Tensor, geometry: Pool, return_indices: bool) -> Any:
    """y, or y and the winners' places in the image."""
    if not return_indices:
        return MaxPoolFunction.apply((x,), geometry, None)
    offsets = backend.empty(geometry.output, geometry.offset_dtype, like=x.array)
    y = MaxPoolFunction.apply((x,), geometry, offsets)
    return y, Tensor(winners(offsets, geometry))


def _max_pool(x: Any, count: int, pool_size: Any, strides: Any, padding: Any, return_indices: bool, op: str) -> Any:
    x = float_tensor(x, op)
    return apply_max_pool(x, pool(x, count, pool_size, strides, padding, op), return_indices)


def max_pool1d(
    x: Any, pool_size: Any = 2, strides: Any = None, padding: Any = "valid", return_indices: bool = False
) -> Any:
    """Max pooling of sequences: y[n, i, c] = max over the window of x[n, i * stride + k, c].

    Everything else is as in `max_pool2d`.

    Args:
        x: sequences (N, L, C), float32 or float64.
        pool_size: length of the window.
        strides: step between windows; the pool size if None.
        padding: "valid", "same", an integer, or a tuple of one of them or of one pair (before, after).
        return_indices: whether to return the winners' places along L too.

    Returns:
        Tensor (N, OL, C) of x's dtype; with return_indices also int64 indices of that shape.

    Raises:
        TypeError: if x holds no numbers, or pool_size, strides or padding are no integers.
        ValueError: for a wrong shape, sizes below 1, unknown padding, or a window larger than the input.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[1.0], [5.0], [2.0], [0.0]]])  # (1, 4, 1)
        >>> lm.ops.max_pool1d(x).numpy().ravel().tolist()
        [5.0, 2.0]
    """
    return _max_pool(x, 1, pool_size, strides, padding, return_indices, "max_pool1d")


def max_pool2d(
    x: Any, pool_size: Any = 2, strides: Any = None, padding: Any = "valid", return_indices: bool = False
) -> Any:
    """Max pooling: y[n, i, j, c] = max over the window of x[n, i * stride + kh, j * stride + kw, c].

    Padding never wins. Of equal values the first in the window (by rows) gets the gradient. NaN wins over every number.

    Args:
        x: images (N, H, W, C), float32 or float64.
        pool_size: height and width of the window, or one number for both.
        strides: steps between windows, one number or two; the pool size if None.
        padding: "valid" (windows inside x only), "same" (ceil(H / stride) x ceil(W / stride) windows), or explicit: an
            integer, or for each of the two axes an integer or a pair (before, after); at most half the window.
        return_indices: whether to return the winners' places too: h * W + w in the image, as PyTorch counts.

    Returns:
        Tensor (N, OH, OW, C) of x's dtype; with return_indices also int64 indices of that shape, for `max_unpool2d`.

    Raises:
        TypeError: if x holds no numbers, or pool_size, strides or padding are no integers.
        ValueError: for a wrong shape, sizes below 1, unknown padding, padding of more than half the window, or a
            window larger than the padded input.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[[1.0], [5.0], [2.0], [0.0]], [[3.0], [4.0], [8.0], [7.0]]]])  # (1, 2, 4, 1)
        >>> y, indices = lm.ops.max_pool2d(x, return_indices=True)
        >>> y.numpy().ravel().tolist(), indices.numpy().ravel().tolist()
        ([5.0, 8.0], [1, 6])

    Reference:
        Riesenhuber & Poggio 1999, "Hierarchical models of object recognition in cortex".
    """
    return _max_pool(x, 2, pool_size, strides, padding, return_indices, "max_pool2d")


def max_pool3d(
    x: Any, pool_size: Any = 2, strides: Any = None, padding: Any = "valid", return_indices: bool = False
) -> Any:
    """Max pooling of volumes: y[n, i, j, l, c] = max over the window of x at depth, height and width.

    Everything else is as in `max_pool2d`.

    Args:
        x: volumes (N, D, H, W, C), float32 or float64.
        pool_size: depth, height and width of the window, or one number for all.
        strides: steps between windows, one number or three; the pool size if None.
        padding: "valid", "same", an integer, or for each of the three axes an integer or a pair (before, after).
        return_indices: whether to return the winners' places, (d * H + h) * W + w, too.

    Returns:
        Tensor (N, OD, OH, OW, C) of x's dtype; with return_indices also int64 indices of that shape.

    Raises:
        TypeError: if x holds no numbers, or pool_size, strides or padding are no integers.
        ValueError: for a wrong shape, sizes below 1, unknown padding, or a window larger than the input.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.ops.max_pool3d(np.arange(8, dtype="float32").reshape(1, 2, 2, 2, 1)).item()
        7.0
    """
    return _max_pool(x, 3, pool_size, strides, padding, return_indices, "max_pool3d")
