"""conv2d_sum: a convolution of single pixels that adds a residual as it writes: for inference."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd import operators
from lamina.autograd.tape import state
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.activations import activation_number
from lamina.ops.conv2d import conv2d
from lamina.ops.convolution import Geometry, prepared
from lamina.ops.relu import relu


def conv2d_sum(
    x: Any,
    kernel: Any,
    bias: Any,
    strides: Any,
    padding: Any,
    dilation_rate: Any,
    groups: Any,
    residual: Any,
    activation: str | None,
) -> Tensor:
    """activation(conv2d(x) + residual), with the bits of the ops one by one: one kernel where no gradient is wanted.

    Args:
        x, kernel, bias, strides, padding, dilation_rate, groups: see `conv2d`.
        residual: tensor of the output's shape, or one that broadcasts with it.
        activation: None or "relu".

    Returns:
        Tensor (N, OH, OW, K).

    Raises:
        ValueError, TypeError: as the ops do.

    Example:
        >>> import numpy as np
        >>> x, kernel, residual = (np.full((1, 1, 1, 1), v, np.float32) for v in (2, 3, -7))
        >>> conv2d_sum(x, kernel, None, 1, "valid", 1, 1, residual, "relu").numpy().item()
        0.0
    """
    inputs, g, shape = prepared("conv2d", 2, x, kernel, bias, strides, padding, dilation_rate, groups, None)
    residual = as_tensor(residual, like=inputs[0])
    tensors = [t for t in (*inputs, residual) if t is not None]
    array = inputs[0].array
    if (
        _of_single_pixels(g)
        and residual.shape == shape
        and residual.dtype == array.dtype
        and all(type(t.array) is type(array) for t in tensors)
        and not (state.recording and any(t.requires_grad for t in tensors))
    ):
        y = backend.empty(shape, array.dtype, like=array)
        pixels, channels, filters = math.prod(shape[:3]), array.shape[3], shape[3]
        backend.kernels(array).gemm(
            backend.contiguous(array).reshape(pixels, channels),
            backend.contiguous(inputs[1].array).reshape(channels, filters),
            y.reshape(pixels, filters),
            False,
            False,
            None if inputs[2] is None else backend.contiguous(inputs[2].array),
            activation_number(activation, "conv2d"),
            backend.contiguous(residual.array),
        )
        return Tensor(y)
    total = operators.add(conv2d(*inputs, strides, padding, dilation_rate, groups), residual)
    return relu(total) if activation == "relu" else total


def _of_single_pixels(g: Geometry) -> bool:
    """Whether every output comes from one pixel, each from its own: then it is a product of matrices."""
    return g.groups == 1 and g.kernel[:2] == (1, 1) and g.window[:2] == (1, 1) and not any(g.window[4:])
