"""conv2d: two-dimensional convolution with bias and activation, one node on the tape."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.convolution import convolution as convolution
from lamina.ops.convolution import convolve
from lamina.ops.convolution import set_convolution as set_convolution


def conv2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Two-dimensional convolution (cross-correlation, as everywhere in deep learning) with bias and activation.

    y[n, i, j, k] = activation(bias[k] + sum over r, s, c of x[n, i * stride + r * dilation - top, j * ..., c] *
    kernel[r, s, c, k]), where the c of a group of channels meet the k of the same group of filters.

    Args:
        x: tensor of shape (N, H, W, C), float32 or float64.
        kernel: tensor of shape (KH, KW, C / groups, K) and the dtype of x.
        bias: tensor of shape (K,), or None.
        strides: an integer or a pair (rows, columns).
        padding: "valid" (none), "same" (output size ceil(input / stride), the odd pixel after, as Keras does), an
            integer, or ((top, bottom), (left, right)). Padding is zeros.
        dilation_rate: an integer or a pair (rows, columns): the distance of the kernel's taps.
        groups: into how many groups channels and filters fall; groups = C is a depthwise convolution.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OH, OW, K).

    Raises:
        ValueError: if ranks, channels, groups, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> import numpy as np
        >>> x, kernel = np.ones((1, 4, 4, 1), np.float32), np.ones((3, 3, 1, 1), np.float32)
        >>> lm.ops.conv2d(x, kernel, padding="same").numpy()[0, :, :, 0].tolist()
        [[4.0, 6.0, 6.0, 4.0], [6.0, 9.0, 9.0, 6.0], [6.0, 9.0, 9.0, 6.0], [4.0, 6.0, 6.0, 4.0]]

    Reference:
        LeCun et al. 1989, "Backpropagation Applied to Handwritten Zip Code Recognition". Algorithms: `set_convolution`.
    """
    return convolve("conv2d", 2, x, kernel, bias, strides, padding, dilation_rate, groups, activation)
