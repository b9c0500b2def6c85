"""layer_norm, rms_norm and unit_norm: every row by statistics of its own."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import multiply
from lamina.ops.axes import chosen_axes, to_end
from lamina.ops.checks import float_tensor, real_number, same_dtype
from lamina.ops.normalized import gradients_through, normalized, scaled_and_shifted
from lamina.ops.power import power
from lamina.ops.reductions import mean as mean_of
from lamina.ops.shapes import reshape, transpose


class Kind(IntEnum):
    """RowNormKind of csrc/ops/row_norm.h."""

    layer = 0
    rms = 1
    unit = 2


class RowNormFunction(Function):
    """x as rows of n; gamma and beta are seen as n values whatever their shape."""

    __slots__ = ("settings",)
    settings: tuple[int, float]

    def forward(self, x: Any, gamma: Any, beta: Any, n: int, kind: Kind, epsilon: float) -> Any:
        self.settings = int(kind), epsilon
        x = backend.contiguous(x)
        gamma, beta = (None if a is None else backend.contiguous(a) for a in (gamma, beta))
        rows = x.reshape(-1, n)
        y = backend.empty_like(x)
        inverse = backend.empty(rows.shape[:1], backend.state_dtype(x.dtype), like=x)
        mean = backend.empty_like(inverse) if kind is Kind.layer else None
        backend.kernels(x).row_norm_forward(rows, gamma, beta, mean, inverse, y, *self.settings)
        self.saved = rows, gamma, mean, inverse, None if beta is None else beta.shape
        return y

    def backward(self, dy: Any) -> Any:
        rows, gamma, mean, inverse, beta_shape = self.saved
        wants_x, wants_gamma, wants_beta = self.needs
        dx = backend.empty(dy.shape, rows.dtype, like=rows) if wants_x else None
        dgamma = backend.empty_like(gamma) if wants_gamma else None
        dbeta = backend.empty(beta_shape, inverse.dtype, like=rows) if wants_beta else None
        backend.kernels(rows).row_norm_backward(
            rows, gamma, mean, inverse, backend.contiguous(dy), dx, dgamma, dbeta, *self.settings
        )
        return dx, dgamma, dbeta

    def graph_backward(self, dy: Any) -> Any:
        kind, epsilon = self.settings
        n = self.saved[0].shape[-1]
        if kind == Kind.unit:
            raise NotImplementedError("backward: unit_norm has no rule made of ops for create_graph")

        def composed(x: Tensor, gamma: Any, beta: Any) -> Tensor:
            rows = normalized(reshape(x, (-1, n)), (1,), epsilon, kind == Kind.layer)
            given = [None if t is None else reshape(t, (n,)) for t in (gamma, beta)]
            return reshape(scaled_and_shifted(rows, *given), x.shape)

        return gradients_through(composed, dy, self.inputs, self.needs)


def _row_norm(op: str, kind: Kind, x: Any, gamma: Any, beta: Any, axis: Any, epsilon: float) -> Tensor:
    x = float_tensor(x, op)
    axes = chosen_axes(axis, x.shape, op)
    shape = tuple(x.shape[a] for a in axes)
    n = math.prod(shape)
    if n < 1:
        raise ValueError(f"{op}: x must have at least one value along axis {axis}, got shape {x.shape}")
    given = {"gamma" if op == "layer_norm" else "scale": gamma, "beta": beta}
    tensors = {name: None if t is None else float_tensor(t, op, name) for name, t in given.items()}
    for name, tensor in tensors.items():
        if tensor is not None and tensor.shape != shape:
            raise ValueError(f"{op}: {name} must have the shape of the axes, {shape}, got {tensor.shape}")
    same_dtype(op, x=x, **tensors)
    if not 0 <= real_number(epsilon, op, "epsilon") < math.inf:
        raise ValueError(f"{op}: epsilon must be at least 0, got {epsilon}")
    moved, back = to_end(x, axes)
    y: Tensor = RowNormFunction.apply((moved, *tensors.values()), n, kind, float(epsilon))
    return y if back is None else transpose(y, back)


def layer_norm(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float = 1e-3, rms_scaling: bool = False
) -> Tensor:
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, mean and (biased) variance along the axes.

    Args:
        x: tensor of one dimension or more, float32 or float64.
        gamma: scale, of the shape of the axes, or None for 1.
        beta: shift, of the shape of the axes, or None for 0.
        axis: the axis, or several of them.
        epsilon: what is added to the variance.
        rms_scaling: y = gamma * x / sqrt(variance + epsilon) instead: kept for Keras's sake, `rms_norm` is what its
            name says. It takes no beta.

    Returns:
        Tensor of x's shape and dtype.

    Raises:
        TypeError: if dtypes differ, or are no float32 or float64.
        ValueError: for wrong shapes, an axis that x has not, or an epsilon below 0.

    Example:
        >>> import lamina as lm
        >>> lm.ops.layer_norm([[1.0, 3.0], [10.0, 30.0]], epsilon=0).numpy().tolist()
        [[-1.0, 1.0], [-1.0, 1.0]]

    Reference:
        Ba, Kiros & Hinton 2016, arXiv:1607.06450.
    """
    if not rms_scaling:
        return _row_norm("layer_norm", Kind.layer, x, gamma, beta, axis, epsilon)
    if beta is not None:
        raise ValueError("layer_norm: rms_scaling takes no beta")
    if not 0 <= real_number(epsilon, "layer_norm", "epsilon") < math.inf:
        raise ValueError(f"layer_norm: epsilon must be at least 0, got {epsilon}")
    x = float_tensor(x, "layer_norm")
    axes = chosen_axes(axis, x.shape, "layer_norm")
    centred = x - mean_of(x, axes, keepdims=True)
    y = x * power(mean_of(centred * centred, axes, keepdims=True) + epsilon, -0.5)
    if gamma is None:
        return y
    gamma = float_tensor(gamma, "layer_norm", "gamma")
    same_dtype("layer_norm", x=x, gamma=gamma)
    shape = tuple(x.shape[a] for a in axes)
    if gamma.shape != shape:
        raise ValueError(f"layer_norm: gamma must have the shape of the axes, {shape}, got {gamma.shape}")
    return multiply(y, reshape(gamma, tuple(n if a in axes else 1 for a, n in enumerate(x.shape))))


