"""locally_connected1d, locally_connected2d: convolution whose weights differ from place to place."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.activations import activation_number
from lamina.ops.checks import float_tensor, same_dtype
from lamina.ops.convolution import IMAGES
from lamina.ops.convolution_window import Shape, integers, output_size, window_of


class LocallyConnectedFunction(Function):
    """x (N, H, W, C), kernel (places, taps * C, K), bias (places, K): one product a place."""

    def forward(self, x: Any, kernel: Any, bias: Any, taps: Shape, window: Shape, activation: int) -> Any:
        windows = self._windows(x, taps, window)  # (N, OH, OW, KH, KW, C)
        count, height, width = windows.shape[:3]
        kernel = backend.contiguous(kernel)
        places, depth, filters = kernel.shape
        patches = backend.empty((places, count, depth), x.dtype, like=x)
        patches.reshape(height, width, count, *taps, x.shape[3])[...] = windows.transpose(1, 2, 0, 3, 4, 5)
        y = backend.empty((places, count, filters), x.dtype, like=x)
        kernels = backend.kernels(x)
        kernels.gemm_batched(patches, kernel, y, False, False)
        if bias is not None:
            y += bias.reshape(places, 1, filters)
        if activation:
            y = _activated(kernels, y, activation)
        if self.recording:
            self.saved = x.shape, patches, kernel, y, taps, window, activation
        return backend.contiguous(y.transpose(1, 0, 2)).reshape(count, height, width, filters)

    def backward(self, dy: Any) -> Any:
        shape, patches, kernel, y, taps, window, activation = self.saved
        places, count = patches.shape[:2]
        filters = kernel.shape[2]
        kernels = backend.kernels(dy)
        dz = backend.contiguous(dy.reshape(count, places, filters).transpose(1, 0, 2))
        if activation:
            given, dz = dz, backend.empty_like(dz)
            kernels.bias_backward(y, given, activation, dz, None)
        dx = dkernel = db = None
        if self.needs[0]:
            dpatches = backend.empty_like(patches)
            kernels.gemm_batched(dz, kernel, dpatches, False, True)
            dx = self._scattered(dpatches, shape, taps, window)
        if self.needs[1]:
            dkernel = backend.empty_like(kernel)
            kernels.gemm_batched(patches, dz, dkernel, True, False)
        if self.needs[2]:
            ones = backend.full((places, 1, count), 1.0, dz.dtype, like=dz)
            db = backend.empty((places, 1, filters), dz.dtype, like=dz)
            kernels.gemm_batched(ones, dz, db, False, False)
            db = db.reshape(places, filters)
        return dx, dkernel, db

    @staticmethod
    def _windows(x: Any, taps: Shape, window: Shape) -> Any:
        xp = backend.array_module(x)
        rows, columns, _, _, top, bottom, left, right = window
        if top or bottom or left or right:
            x = xp.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
        view = xp.lib.stride_tricks.sliding_window_view(x, taps, axis=(1, 2))
        return view[:, ::rows, ::columns].transpose(0, 1, 2, 4, 5, 3)

    @staticmethod
    def _scattered(patches: Any, shape: Shape, taps: Shape, window: Shape) -> Any:
        """Every patch added to where it came from, tap by tap in order."""
        rows, columns, _, _, top, bottom, left, right = window
        count, height, width, channels = shape
        whole = (count, height + top + bottom, width + left + right, channels)
        padded = backend.zeros(whole, patches.dtype, like=patches)
        down, across = output_size((height, width), taps, window)
        parts = patches.reshape(down, across, count, *taps, channels).transpose(2, 0, 1, 3, 4, 5)
        for i in range(taps[0]):
            for j in range(taps[1]):
                place = padded[:, i : i + down * rows : rows, j : j + across * columns : columns]
                place[:, :down, :across] += parts[:, :, :, i, j]
        return padded[:, top : top + height, left : left + width]


def _activated(kernels: Any, y: Any, activation: int) -> Any:
    if not y.size:
        return y
    result = backend.empty_like(y)
    getattr(kernels, ("", "relu_forward", "sigmoid_forward", "tanh_forward")[activation])(y, result)
    return result


def locally_connected2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    kernel_size: Any = 1,
    strides: Any = 1,
    padding: Any = "valid",
    activation: str | None = None,
) -> Tensor:
    """Two-dimensional convolution with weights of its own for every place of the output.

    y[n, i, j, k] = activation(bias[i, j, k] + sum over r, s, c of x[n, i * stride + r - top, j * stride + s - left,
    c] * kernel[i * OW + j, (r * KW + s) * C + c, k]).

    Args:
        x: tensor of shape (N, H, W, C), float32 or float64.
        kernel: tensor of shape (OH * OW, KH * KW * C, K) and the dtype of x, as Keras 2's layer keeps it.
        bias: tensor of shape (OH, OW, K), or None.
        kernel_size: KH and KW: an integer or a pair.
        strides: an integer or a pair (rows, columns).
        padding: "valid", "same", an integer or ((top, bottom), (left, right)); see conv2d.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OH, OW, K).

    Raises:
        ValueError: if ranks, channels, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> import numpy as np
        >>> kernel = np.arange(4, dtype=np.float32).reshape(4, 1, 1)
        >>> lm.ops.locally_connected2d(np.ones((1, 2, 2, 1), np.float32), kernel).numpy()[0, :, :, 0].tolist()
        [[0.0, 1.0], [2.0, 3.0]]
    """
    return _locally_connected("locally_connected2d", 2, x, kernel, bias, kernel_size, strides, padding, activation)


def locally_connected1d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    kernel_size: Any = 1,
    strides: Any = 1,
    padding: Any = "valid",
    activation: str | None = None,
) -> Tensor:
    """One-dimensional convolution with weights of its own for every step of the output.

    y[n, t, k] = activation(bias[t, k] + sum over r, c of x[n, t * stride + r - left, c] * kernel[t, r * C + c, k]).

    Args:
        x: tensor of shape (N, T, C), float32 or float64.
        kernel: tensor of shape (OT, KT * C, K) and the dtype of x, as Keras 2's layer keeps it.
        bias: tensor of shape (OT, K), or None.
        kernel_size: KT.
        strides: an integer.
        padding: "valid", "same", "causal", an integer or (left, right); see conv1d.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (N, OT, K).

    Raises:
        ValueError: if ranks, channels, strides, padding or sizes do not fit.
        TypeError: if the dtypes differ or are not float32 or float64, or where an integer is expected.

    Example:
        >>> import lamina as lm
        >>> x, kernel = lm.tensor([[[1.0], [2.0]]]), lm.tensor([[[1.0]], [[10.0]]])
        >>> lm.ops.locally_connected1d(x, kernel).numpy().tolist()
        [[[1.0], [20.0]]]
    """
    return _locally_connected("locally_connected1d", 1, x, kernel, bias, kernel_size, strides, padding, activation)


def _locally_connected(
    op: str,
    rank: int,
    x: Any,
    kernel: Any,
    bias: Any,
    kernel_size: Any,
    strides: Any,
    padding: Any,
    activation: str | None,
) -> Tensor:
    number = activation_number(activation, op)
    x, kernel = float_tensor(x, op), as_tensor(kernel)
    bias = None if bias is None else as_tensor(bias)
    same_dtype(op, x=x, kernel=kernel, bias=bias)
    if x.ndim != rank + 2 or 0 in x.shape[1:]:
        raise ValueError(f"{op}: x must have shape {IMAGES[rank]} with sizes of at least 1, got {x.shape}")
    taps = integers(kernel_size, rank, op, "kernel_size")
    window = window_of(op, x.shape[1:-1], taps, strides, padding)
    output = output_size(x.shape[1:-1], taps, window)
    expected = (math.prod(output), math.prod(taps) * x.shape[-1])
    if kernel.ndim != 3 or kernel.shape[:2] != expected or kernel.shape[2] < 1:
        raise ValueError(
            f"{op}: kernel must have shape (places, taps * C, K) = {(*expected, 'K')} for x of shape {x.shape}, "
            f"got {kernel.shape}"
        )
    filters = kernel.shape[2]
    if bias is not None and bias.shape != (*output, filters):
        raise ValueError(f"{op}: bias must have shape {(*output, filters)}, got {bias.shape}")
    flat = None if bias is None else bias.reshape(expected[0], filters)
    if rank == 1:
        stride, _, before, after = window
        window = (1, stride, 1, 1, 0, 0, before, after)
        x, taps = x.reshape(x.shape[0], 1, *x.shape[1:]), (1, *taps)
    y: Tensor = LocallyConnectedFunction.apply((x, kernel, flat), taps, window, number)
    return y.reshape(y.shape[0], *output, filters) if rank == 1 else y
