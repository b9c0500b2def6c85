"""Categorical focal cross entropy, of logits and of probabilities, fused with its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.loss import LossFunction, constant, number, smoothing_of, with_axis_last
from lamina.ops.row_loss import row_loss


class SoftmaxFocalFunction(LossFunction):
    name = "softmax_focal_cross_entropy"


class FocalFunction(LossFunction):
    name = "categorical_focal_cross_entropy"


def softmax_focal_cross_entropy(
    logits: Any,
    targets: Any,
    sample_weight: Any = None,
    reduction: str = "mean",
    alpha: Any = 0.25,
    gamma: float = 2.0,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """-sum of alpha (1 - p)^gamma t log p over an axis, p = softmax(logits): what is classified well counts little.

    Args:
        logits: tensor of shape (N, C) or (..., C), float32 or float64.
        targets: one-hot rows, or probabilities, in the shape of logits.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.
        alpha: a weight of all classes, or one for each, (C,).
        gamma: the exponent, at least 0.
        label_smoothing: s from 0 to 1: targets become (1 - s) t + s / C.
        axis: the axis of the classes.

    Returns:
        Tensor of shape (), or of the logits' without the axis for "none".

    Raises:
        ValueError: if the shapes do not fit, targets require gradients, or for an unknown reduction.
        TypeError: if the logits are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.softmax_focal_cross_entropy(lm.tensor([[0.0, 0.0]]), [[0.0, 1.0]]).item(), 4)
        0.0433

    Reference:
        Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002.
    """
    arguments = (logits, targets, sample_weight, reduction)
    return _focal(SoftmaxFocalFunction, "logits", arguments, alpha, gamma, label_smoothing, axis)


def categorical_focal_cross_entropy(
    probabilities: Any,
    targets: Any,
    sample_weight: Any = None,
    reduction: str = "mean",
    alpha: Any = 0.25,
    gamma: float = 2.0,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """-sum of alpha (1 - p)^gamma t log p over an axis: Keras's `categorical_focal_crossentropy`.

    p = probabilities / sum of probabilities, cut at 1e-7 and 1 - 1e-7: where the cut bites, no gradient flows. From
    logits, `softmax_focal_cross_entropy` is more exact.

    Args:
        probabilities: tensor of shape (N, C) or (..., C), float32 or float64.
        targets: one-hot rows, or probabilities, in the shape of probabilities.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.
        alpha: a weight of all classes, or one for each, (C,).
        gamma: the exponent, at least 0.
        label_smoothing: s from 0 to 1: targets become (1 - s) t + s / C.
        axis: the axis of the classes.

    Returns:
        Tensor of shape (), or of the probabilities' without the axis for "none".

    Raises:
        ValueError: if the shapes do not fit, targets require gradients, or for an unknown reduction.
        TypeError: if the probabilities are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> p = lm.tensor([[0.5, 0.5]])
        >>> round(lm.ops.categorical_focal_cross_entropy(p, [[0.0, 1.0]]).item(), 4)
        0.0433

    Reference:
        Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002.
    """
    arguments = (probabilities, targets, sample_weight, reduction)
    return _focal(FocalFunction, "probabilities", arguments, alpha, gamma, label_smoothing, axis)


def _focal(
    function: type[LossFunction],
    name: str,
    arguments: tuple[Any, Any, Any, str],
    alpha: Any,
    gamma: float,
    label_smoothing: float,
    axis: int,
) -> Tensor:
    op = function.name
    gamma = number(gamma, op, "gamma", 0)
    x, targets, sample_weight, reduction = arguments
    x = float_tensor(x, op, name)
    if x.ndim:
        x, targets = with_axis_last(x, targets, axis, op)
    classes = x.shape[-1] if x.ndim else 0
    scale, shift = smoothing_of(label_smoothing, 1 / max(1, classes), op)
    if isinstance(alpha, int | float | np.number) or getattr(alpha, "ndim", 1) == 0:
        alpha = number(alpha, op, "alpha", 0)
        return row_loss(
            function,
            targets,
            x,
            sample_weight,
            reduction,
            ("targets", name),
            (scale * alpha, shift * alpha, 0, 0, gamma),
        )
    weights, array = constant(alpha, op, "alpha", x), constant(targets, op, "targets", x)
    if weights.shape != (classes,):
        raise ValueError(f"{op}: alpha must be a number or have shape {(classes,)}, got {weights.shape}")
    if array.shape == x.shape:
        kind = x.dtype.type
        array = (array.astype(x.dtype, copy=False) * kind(scale) + kind(shift)) * weights.astype(x.dtype, copy=False)
    return row_loss(function, array, x, sample_weight, reduction, ("targets", name), (1.0, 0.0, 0.0, 0.0, gamma))