def rms_norm(x: Any, scale: Any = None, axis: Any = -1, epsilon: float = 1e-6) -> Tensor:
    """y = scale * x / sqrt(mean of x^2 + epsilon), the mean along the axes.

    Args:
        x: tensor of one dimension or more, float32 or float64.
        scale: of the shape of the axes, or None for 1.
        axis: the axis, or several of them.
        epsilon: what is added to the mean of the squares.

    Returns:
        Tensor of x's shape and dtype.

    Raises:
        TypeError: if dtypes differ, or are no float32 or float64.
        ValueError: for wrong shapes, an axis that x has not, or an epsilon below 0.

    Example:
        >>> import lamina as lm
        >>> lm.ops.rms_norm([[2.0, -2.0]], epsilon=0).numpy().round(4).tolist()
        [[1.0, -1.0]]

    Reference:
        Zhang & Sennrich 2019, arXiv:1910.07467.
    """
    return _row_norm("rms_norm", Kind.rms, x, scale, None, axis, epsilon)


def unit_norm(x: Any, axis: Any = -1, epsilon: float = 1e-12) -> Tensor:
    """y = x / max(|x|, epsilon), the Euclidean norm along the axes: vectors of length 1.

    Args:
        x: tensor of one dimension or more, float32 or float64.
        axis: the axis, or several of them.
        epsilon: the least length that is divided by, greater than 0.

    Returns:
        Tensor of x's shape and dtype.

    Raises:
        TypeError: for a dtype other than float32 or float64.
        ValueError: for an axis that x has not, or an epsilon of 0 or less.

    Example:
        >>> import lamina as lm
        >>> lm.ops.unit_norm([[0.0, -4.0], [0.0, 0.0]]).numpy().round(4).tolist()
        [[0.0, -1.0], [0.0, 0.0]]
    """
    if not real_number(epsilon, "unit_norm", "epsilon") > 0:
        raise ValueError(f"unit_norm: epsilon must be greater than 0, got {epsilon}")
    return _row_norm("unit_norm", Kind.unit, x, None, None, axis, epsilon)
