"""Hinge losses, fused with their gradients."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.tensor import Tensor
from lamina.ops.loss import LossFunction
from lamina.ops.pointwise_loss import PointwiseLossFunction, checked
from lamina.ops.row_loss import row_loss

NAMES = ("y_true", "y_pred")


class HingeLossFunction(PointwiseLossFunction):
    name = "hinge_loss"


class SquaredHingeLossFunction(PointwiseLossFunction):
    name = "squared_hinge_loss"


class CategoricalHingeLossFunction(LossFunction):
    name = "categorical_hinge_loss"


def _of_signs(
    function: type[PointwiseLossFunction], y_true: Any, y_pred: Any, sample_weight: Any, reduction: str
) -> Tensor:
    x, targets, weights = checked(function.name, y_pred, y_true, sample_weight, reduction, NAMES)
    if not backend.on_host(targets):  # without looking at it
        xp = backend.array_module(targets)
        binary = ((targets == 0) | (targets == 1)).all()
        return function.apply(
            (x,), xp.where(binary, targets + targets - 1, targets), weights, reduction, None, 1.0, 0.0
        )
    binary = targets.size > 0 and backend.kernels(targets).all_binary(targets)
    return function.apply((x,), targets, weights, reduction, None, *((2.0, -1.0) if binary else (1.0, 0.0)))


def hinge_loss(y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean") -> Tensor:
    """Mean of max(1 - y_true y_pred, 0) over the last axis, then over samples. The gradient at the edge is 0.

    Args:
        y_true: -1 or 1, in the shape of y_pred; (N,) and (N, 1) fit each other. If all are 0 or 1, 0 stands for -1.
        y_pred: tensor of shape (N,) or (N, ..., n), float32 or float64.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.

    Returns:
        Tensor of shape (), or of y_pred's without its last axis for "none" ((N,) for (N,)).

    Raises:
        ValueError: if the shapes do not fit, y_true requires gradients, or for an unknown reduction.
        TypeError: if y_pred is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> lm.ops.hinge_loss([1.0, -1.0], lm.tensor([0.5, 2.0])).item()
        1.75
    """
    return _of_signs(HingeLossFunction, y_true, y_pred, sample_weight, reduction)


def squared_hinge_loss(y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean") -> Tensor:
    """Mean of max(1 - y_true y_pred, 0)^2 over the last axis, then over samples.

    Args:
        y_true: -1 or 1, in the shape of y_pred; (N,) and (N, 1) fit each other. If all are 0 or 1, 0 stands for -1.
        y_pred: tensor of shape (N,) or (N, ..., n), float32 or float64.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.

    Returns:
        Tensor of shape (), or of y_pred's without its last axis for "none" ((N,) for (N,)).

    Raises:
        ValueError: if the shapes do not fit, y_true requires gradients, or for an unknown reduction.
        TypeError: if y_pred is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> lm.ops.squared_hinge_loss([1.0, -1.0], lm.tensor([0.5, 2.0])).item()
        4.625
    """
    return _of_signs(SquaredHingeLossFunction, y_true, y_pred, sample_weight, reduction)


def categorical_hinge_loss(y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean") -> Tensor:
    """max(1 + max of (1 - y_true) y_pred - sum of y_true y_pred, 0) over the last axis, then the mean over samples.

    Equally large wrong classes share the gradient.

    Args:
        y_true: one-hot rows in the shape of y_pred.
        y_pred: tensor of shape (N, ..., n), float32 or float64.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.

    Returns:
        Tensor of shape (), or of y_pred's without its last axis for "none".

    Raises:
        ValueError: if the shapes do not fit, y_true requires gradients, or for an unknown reduction.
        TypeError: if y_pred is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> lm.ops.categorical_hinge_loss([[0.0, 1.0, 0.0]], lm.tensor([[0.5, 0.75, 0.25]])).item()
        0.75
    """
    return row_loss(CategoricalHingeLossFunction, y_true, y_pred, sample_weight, reduction)
