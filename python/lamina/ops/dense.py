"""dense: activation(x . kernel + bias), one node on the tape."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd import operators
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.activations import activation_number, before_activation
from lamina.ops.checks import float_tensor, same_dtype
from lamina.ops.matmul import matmul
from lamina.ops.shapes import reshape


class DenseFunction(Function):
    def forward(self, x: Any, kernel: Any, bias: Any, activation: int) -> Any:
        x, kernel = backend.contiguous(x), backend.contiguous(kernel)
        if bias is not None:
            bias = backend.contiguous(bias)
        y = backend.empty((*x.shape[:-1], kernel.shape[1]), x.dtype, like=x)
        backend.kernels(x).gemm(_rows(x), kernel, _rows(y), False, False, bias, activation)
        if self.recording:
            self.saved = x, kernel, y if activation else None, activation
        return y

    def backward(self, dy: Any) -> Any:
        x, kernel, y, activation = self.saved
        kernels = backend.kernels(x)
        dy = backend.contiguous(dy)
        needs_x, needs_kernel, needs_bias = self.needs
        dz = backend.empty_like(dy) if activation else dy
        db = backend.empty(kernel.shape[1], kernel.dtype, like=x) if needs_bias else None
        if activation or needs_bias:
            kernels.bias_backward(y, dy, activation, dz if activation else None, db)
        dx = dkernel = None
        if needs_kernel:
            dkernel = backend.empty_like(kernel)
            kernels.gemm(_rows(x), _rows(dz), dkernel, True, False)
        if needs_x:
            dx = backend.empty_like(x)
            kernels.gemm(_rows(dz), kernel, _rows(dx), False, True)
        return dx, dkernel, db

    def graph_backward(self, dy: Any) -> Any:
        x, kernel, _ = self.inputs
        y, activation = self.saved[2:]
        dz = before_activation(dy, None if y is None else self.output(y), activation)
        dx = dkernel = db = None
        if self.needs[0]:
            dx = matmul(dz, kernel, transpose_b=True)
        if dz.ndim != 2:
            dz, x = reshape(dz, (-1, dz.shape[-1])), reshape(x, (-1, x.shape[-1]))  # type: ignore[union-attr]
        if self.needs[1]:
            dkernel = matmul(x, dz, transpose_a=True)
        if self.needs[2]:
            db = operators.sum(dz, (0,), False)
        return dx, dkernel, db


def _rows(array: Any) -> Any:
    """(..., n) as (rows, n)."""
    return array if array.ndim == 2 else array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def dense(x: Any, kernel: Any, bias: Any = None, activation: str | None = None) -> Tensor:
    """A fully connected layer, y = activation(x . kernel + bias), in one kernel.

    Args:
        x: tensor of shape (..., C), float32 or float64.
        kernel: tensor of shape (C, units) and the dtype of x.
        bias: tensor of shape (units,), or None.
        activation: None, "linear", "relu", "sigmoid" or "tanh".

    Returns:
        Tensor of shape (..., units).

    Raises:
        ValueError: if the shapes do not fit, or for an unknown activation.
        TypeError: if the dtypes differ or are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[1.0, 2.0]])
        >>> lm.ops.dense(x, lm.tensor([[1.0], [-1.0]]), lm.tensor([0.5]), "relu").numpy().tolist()
        [[0.0]]
    """
    number = activation_number(activation, "dense")
    x, kernel = float_tensor(x, "dense"), as_tensor(kernel)
    bias = None if bias is None else as_tensor(bias)
    same_dtype("dense", x=x, kernel=kernel, bias=bias)
    x_shape, kernel_shape = x.array.shape, kernel.array.shape
    if not x_shape or len(kernel_shape) != 2 or x_shape[-1] != kernel_shape[0]:
        raise ValueError(f"dense: x (..., C) and kernel (C, units) do not fit: got {x_shape} and {kernel_shape}")
    if bias is not None and bias.array.shape != kernel_shape[1:]:
        raise ValueError(f"dense: bias must have shape {kernel_shape[1:]}, got {bias.shape}")
    return DenseFunction.apply((x, kernel, bias), number)
