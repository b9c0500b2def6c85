"""conv1d_transpose, conv2d_transpose, conv3d_transpose: the gradient of a convolution to its input, as an op.

What a convolution of these strides and this kernel would make of the output has the input's shape.
"""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.activations import activation_number
from lamina.ops.convolution import (
    SIDES,
    ConvolutionTransposeFunction,
    check_bias,
    check_groups,
    explicit_padding,
    geometry_of,
    integers,
    operands,
)


def conv1d_transpose(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """One-dimensional transposed convolution with bias and activation.

    Every input pixel adds the kernel, times its value, to the output: tap r of input i to output i * stride +
    r * dilation - before, summed over the channels c with kernel[..., k, c].

    Args:
        x: tensor of shape (N, T, C), float32 or float64.
        kernel: tensor of shape (KT, K / groups, C) and the dtype of x: Keras's order, filters before channels.
        bias: tensor of shape (K,), or None.
        strides: an integer.
        padding: "valid": the output has (size - 1) * stride + max(reach, stride) pixels, where reach = (taps - 1) *
            dilation + 1; "same": size * stride; an integer or (left, right):
            (size - 1) * stride + reach less so many on each side, as PyTorch does.
        output_padding: an integer, below the strides: pixels added after. With it "valid"
            gives (size - 1) * stride + reach + output_padding, "same" (size - 1) * stride + reach % 2 +
            output_padding, as Keras does.
        dilation_rate: an integer: the distance of the kernel's taps.
        groups: into how many groups channels and filters fall.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OT, K).

    Raises:
        ValueError: if ranks, channels, groups, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> x, kernel = lm.tensor([[[1.0], [2.0]]]), lm.tensor([[[1.0]], [[10.0]], [[100.0]]])
        >>> lm.ops.conv1d_transpose(x, kernel, strides=2).numpy()[0, :, 0].tolist()
        [1.0, 10.0, 102.0, 20.0, 200.0]
    """
    return _transpose(
        "conv1d_transpose", 1, x, kernel, bias, strides, padding, output_padding, dilation_rate, groups, activation
    )


def conv2d_transpose(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Two-dimensional transposed convolution with bias and activation.

    Every input pixel adds the kernel, times its value, to the output: tap r of input i to output i * stride +
    r * dilation - before, summed over the channels c with kernel[..., k, c].

    Args:
        x: tensor of shape (N, H, W, C), float32 or float64.
        kernel: tensor of shape (KH, KW, K / groups, C) and the dtype of x: Keras's order, filters before channels.
        bias: tensor of shape (K,), or None.
        strides: an integer or a pair (rows, columns).
        padding: "valid": the output has (size - 1) * stride + max(reach, stride) pixels, where reach = (taps - 1) *
            dilation + 1; "same": size * stride; an integer or ((top, bottom), (left, right)):
            (size - 1) * stride + reach less so many on each side, as PyTorch does.
        output_padding: an integer or a pair (rows, columns), below the strides: pixels added after. With it "valid"
            gives (size - 1) * stride + reach + output_padding, "same" (size - 1) * stride + reach % 2 +
            output_padding, as Keras does.
        dilation_rate: an integer or a pair (rows, columns): the distance of the kernel's taps.
        groups: into how many groups channels and filters fall.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OH, OW, K).

    Raises:
        ValueError: if ranks, channels, groups, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> import numpy as np
        >>> x, kernel = np.ones((1, 2, 2, 1), np.float32), np.ones((3, 3, 1, 1), np.float32)
        >>> lm.ops.conv2d_transpose(x, kernel, strides=2, padding="same").numpy()[0, :, :, 0].tolist()
        [[1.0, 1.0, 2.0, 1.0], [1.0, 1.0, 2.0, 1.0], [2.0, 2.0, 4.0, 2.0], [1.0, 1.0, 2.0, 1.0]]

    Reference:
        Zeiler et al. 2010, "Deconvolutional Networks"; Long et al. 2015, arXiv:1411.4038.
    """
    return _transpose(
        "conv2d_transpose", 2, x, kernel, bias, strides, padding, output_padding, dilation_rate, groups, activation
    )


def conv3d_transpose(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Three-dimensional transposed convolution with bias and activation.

    Every input pixel adds the kernel, times its value, to the output: tap r of input i to output i * stride +
    r * dilation - before, summed over the channels c with kernel[..., k, c].

    Args:
        x: tensor of shape (N, D, H, W, C), float32 or float64.
        kernel: tensor of shape (KD, KH, KW, K / groups, C) and the dtype of x: Keras's order, filters before channels.
        bias: tensor of shape (K,), or None.
        strides: an integer or three (slices, rows, columns).
        padding: "valid": the output has (size - 1) * stride + max(reach, stride) pixels, where reach = (taps - 1) *
            dilation + 1; "same": size * stride; an integer or ((front, back), (top, bottom), (left, right)):
            (size - 1) * stride + reach less so many on each side, as PyTorch does.
        output_padding: an integer or three (slices, rows, columns), below the strides: pixels added after. With it
            "valid" gives (size - 1) * stride + reach + output_padding, "same" (size - 1) * stride + reach % 2 +
            output_padding, as Keras does.
        dilation_rate: an integer or three (slices, rows, columns): the distance of the kernel's taps.
        groups: into how many groups channels and filters fall.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OD, OH, OW, K).

    Raises:
        ValueError: if ranks, channels, groups, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> import numpy as np
        >>> x, kernel = np.ones((1, 2, 2, 2, 3), np.float32), np.ones((2, 2, 2, 4, 3), np.float32)
        >>> lm.ops.conv3d_transpose(x, kernel, strides=2).shape
        (1, 4, 4, 4, 4)
    """
    return _transpose(
        "conv3d_transpose", 3, x, kernel, bias, strides, padding, output_padding, dilation_rate, groups, activation
    )


def _transpose(
    op: str,
    rank: int,
    x: Any,
    kernel: Any,
    bias: Any,
    strides: Any,
    padding: Any,
    output_padding: Any,
    dilation_rate: Any,
    groups: Any,
    activation: str | None,
) -> Tensor:
    number = activation_number(activation, op)
    x, kernel, bias = operands(op, rank, x, kernel, bias, "(K / groups, C)")
    if kernel.shape[-1] != x.shape[-1]:
        raise ValueError(f"{op}: kernel takes {kernel.shape[-1]} channels (shape {kernel.shape}), x has {x.shape[-1]}")
    if isinstance(groups, bool) or not hasattr(groups, "__index__"):
        raise TypeError(f"{op}: groups must be an integer, got {groups!r}")
    filters = kernel.shape[-2] * int(groups)
    groups = check_groups(op, filters, kernel.shape, groups)
    check_bias(op, bias, filters)
    size, taps = x.shape[1:-1], kernel.shape[:-2]
    output, window = transposed_window(op, size, taps, strides, padding, output_padding, dilation_rate)
    shape = (x.shape[0], *output, filters)
    geometry = geometry_of(shape, kernel.shape, x.shape, window, groups, number)
    return ConvolutionTransposeFunction.apply((x, kernel, bias), geometry, shape)


def transposed_window(
    op: str, size: Any, kernel: Any, strides: Any, padding: Any, output_padding: Any, dilation_rate: Any
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The output's sizes, and the window (see window_of) of the convolution that leads from it back to the input.

    Raises:
        ValueError: if a number is out of range, or nothing is left of the output.
        TypeError: where an integer is expected.
    """
    rank = len(size)
    steps = integers(strides, rank, op, "strides")
    dilation = integers(dilation_rate, rank, op, "dilation_rate")
    extra = None if output_padding is None else integers(output_padding, rank, op, "output_padding", 0)
    if extra is not None and any(e >= s for e, s in zip(extra, steps, strict=True)):
        raise ValueError(f"{op}: output_padding must be below the strides, {steps}, got {output_padding!r}")
    word = padding.lower() if isinstance(padding, str) else None
    if isinstance(padding, str) and word not in ("valid", "same"):
        raise ValueError(f'{op}: padding must be "valid", "same", an integer or {SIDES[rank]}, got {padding!r}')
    explicit = None if word else explicit_padding(padding, rank, op)
    output, sides = [], []
    for i, (n, k, s, d) in enumerate(zip(size, kernel, steps, dilation, strict=True)):
        reach = (k - 1) * d + 1
        full = (n - 1) * s + reach
        if explicit is not None:
            before, after = explicit[i]
            length = full - before - after + (0 if extra is None else extra[i])
        elif word == "valid":
            before, length = 0, full + (max(s - reach, 0) if extra is None else extra[i])
        else:
            length = n * s if extra is None else (n - 1) * s + reach % 2 + extra[i]
            around = s + reach - 2 if extra is None else reach + reach % 2 - 2 + extra[i]
            before = reach - 1 - min(-(-around // 2), reach - 1)
        if max(s, d, reach, length, before) >= 2**31:
            raise ValueError(f"{op}: strides, dilation_rate, padding and the output must be below 2**31")
        output.append(length)
        sides += [before, max(full - before - length, 0)]
    if min(output) < 1:
        raise ValueError(f"{op}: nothing is left of the output: x has {size} pixels, the output {tuple(output)}")
    return tuple(output), (*steps, *dilation, *sides)
