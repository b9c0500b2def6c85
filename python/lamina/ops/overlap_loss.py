"""Dice and Tversky losses: how far two regions are from lying upon each other."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import multiply
from lamina.ops.checks import float_tensor
from lamina.ops.loss import check_reduction, constant, number, weights_of
from lamina.ops.reductions import mean, reduced_axes
from lamina.ops.reductions import sum as sum_of_all

EPSILON = 1e-7


class OverlapLossFunction(Function):
    """1 - a I / (I (1 - b - c) + b sum t + c sum x) over the last axes, I = sum t x; x, t: (rows..., reduced...)."""

    __slots__ = ("shape",)
    shape: tuple[int, ...]

    def forward(self, x: Any, targets: Any, kept: int, factor: float, alpha: float, beta: float, rest: float) -> Any:
        """kept: how many axes the losses have; the denominator is rest I + alpha sum t + beta sum x + 1e-7."""
        x = backend.contiguous(x)
        kind = x.dtype.type
        sums = backend.empty((*x.shape[:kept], 3), x.dtype, like=x)
        if x.size:
            backend.kernels(x).overlap_sums(x, targets, sums)
        else:
            sums.fill(0)
        inner, of_x, of_targets = sums[..., 0], sums[..., 1], sums[..., 2]
        whole = inner * kind(rest) + of_targets * kind(alpha) + of_x * kind(beta) + kind(EPSILON)
        share = inner * kind(factor) / whole
        self.shape = x.shape
        if self.needs[0]:  # d share / dx = (factor t - share (rest t + beta)) / whole
            self.saved = targets, (share * kind(rest) - kind(factor)) / whole, share * kind(beta) / whole
        return backend.array_module(share).asarray(kind(1) - share)

    def backward(self, dy: Any) -> Any:
        targets, slope, level = self.saved
        dx = backend.empty(self.shape, dy.dtype, like=dy)
        if dx.size:
            xp = backend.array_module(dy)
            slope, level = backend.contiguous(xp.asarray(slope * dy)), backend.contiguous(xp.asarray(level * dy))
            backend.kernels(dx).overlap_gradient(targets, slope, level, dx)
        return dx


def dice_loss(y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean", axis: Any = None) -> Tensor:
    """1 - 2 sum(t x) / (sum t + sum x + 1e-7): 0 where prediction and truth are the same region.

    Args:
        y_true: the truth, 0 to 1, in the shape of y_pred.
        y_pred: tensor of any shape, float32 or float64, 0 to 1.
        sample_weight: None, or weights of the losses.
        reduction: "mean", "sum" or "none": what becomes of the losses, if there is more than one.
        axis: what a loss sums over: (1, 2, 3) gives one for each image; None, all axes, one for the whole batch.

    Returns:
        Tensor of shape (), or of y_pred's without the axes for "none".

    Raises:
        ValueError: if the shapes do not fit, y_true requires gradients, or for an unknown reduction or axis.
        TypeError: if y_pred is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.dice_loss([[1.0, 0.0, 1.0]], lm.tensor([[0.5, 0.0, 1.0]])).item(), 6)
        0.142857

    Reference:
        Milletari et al. 2016, "V-Net", arXiv:1606.04797.
    """
    return _overlap("dice_loss", y_true, y_pred, sample_weight, reduction, axis, 2.0, 1.0, 1.0, 0.0)


def tversky_loss(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any = None,
    reduction: str = "mean",
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Any = None,
) -> Tensor:
    """1 - I / (I + alpha sum t (1 - x) + beta sum (1 - t) x + 1e-7), I = sum(t x).

    alpha weighs what was missed, beta what was found wrongly (Keras's formula, whatever its names say); both 0.5:
    Dice.

    Args:
        y_true: the truth, 0 to 1, in the shape of y_pred.
        y_pred: tensor of any shape, float32 or float64, 0 to 1.
        sample_weight: None, or weights of the losses.
        reduction: "mean", "sum" or "none": what becomes of the losses, if there is more than one.
        alpha: at least 0.
        beta: at least 0.
        axis: what a loss sums over; see `dice_loss`.

    Returns:
        Tensor of shape (), or of y_pred's without the axes for "none".

    Raises:
        ValueError: if the shapes do not fit, y_true requires gradients, or for an unknown reduction or axis.
        TypeError: if y_pred is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.tversky_loss([1.0, 0.0], lm.tensor([0.5, 0.5]), alpha=0.25, beta=0.75).item(), 6)
        0.5

    Reference:
        Salehi et al. 2017, "Tversky loss function for image segmentation", arXiv:1706.05721.
    """
    op = "tversky_loss"
    alpha, beta = number(alpha, op, "alpha", 0), number(beta, op, "beta", 0)
    return _overlap(op, y_true, y_pred, sample_weight, reduction, axis, 1.0, alpha, beta, 1.0 - alpha - beta)


def _overlap(
    op: str, y_true: Any, y_pred: Any, sample_weight: Any, reduction: str, axis: Any, *parameters: float
) -> Tensor:
    x = float_tensor(y_pred, op, "y_pred")
    check_reduction(reduction, op)
    targets = constant(y_true, op, "y_true", x)
    if targets.shape != x.shape:
        raise ValueError(f"{op}: y_true must have the shape of y_pred, {x.shape}, got {targets.shape}")
    axes = reduced_axes(op, axis, x.ndim)
    kept = [i for i in range(x.ndim) if i not in axes]
    order = (*kept, *axes)
    if order != tuple(range(x.ndim)):
        x, targets = x.transpose(order), targets.transpose(order)
    targets = backend.contiguous(targets.astype(x.dtype, copy=False))
    losses = OverlapLossFunction.apply((x,), targets, len(kept), *parameters)
    weights = weights_of(sample_weight, losses.shape, losses, op)
    if weights is not None:
        losses = multiply(losses, Tensor(weights))
    if reduction == "none" or losses.ndim == 0:
        return losses
    return sum_of_all(losses) if reduction == "sum" or math.prod(losses.shape) == 0 else mean(losses)
