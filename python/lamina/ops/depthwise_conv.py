"""depthwise_conv1d, depthwise_conv2d: every channel is convolved by itself, with M kernels of its own."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.convolution import DEPTHWISE, convolve


def depthwise_conv1d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    activation: str | None = None,
) -> Tensor:
    """One-dimensional depthwise convolution: y[..., c * M + m] is x[..., c] convolved with kernel[..., c, m].

    Args:
        x: tensor of shape (N, T, C), float32 or float64.
        kernel: tensor of shape (KT, C, M) and the dtype of x; M is the depth multiplier.
        bias: tensor of shape (C * M,), or None.
        strides: an integer.
        padding: "valid", "same", "causal", an integer or (left, right); see conv1d.
        dilation_rate: an integer: the distance of the kernel's taps.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OT, C * M).

    Raises:
        ValueError: if ranks, channels, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> x, kernel = lm.tensor([[[1.0, 2.0], [3.0, 4.0]]]), lm.tensor([[[1.0], [1.0]], [[1.0], [-1.0]]])
        >>> lm.ops.depthwise_conv1d(x, kernel).numpy().tolist()
        [[[4.0, -2.0]]]
    """
    return convolve("depthwise_conv1d", 1, x, kernel, bias, strides, padding, dilation_rate, DEPTHWISE, activation)


def depthwise_conv2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    activation: str | None = None,
) -> Tensor:
    """Two-dimensional depthwise convolution: y[..., c * M + m] is x[..., c] convolved with kernel[..., c, m].

    Args:
        x: tensor of shape (N, H, W, C), float32 or float64.
        kernel: tensor of shape (KH, KW, C, M) and the dtype of x; M is the depth multiplier.
        bias: tensor of shape (C * M,), or None.
        strides: an integer or a pair (rows, columns).
        padding: "valid", "same", an integer or ((top, bottom), (left, right)); see conv2d.
        dilation_rate: an integer or a pair (rows, columns): the distance of the kernel's taps.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OH, OW, C * M).

    Raises:
        ValueError: if ranks, channels, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> import numpy as np
        >>> x, kernel = np.ones((1, 5, 5, 2), np.float32), np.ones((3, 3, 2, 4), np.float32)
        >>> lm.ops.depthwise_conv2d(x, kernel, strides=2).shape
        (1, 2, 2, 8)

    Reference:
        Howard et al. 2017, "MobileNets", arXiv:1704.04861.
    """
    return convolve("depthwise_conv2d", 2, x, kernel, bias, strides, padding, dilation_rate, DEPTHWISE, activation)
