"""separable_conv1d, separable_conv2d: a depthwise convolution, then a product over the channels."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.conv1d import conv1d
from lamina.ops.conv2d import conv2d
from lamina.ops.depthwise_conv import depthwise_conv1d, depthwise_conv2d


def separable_conv1d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    activation: str | None = None,
) -> Tensor:
    """One-dimensional separable convolution: activation(bias + pointwise(depthwise(x))).

    Args:
        x: tensor of shape (N, T, C), float32 or float64.
        depthwise_kernel: tensor of shape (KT, C, M) and the dtype of x; M is the depth multiplier.
        pointwise_kernel: tensor of shape (1, C * M, K) and the dtype of x.
        bias: tensor of shape (K,), or None.
        strides: an integer; of the depthwise convolution.
        padding: "valid", "same", "causal", an integer or (left, right); see conv1d.
        dilation_rate: an integer: the distance of the depthwise kernel's taps.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OT, K).

    Raises:
        ValueError: if ranks, channels, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> import numpy as np
        >>> depthwise, pointwise = np.ones((3, 2, 1), np.float32), np.ones((1, 2, 4), np.float32)
        >>> lm.ops.separable_conv1d(np.ones((1, 5, 2), np.float32), depthwise, pointwise).numpy()[0, :, 0].tolist()
        [6.0, 6.0, 6.0]
    """
    op = "separable_conv1d"
    pointwise_kernel = as_tensor(pointwise_kernel)
    _check_pointwise(op, 1, as_tensor(depthwise_kernel), pointwise_kernel)
    y = depthwise_conv1d(x, depthwise_kernel, None, strides, padding, dilation_rate)
    return conv1d(y, pointwise_kernel, bias, activation=activation)


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    activation: str | None = None,
) -> Tensor:
    """Two-dimensional separable convolution: activation(bias + pointwise(depthwise(x))).

    Args:
        x: tensor of shape (N, H, W, C), float32 or float64.
        depthwise_kernel: tensor of shape (KH, KW, C, M) and the dtype of x; M is the depth multiplier.
        pointwise_kernel: tensor of shape (1, 1, C * M, K) and the dtype of x.
        bias: tensor of shape (K,), or None.
        strides: an integer or a pair (rows, columns); of the depthwise convolution.
        padding: "valid", "same", an integer or ((top, bottom), (left, right)); see conv2d.
        dilation_rate: an integer or a pair (rows, columns): the distance of the depthwise kernel's taps.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OH, OW, K).

    Raises:
        ValueError: if ranks, channels, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> import numpy as np
        >>> depthwise, pointwise = np.ones((3, 3, 2, 1), np.float32), np.ones((1, 1, 2, 4), np.float32)
        >>> lm.ops.separable_conv2d(np.ones((1, 5, 5, 2), np.float32), depthwise, pointwise).shape
        (1, 3, 3, 4)

    Reference:
        Chollet 2017, "Xception: Deep Learning with Depthwise Separable Convolutions", arXiv:1610.02357.
    """
    op = "separable_conv2d"
    pointwise_kernel = as_tensor(pointwise_kernel)
    _check_pointwise(op, 2, as_tensor(depthwise_kernel), pointwise_kernel)
    y = depthwise_conv2d(x, depthwise_kernel, None, strides, padding, dilation_rate)
    return conv2d(y, pointwise_kernel, bias, activation=activation)


def _check_pointwise(op: str, rank: int, depthwise: Tensor, pointwise: Tensor) -> None:
    shape = pointwise.shape
    if len(shape) != rank + 2 or shape[:rank] != (1,) * rank:
        ones = "1, " * rank
        raise ValueError(f"{op}: pointwise_kernel must have shape ({ones}C * M, K), got {shape}")
    if depthwise.ndim == rank + 2 and shape[-2] != depthwise.shape[-2] * depthwise.shape[-1]:
        raise ValueError(
            f"{op}: pointwise_kernel takes {shape[-2]} channels (shape {shape}), depthwise_kernel of shape "
            f"{depthwise.shape} gives {depthwise.shape[-2] * depthwise.shape[-1]}"
        )
