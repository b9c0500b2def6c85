"""Losses of numbers, fused with their gradients: errors squared, absolute and relative, Huber, log-cosh.

A sample's loss is the mean over its last axis, as in Keras.
"""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.loss import number
from lamina.ops.pointwise_loss import PointwiseLossFunction, pointwise

NAMES = ("y_true", "y_pred")


class MeanSquaredErrorFunction(PointwiseLossFunction):
    name = "mean_squared_error"


def mean_squared_error(y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean") -> Tensor:
    """Mean of (y_pred - y_true)^2 over the last axis, then over samples.

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
        >>> y = lm.tensor([[1.0], [4.0]], requires_grad=True)
        >>> loss = lm.ops.mean_squared_error([[0.0], [2.0]], y)
        >>> loss.backward()
        >>> loss.item(), y.grad.numpy().tolist()
        (2.5, [[1.0], [2.0]])
    """
    return pointwise(MeanSquaredErrorFunction, y_pred, y_true, sample_weight, reduction, NAMES)


class MeanAbsoluteErrorFunction(PointwiseLossFunction):
    name = "mean_absolute_error"


def mean_absolute_error(y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean") -> Tensor:
    """Mean of |y_pred - y_true| over the last axis, then over samples. The gradient where they are equal is 0.

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
        >>> lm.ops.mean_absolute_error([0.0, 2.0], lm.tensor([1.0, 5.0])).item()
        2.0
    """
    return pointwise(MeanAbsoluteErrorFunction, y_pred, y_true, sample_weight, reduction, NAMES)


class MeanAbsolutePercentageErrorFunction(PointwiseLossFunction):
    name = "mean_absolute_percentage_error"


def mean_absolute_percentage_error(
    y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """Mean of 100 |y_pred - y_true| / max(|y_true|, 1e-7) over the last axis, then over samples.

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
        >>> lm.ops.mean_absolute_percentage_error([2.0, 4.0], lm.tensor([1.0, 5.0])).item()
        37.5
    """
    return pointwise(
        MeanAbsolutePercentageErrorFunction,
        y_pred,
        y_true,
        sample_weight,
        reduction,
        NAMES,
    )


class MeanSquaredLogarithmicErrorFunction(PointwiseLossFunction):
    name = "mean_squared_logarithmic_error"


def mean_squared_logarithmic_error(
    y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """Mean of (log(1 + y_pred) - log(1 + y_true))^2 over the last axis, then over samples.

    Both are kept at 1e-7 or more; where y_pred is cut, no gradient flows.

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
        >>> round(lm.ops.mean_squared_logarithmic_error([0.0], lm.tensor([1.718281828])).item(), 5)
        1.0
    """
    return pointwise(
        MeanSquaredLogarithmicErrorFunction,
        y_pred,
        y_true,
        sample_weight,
        reduction,
        NAMES,
    )


class HuberLossFunction(PointwiseLossFunction):
    name = "huber_loss"


def huber_loss(
    y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean", delta: float = 1.0
) -> Tensor:
    """Huber's loss, squared near 0 and linear beyond: mean over the last axis, then over samples.

    With d = y_pred - y_true: d^2 / 2 for |d| <= delta, else delta |d| - delta^2 / 2.

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other. Nothing is broadcast.
        y_pred: tensor of shape (N,) or (N, ..., n), float32 or float64.
        sample_weight: None, or weights of shape (N,): they multiply the samples' losses.
        reduction: "mean" (the sum divided by the number of samples, as in Keras; 0 for no samples), "sum" or "none".
        delta: where the square ends, above 0.

    Returns:
        Tensor of shape (), or of y_pred's without its last axis for "none" ((N,) for (N,)).

    Raises:
        ValueError: if the shapes do not fit, y_true requires gradients, or for an unknown reduction,
            or delta is not above 0.
        TypeError: if y_pred is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> lm.ops.huber_loss([0.0, 0.0], lm.tensor([1.0, 3.0]), delta=2.0).item()
        2.25
    """
    delta = number(delta, "huber_loss", "delta", 0, inside=True)
    return pointwise(HuberLossFunction, y_pred, y_true, sample_weight, reduction, NAMES, 1.0, 0.0, delta)


class LogCoshLossFunction(PointwiseLossFunction):
    name = "log_cosh_loss"


def log_cosh_loss(y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean") -> Tensor:
    """Mean of log(cosh(y_pred - y_true)) over the last axis, then over samples; it never overflows.

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
        >>> round(lm.ops.log_cosh_loss([0.0], lm.tensor([1.0])).item(), 4)
        0.4338
    """
    return pointwise(LogCoshLossFunction, y_pred, y_true, sample_weight, reduction, NAMES)
