"""dense: activation(x . kernel + bias), one node on the tape."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd import operators
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.activations import activation_number, before_activation
from lamina.ops.checks import float_tensor, integer, same_dtype
from lamina.ops.matmul import matmul
from lamina.ops.shapes import reshape


class DenseFunction(Function):
    def forward(self, x: Any, kernel: Any, bias: Any, activation: int, axes: int) -> Any:
        x, kernel = backend.contiguous(x), backend.contiguous(kernel)
        if bias is not None:
            bias = backend.contiguous(bias).reshape(-1)
        y = backend.empty((*x.shape[: x.ndim - axes], *kernel.shape[axes:]), x.dtype, like=x)
        x, kernel = _matrix(x, x.ndim - axes), _matrix(kernel, axes)
        z = y.reshape(x.shape[0], kernel.shape[1])
        backend.kernels(x).gemm(x, kernel, z, False, False, bias, activation)
        if self.recording:
            self.saved = x, kernel, z if activation else None, activation
        return y

    def backward(self, dy: Any) -> Any:
        x, kernel, y, activation = self.saved
        kernels = backend.kernels(x)
        dy = backend.contiguous(dy).reshape(x.shape[0], kernel.shape[1])
        needs_x, needs_kernel, needs_bias = self.needs
        dz = backend.empty_like(dy) if activation else dy
        db = backend.empty(kernel.shape[1], kernel.dtype, like=x) if needs_bias else None
        if activation or needs_bias:
            kernels.bias_backward(y, dy, activation, dz if activation else None, db)
        dx = dkernel = None
        if needs_kernel:
            dkernel = backend.empty_like(kernel)
            kernels.gemm(x, dz, dkernel, True, False)
        if needs_x:
            dx = backend.empty_like(x)
            kernels.gemm(dz, kernel, dx, False, True)
        return self._shaped(dx, dkernel, db)

    def graph_backward(self, dy: Any) -> Any:
        x, kernel, _ = self.inputs
        of_x, of_kernel, y, activation = self.saved
        y = None if y is None else self.output(y.reshape(dy.shape))
        dz = reshape(before_activation(dy, y, activation), (of_x.shape[0], of_kernel.shape[1]))
        dx = dkernel = db = None
        if self.needs[0]:
            dx = matmul(dz, reshape(kernel, of_kernel.shape), transpose_b=True)
        if self.needs[1]:
            dkernel = matmul(reshape(x, of_x.shape), dz, transpose_a=True)
        if self.needs[2]:
            db = operators.sum(dz, (0,), False)
        return self._shaped(dx, dkernel, db)

    def _shaped(self, *gradients: Any) -> Any:
        """Gradients in the shapes of the inputs."""
        return tuple([
            grad if grad is None or tensor is None or grad.shape == tensor.shape else grad.reshape(tensor.shape)
            for grad, tensor in zip(gradients, self.inputs, strict=True)
        ])  # fmt: skip


def _matrix(array: Any, axes: int) -> Any:
    """An array with its first `axes` axes in one, and the others in one."""
    if array.ndim == 2 and axes == 1:
        return array
    return array.reshape(math.prod(array.shape[:axes]), math.prod(array.shape[axes:]))


def dense(x: Any, kernel: Any, bias: Any = None, activation: str | None = None, axes: int = 1) -> Tensor:
    """A fully connected layer, y = activation(x . kernel + bias), in one kernel.

    Args:
        x: tensor of shape (..., C), float32 or float64.
        kernel: tensor of shape (C, units) and the dtype of x.
        bias: tensor of shape (units,), or None.
        activation: None, "linear", "relu", "sigmoid" or "tanh".
        axes: how many axes C stands for: the last ones of x, the first ones of the kernel. Units then are all other
            axes of the kernel, and those of the bias: (B, T, C) with a kernel (C, heads, size) gives
            (B, T, heads, size), and that with axes=2 and a kernel (heads, size, C) a (B, T, C).

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
    if not 0 < integer(axes, "dense", "axes") < max(2, len(kernel_shape)):
        raise ValueError(f"dense: axes must be from 1 to {len(kernel_shape) - 1}, got {axes}")
    if len(kernel_shape) < 2 or len(x_shape) < axes or x_shape[len(x_shape) - axes :] != kernel_shape[:axes]:
        raise ValueError(f"dense: x (..., C) and kernel (C, units) do not fit: got {x_shape} and {kernel_shape}")
    if bias is not None and bias.array.shape != kernel_shape[axes:]:
        raise ValueError(f"dense: bias must have shape {kernel_shape[axes:]}, got {bias.shape}")
    return DenseFunction.apply((x, kernel, bias), number, axes)
