"""group_norm and instance_norm: every sample's groups of channels by statistics of their own."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.axes import chosen_axes, to_end
from lamina.ops.checks import float_tensor, integer, real_number, same_dtype
from lamina.ops.normalized import gradients_through, normalized, scaled_and_shifted
from lamina.ops.shapes import reshape, transpose


class GroupNormFunction(Function):
    __slots__ = ("epsilon", "groups")
    epsilon: float
    groups: int

    def forward(self, x: Any, gamma: Any, beta: Any, groups: int, epsilon: float) -> Any:
        self.groups, self.epsilon = groups, epsilon
        x = backend.contiguous(x)
        gamma, beta = (None if a is None else backend.contiguous(a) for a in (gamma, beta))
        samples = x.reshape(x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1])
        y = backend.empty_like(x)
        mean = backend.empty((x.shape[0], groups), backend.state_dtype(x.dtype), like=x)
        inverse = backend.empty_like(mean)
        backend.kernels(x).group_norm_forward(samples, gamma, beta, mean, inverse, y, groups, epsilon)
        self.saved = samples, gamma, mean, inverse
        return y

    def backward(self, dy: Any) -> Any:
        samples, gamma, mean, inverse = self.saved
        wants_x, wants_gamma, wants_beta = self.needs
        channels = samples.shape[-1:]
        dx = backend.empty(dy.shape, samples.dtype, like=samples) if wants_x else None
        dgamma = backend.empty(channels, mean.dtype, like=samples) if wants_gamma else None
        dbeta = backend.empty(channels, mean.dtype, like=samples) if wants_beta else None
        backend.kernels(samples).group_norm_backward(
            samples, gamma, mean, inverse, backend.contiguous(dy), dx, dgamma, dbeta, self.groups
        )
        return dx, dgamma, dbeta

    def graph_backward(self, dy: Any) -> Any:
        def composed(x: Tensor, gamma: Any, beta: Any) -> Tensor:
            groups = reshape(x, (x.shape[0], -1, self.groups, x.shape[-1] // self.groups))
            y = reshape(normalized(groups, (1, 3), self.epsilon), x.shape)
            return scaled_and_shifted(y, gamma, beta)

        return gradients_through(composed, dy, self.inputs, self.needs)


def _group_norm(op: str, x: Any, gamma: Any, beta: Any, groups: int | None, axis: int, epsilon: float) -> Tensor:
    x = float_tensor(x, op)
    if x.ndim < 2:
        raise ValueError(f"{op}: x must have shape (N, ..., C), got {x.shape}")
    (channel_axis,) = axes = chosen_axes(axis, x.shape, op)
    if channel_axis == 0:
        raise ValueError(f"{op}: axis must not be the batch, got {axis}")
    channels = x.shape[channel_axis]
    if 0 in x.shape[1:]:
        raise ValueError(f"{op}: x must have at least one value a sample, got shape {x.shape}")
    if groups is None:
        groups = channels
    groups = integer(groups, op, "groups")
    if groups < 1 or channels % groups:
        raise ValueError(f"{op}: groups must divide the channels, {channels}, got {groups}")
    tensors = {n: None if t is None else float_tensor(t, op, n) for n, t in {"gamma": gamma, "beta": beta}.items()}
    for name, tensor in tensors.items():
        if tensor is not None and tensor.shape != (channels,):
            raise ValueError(f"{op}: {name} must have shape {(channels,)}, got {tensor.shape}")
    same_dtype(op, x=x, **tensors)
    if not 0 <= real_number(epsilon, op, "epsilon") < math.inf:
        raise ValueError(f"{op}: epsilon must be at least 0, got {epsilon}")
    moved, back = to_end(x, axes)
    y: Tensor = GroupNormFunction.apply((moved, *tensors.values()), groups, float(epsilon))
    return y if back is None else transpose(y, back)


def group_norm(
    x: Any, gamma: Any = None, beta: Any = None, groups: int = 32, axis: int = -1, epsilon: float = 1e-3
) -> Tensor:
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, for each sample's groups of neighbouring channels.

    Mean and (biased) variance are over all places and the channels / groups channels of a group.

    Args:
        x: tensor (N, ..., C), float32 or float64.
        gamma: scale (C,), or None for 1.
        beta: shift (C,), or None for 0.
        groups: how many groups; it divides C.
        axis: the axis of the channels.
        epsilon: what is added to the variance.

    Returns:
        Tensor of x's shape and dtype.

    Raises:
        TypeError: if dtypes differ, or are no float32 or float64.
        ValueError: for wrong shapes, groups that do not divide the channels, or an epsilon below 0.

    Example:
        >>> import lamina as lm
        >>> lm.ops.group_norm([[1.0, 3.0, 10.0, 30.0]], groups=2, epsilon=0).numpy().tolist()
        [[-1.0, 1.0, -1.0, 1.0]]

    Reference:
        Wu & He 2018, arXiv:1803.08494.
    """
    return _group_norm("group_norm", x, gamma, beta, groups, axis, epsilon)


def instance_norm(x: Any, gamma: Any = None, beta: Any = None, axis: int = -1, epsilon: float = 1e-3) -> Tensor:
    """group_norm with a group for each channel: every sample's channels by their own mean and variance.

    Args:
        x: tensor (N, ..., C), float32 or float64.
        gamma: scale (C,), or None for 1.
        beta: shift (C,), or None for 0.
        axis: the axis of the channels.
        epsilon: what is added to the variance.

    Returns:
        Tensor of x's shape and dtype.

    Raises:
        TypeError: if dtypes differ, or are no float32 or float64.
        ValueError: for wrong shapes, or an epsilon below 0.

    Example:
        >>> import lamina as lm
        >>> lm.ops.instance_norm([[[1.0, 10.0], [3.0, 30.0]]], epsilon=0).numpy().tolist()
        [[[-1.0, -1.0], [1.0, 1.0]]]

    Reference:
        Ulyanov, Vedaldi & Lempitsky 2016, arXiv:1607.08022.
    """
    return _group_norm("instance_norm", x, gamma, beta, None, axis, epsilon)
