"""max_unpool1d, max_unpool2d, max_unpool3d: values back to the places that max pooling took them from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import beside, float_tensor
from lamina.ops.gather import put_along
from lamina.ops.pool import Ints, check_images, padding_sides, several


def check_indices(indices: Any, places: int, op: str) -> None:
    """Raises ValueError unless all indices lie in [0, places); the message says which one does not, and where."""
    if not indices.size or (indices.min() >= 0 and indices.max() < places):
        return
    indices = backend.to_host(indices)
    where = tuple(int(i) for i in np.argwhere((indices < 0) | (indices >= places))[0])
    raise ValueError(f"{op}: indices must be in [0, {places}), got {indices[where]} at {where}")


class MaxUnpoolFunction(Function):
    """Keeps a copy of the indices, and looks at it again before it is followed back."""

    def forward(self, x: Any, indices: Any, output: Ints, op: str) -> Any:
        samples, channels, places = x.shape[0], x.shape[-1], math.prod(output)
        flat = backend.from_pool(indices.astype(np.int64, copy=False)).reshape(
            samples, math.prod(x.shape[1:-1]), channels
        )
        check_indices(flat, places, op)
        y = backend.zeros((samples, places, channels), x.dtype, like=x)
        stayed = put_along(y, flat, x.reshape(flat.shape), 1, self.recording)
        if self.recording:
            self.saved = flat, stayed, x.shape, op
        return y.reshape(samples, *output, channels)

    def backward(self, dy: Any) -> Any:
        flat, stayed, shape, op = self.saved
        dy = dy.reshape(shape[0], math.prod(dy.shape[1:-1]), shape[-1])
        check_indices(flat, dy.shape[1], op)
        xp = backend.array_module(dy)
        return xp.where(stayed, xp.take_along_axis(dy, flat, axis=1), dy.dtype.type(0)).reshape(shape)


def _max_unpool(
    x: Any, indices: Any, count: int, pool_size: Any, strides: Any, padding: Any, output_size: Any, op: str
) -> Tensor:
    x = float_tensor(x, op)
    check_images(x.shape, count, op)
    found = beside(indices, x, op, "indices").array
    if found.dtype.kind not in "iu":
        raise TypeError(f"{op}: indices must be integers, got {found.dtype}")
    if found.shape != x.shape:
        raise ValueError(f"{op}: indices must have the shape of x, {x.shape}, got {found.shape}")
    kernel = several(pool_size, count, op, "pool_size")
    stride = kernel if strides is None else several(strides, count, op, "strides")
    sides = padding_sides(padding, count, op)
    if output_size is not None:
        output = several(output_size, count, op, "output_size")
    elif sides == "same":
        raise ValueError(f'{op}: with padding "same" the input may have had several sizes: give output_size')
    else:
        pads = [0] * count if sides == "valid" else [sum(side) for side in sides]
        sizes = zip(x.shape[1:-1], kernel, stride, pads, strict=True)
        output = several([(n - 1) * s + k - p for n, k, s, p in sizes], count, op, "the size of the output")
    if math.prod(output) * x.shape[0] * x.shape[-1] >= 2**59:
        raise ValueError(f"{op}: an output of {output} is too large")
    return MaxUnpoolFunction.apply((x,), found, output, op)


def max_unpool1d(
    x: Any, indices: Any, pool_size: Any = 2, strides: Any = None, padding: Any = "valid", output_size: Any = None
) -> Tensor:
    """Puts values back to the places that `max_pool1d` took them from, and 0 elsewhere; see `max_unpool2d`.

    Args:
        x: sequences (N, OL, C), float32 or float64.
        indices: integers of x's shape: the values' places along L.
        pool_size, strides, padding: those of the pooling; they tell the output's size.
        output_size: the length of the output; None for (OL - 1) * stride + pool_size - padding.

    Returns:
        Tensor (N, L, C) of x's dtype.

    Raises:
        TypeError: if the indices are no integers.
        ValueError: if an index is outside the output, or shapes do not fit.

    Example:
        >>> import lamina as lm
        >>> y, indices = lm.ops.max_pool1d(lm.tensor([[[1.0], [5.0], [2.0], [0.0]]]), return_indices=True)
        >>> lm.ops.max_unpool1d(y, indices).numpy().ravel().tolist()
        [0.0, 5.0, 2.0, 0.0]
    """
    return _max_unpool(x, indices, 1, pool_size, strides, padding, output_size, "max_unpool1d")


def max_unpool2d(
    x: Any, indices: Any, pool_size: Any = 2, strides: Any = None, padding: Any = "valid", output_size: Any = None
) -> Tensor:
    """Puts values back to the places that `max_pool2d` took them from, and 0 elsewhere.

    Every index is checked before it is followed, forward and backward. Of several values for one place (windows that
    overlapped) the last one, by rows, stays, and it alone gets the gradient.

    Args:
        x: images (N, OH, OW, C), float32 or float64.
        indices: integers of x's shape, h * W + w in the output, as `max_pool2d(..., return_indices=True)` gives them.
        pool_size, strides, padding: those of the pooling; they tell the output's size.
        output_size: the output's height and width (or one number for both), where they are not the smallest that fit:
            None for (OH - 1) * stride + pool_size - padding.

    Returns:
        Tensor (N, H, W, C) of x's dtype.

    Raises:
        TypeError: if the indices are no integers.
        ValueError: if an index is outside the output, or shapes do not fit.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[[1.0], [5.0]], [[3.0], [4.0]]]])
        >>> y, indices = lm.ops.max_pool2d(x, return_indices=True)
        >>> lm.ops.max_unpool2d(y, indices).numpy()[0, :, :, 0].tolist()
        [[0.0, 5.0], [0.0, 0.0]]

    Reference:
        Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", arXiv:1311.2901.
    """
    return _max_unpool(x, indices, 2, pool_size, strides, padding, output_size, "max_unpool2d")


def max_unpool3d(
    x: Any, indices: Any, pool_size: Any = 2, strides: Any = None, padding: Any = "valid", output_size: Any = None
) -> Tensor:
    """Puts values back to the places that `max_pool3d` took them from, and 0 elsewhere; see `max_unpool2d`.

    Args:
        x: volumes (N, OD, OH, OW, C), float32 or float64.
        indices: integers of x's shape, (d * H + h) * W + w in the output.
        pool_size, strides, padding: those of the pooling; they tell the output's size.
        output_size: depth, height and width of the output, or one number for all; None for the smallest that fit.

    Returns:
        Tensor (N, D, H, W, C) of x's dtype.

    Raises:
        TypeError: if the indices are no integers.
        ValueError: if an index is outside the output, or shapes do not fit.

    Example:
        >>> import lamina as lm, numpy as np
        >>> y, indices = lm.ops.max_pool3d(np.arange(8, dtype="float32").reshape(1, 2, 2, 2, 1), return_indices=True)
        >>> lm.ops.max_unpool3d(y, indices).numpy().ravel().tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7.0]
    """
    return _max_unpool(x, indices, 3, pool_size, strides, padding, output_size, "max_unpool3d")
