"""conv3d: three-dimensional convolution with bias and activation, one node on the tape."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.convolution import convolve


def conv3d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Three-dimensional convolution (cross-correlation, as everywhere in deep learning) with bias and activation.

    y[n, h, i, j, k] = activation(bias[k] + sum over q, r, s, c of x[n, h * stride + q * dilation - front, i * ...,
    j * ..., c] * kernel[q, r, s, c, k]), where the c of a group of channels meet the k of the same group of filters.

    Args:
        x: tensor of shape (N, D, H, W, C), float32 or float64.
        kernel: tensor of shape (KD, KH, KW, C / groups, K) and the dtype of x.
        bias: tensor of shape (K,), or None.
        strides: an integer or three (slices, rows, columns).
        padding: "valid" (none), "same" (output size ceil(input / stride), the odd pixel after, as Keras does), an
            integer, or ((front, back), (top, bottom), (left, right)). Padding is zeros.
        dilation_rate: an integer or three (slices, rows, columns): the distance of the kernel's taps.
        groups: into how many groups channels and filters fall; groups = C is a depthwise convolution.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OD, OH, OW, K).

    Raises:
        ValueError: if ranks, channels, groups, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> import numpy as np
        >>> x, kernel = np.ones((1, 3, 3, 3, 1), np.float32), np.ones((2, 2, 2, 1, 1), np.float32)
        >>> lm.ops.conv3d(x, kernel).numpy()[0, 0, :, :, 0].tolist()
        [[8.0, 8.0], [8.0, 8.0]]

    Reference:
        Tran et al. 2015, "Learning Spatiotemporal Features with 3D Convolutional Networks", arXiv:1412.0767.
    """
    return convolve("conv3d", 3, x, kernel, bias, strides, padding, dilation_rate, groups, activation)
