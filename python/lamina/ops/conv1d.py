"""conv1d: one-dimensional convolution with bias and activation, one node on the tape."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.convolution import convolve


def conv1d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """One-dimensional convolution (cross-correlation, as everywhere in deep learning) with bias and activation.

    y[n, t, k] = activation(bias[k] + sum over r, c of x[n, t * stride + r * dilation - left, c] * kernel[r, c, k]),
    where the c of a group of channels meet the k of the same group of filters.

    Args:
        x: tensor of shape (N, T, C), float32 or float64.
        kernel: tensor of shape (KT, C / groups, K) and the dtype of x.
        bias: tensor of shape (K,), or None.
        strides: an integer.
        padding: "valid" (none), "same" (output size ceil(T / stride), the odd step after, as Keras does), "causal"
            (all of it before: y[t] sees nothing after x[t]), an integer, or (left, right). Padding is zeros.
        dilation_rate: an integer: the distance of the kernel's taps.
        groups: into how many groups channels and filters fall; groups = C is a depthwise convolution.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OT, K).

    Raises:
        ValueError: if ranks, channels, groups, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> x, kernel = lm.tensor([[[1.0], [2.0], [3.0]]]), lm.tensor([[[1.0]], [[10.0]]])
        >>> lm.ops.conv1d(x, kernel, padding="causal").numpy()[0, :, 0].tolist()
        [10.0, 21.0, 32.0]

    Reference:
        van den Oord et al. 2016, "WaveNet: A Generative Model for Raw Audio", arXiv:1609.03499 (causal, dilated).
    """
    return convolve("conv1d", 1, x, kernel, bias, strides, padding, dilation_rate, groups, activation)
