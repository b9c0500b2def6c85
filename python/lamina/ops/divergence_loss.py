"""Losses of distributions, fused with their gradients: Kullback-Leibler and Poisson."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.pointwise_loss import PointwiseLossFunction, pointwise

NAMES = ("y_true", "y_pred")


class KLDivergenceLossFunction(PointwiseLossFunction):
    name = "kl_divergence_loss"


def kl_divergence_loss(y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean") -> Tensor:
    """Kullback-Leibler divergence: sum of y_true log(y_true / y_pred) over the last axis, then the mean over samples.

    Both are kept within [1e-7, 1], as in Keras; where y_pred is cut, no gradient flows.

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other. Nothing is broadcast.
        y_pred: tensor of shape (N,) or (N, ..., n), float32 or float64.
        sample_weight: None, or weights of shape (N,): they multiply the samples' losses.
        reduction: "mean" (the sum divided by the number of samples, as in Keras; 0 for no samples), "sum" or "none".

    Returns:
        Tensor of shape (), or of y_pred's without its last axis for "none" ((N,) for (N,)).

    Raises:
        ValueError: if the shapes do not fit, y_true requires gradients, or for an unknown reduction.
        TypeError: if y_pred is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.kl_divergence_loss([[0.5, 0.5]], lm.tensor([[0.25, 0.75]])).item(), 4)
        0.1438
    """
    return pointwise(KLDivergenceLossFunction, y_pred, y_true, sample_weight, reduction, NAMES)


class PoissonLossFunction(PointwiseLossFunction):
    name = "poisson_loss"


def poisson_loss(y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean") -> Tensor:
    """Mean of y_pred - y_true log(y_pred + 1e-7) over the last axis, then over samples.

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other. Nothing is broadcast.
        y_pred: tensor of shape (N,) or (N, ..., n), float32 or float64.
        sample_weight: None, or weights of shape (N,): they multiply the samples' losses.
        reduction: "mean" (the sum divided by the number of samples, as in Keras; 0 for no samples), "sum" or "none".

    Returns:
        Tensor of shape (), or of y_pred's without its last axis for "none" ((N,) for (N,)).

    Raises:
        ValueError: if the shapes do not fit, y_true requires gradients, or for an unknown reduction.
        TypeError: if y_pred is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.poisson_loss([2.0], lm.tensor([2.0])).item(), 4)
        0.6137
    """
    return pointwise(PoissonLossFunction, y_pred, y_true, sample_weight, reduction, NAMES)
