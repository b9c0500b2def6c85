"""conv2d_pool: a convolution and the max pool behind it, one node on the tape; what lies between is not kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor
from lamina.autograd.unpooled import Unpooled
from lamina.ops.convolution import ConvolutionFunction, Geometry, convolve, prepared
from lamina.ops.max_pool import max_pool2d
from lamina.ops.pool import Pool, pool_of

MOST_BETWEEN = 1 << 17  # values of an image that the convolution may give: a thread has it in its cache
MOST_WEIGHTS = 1 << 16  # more take longer to prepare, again for each group of images, than is won


class ConvolutionPoolFunction(ConvolutionFunction):
    takes_unpooled = False

    def forward(self, x: Any, kernel: Any, bias: Any, g: Geometry, pool: Pool) -> Any:  # type: ignore[override]
        shapes = x.shape, kernel.shape
        x, kernel = backend.contiguous(x), backend.contiguous(kernel)
        bias = None if bias is None else backend.contiguous(bias)
        y = backend.empty(pool.output, x.dtype, like=x)
        offsets = backend.empty(pool.output, pool.offset_dtype, like=x) if self.recording else None
        backend.kernels(x).conv2d_pool_forward(x, kernel, bias, y, offsets, g.window, g.activation, g.mode, pool.window)
        if self.recording:
            self.saved = (x, kernel, None, g, shapes), y, offsets, pool
        return y

    def backward(self, dy: Any) -> Any:
        saved, y, offsets, pool = self.saved
        return self.gradients(Unpooled(dy, y, offsets, pool.window, pool.shape, saved[3].y), *saved)


def conv2d_pool(
    x: Any,
    kernel: Any,
    bias: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    groups: Any,
    activation: str | None,
    pool_size: Any,
    pool_strides: Any,
    pool_padding: Any,
) -> Tensor:
    """`max_pool2d` of `conv2d`, with their arguments and their bits: one op where that is the faster.

    Args:
        x, kernel, bias, strides, padding, dilation_rate, groups, activation: see `conv2d`.
        pool_size, pool_strides, pool_padding: see `max_pool2d`.

    Returns:
        Tensor (N, PH, PW, K).

    Raises:
        ValueError, TypeError: as the two ops do.

    Example:
        >>> import numpy as np
        >>> x, kernel = np.ones((1, 6, 6, 1), np.float32), np.ones((3, 3, 1, 2), np.float32)
        >>> conv2d_pool(x, kernel, None, 1, "valid", 1, 1, "relu", 2, None, "valid").shape
        (1, 2, 2, 2)
    """
    inputs, g, shape = prepared("conv2d", 2, x, kernel, bias, strides, padding, dilation_rate, groups, activation)
    pool = pool_of(shape, 2, pool_size, pool_strides, pool_padding, "max_pool2d")
    image = shape[1] * shape[2] * shape[3]
    if (
        g.groups == 1
        and image <= MOST_BETWEEN
        and inputs[1].size <= MOST_WEIGHTS
        and pool.offset_dtype == np.uint8
        and backend.on_host(inputs[0].array)
    ):
        return ConvolutionPoolFunction.apply(inputs, g, pool)
    y = convolve("conv2d", 2, *inputs, strides, padding, dilation_rate, groups, activation)
    return max_pool2d(y, pool_size, pool_strides, pool_padding)
