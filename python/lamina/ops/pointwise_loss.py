"""Losses that compare element by element, fused with their gradients: squared and absolute error, binary cross entropy.

A sample's loss is the mean over its last axis, as in Keras.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.loss import LossFunction, check_reduction, like_predictions, place_in, weights_of


class PointwiseLossFunction(LossFunction):
    """x of shape (N,) is taken as (N, 1)."""

    __slots__ = ("flat",)
    flat: bool

    def forward(self, x: Any, targets: Any, weights: Any, reduction: str) -> Any:
        self.flat = x.ndim == 1
        if self.flat:
            x, targets = x[:, None], targets[:, None]
        return super().forward(x, targets, weights, reduction)

    def backward(self, dy: Any) -> Any:
        dx = super().backward(dy)
        return dx[:, 0] if self.flat else dx


class MeanSquaredErrorFunction(PointwiseLossFunction):
    name = "mean_squared_error"


class MeanAbsoluteErrorFunction(PointwiseLossFunction):
    name = "mean_absolute_error"


class _WithinUnitFunction(PointwiseLossFunction):
    argument: ClassVar[str]

    def check(self, result: Any, x: Any, targets: Any) -> None:
        if result:
            return
        index = int(np.flatnonzero(~((targets >= 0) & (targets <= 1)))[0])
        place = place_in(targets.shape[:1] if self.flat else targets.shape, index)
        raise ValueError(f"{self.name}: {self.argument} must be in [0, 1], got {targets.reshape(-1)[index]}{place}")


class SigmoidCrossEntropyFunction(_WithinUnitFunction):
    name, argument = "sigmoid_cross_entropy", "targets"


class BinaryCrossEntropyFunction(_WithinUnitFunction):
    name, argument = "binary_cross_entropy_from_probabilities", "labels"


def _apply(
    function: type[PointwiseLossFunction],
    x: Any,
    targets: Any,
    sample_weight: Any,
    reduction: str,
    names: tuple[str, str],
) -> Any:
    op = function.name
    x = float_tensor(x, op, names[1])
    check_reduction(reduction, op)
    if x.ndim == 0 or x.shape[-1] == 0 < x.ndim - 1:
        raise ValueError(f"{op}: {names[1]} must have shape (N,) or (N, ..., n), got {x.shape}")
    targets = like_predictions(targets, x, op, names)
    weights = weights_of(sample_weight, x.shape if x.ndim == 1 else x.shape[:-1], x.dtype, op)
    return function.apply((x,), targets, weights, reduction)


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
    return _apply(MeanSquaredErrorFunction, y_pred, y_true, sample_weight, reduction, ("y_true", "y_pred"))


def mean_absolute_error(y_true: Any, y_pred: Any, sample_weight: Any = None, reduction: str = "mean") -> Tensor:
    """Mean of |y_pred - y_true| over the last axis, then over samples. The gradient where they are equal is 0.

    Args:
        y_true: targets of the shape of y_pred; (N,) and (N, 1) fit each other. Nothing is broadcast.
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
        >>> lm.ops.mean_absolute_error([0.0, 2.0], lm.tensor([1.0, 5.0])).item()
        2.0
    """
    return _apply(MeanAbsoluteErrorFunction, y_pred, y_true, sample_weight, reduction, ("y_true", "y_pred"))


def sigmoid_cross_entropy(logits: Any, targets: Any, sample_weight: Any = None, reduction: str = "mean") -> Tensor:
    """Binary cross entropy of sigmoid(logits) with targets: mean over the last axis, then over samples.

    max(x, 0) - x t + log(1 + e^-|x|), which never overflows; its gradient is sigmoid(x) - t.

    Args:
        logits: tensor of shape (N,) or (N, ..., n), float32 or float64.
        targets: numbers in [0, 1], of the shape of logits; (N,) and (N, 1) fit each other. Nothing is broadcast.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.

    Returns:
        Tensor of shape (), or of the logits' without its last axis for "none" ((N,) for (N,)).

    Raises:
        ValueError: if a target is outside [0, 1] (the message says which), the shapes do not fit, or for an unknown
            reduction.
        TypeError: if the logits are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.sigmoid_cross_entropy(lm.tensor([0.0, 2.0]), [1, 1]).item(), 4)
        0.41
    """
    return _apply(SigmoidCrossEntropyFunction, logits, targets, sample_weight, reduction, ("targets", "logits"))


def binary_cross_entropy_from_probabilities(
    probabilities: Any, labels: Any, sample_weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """Binary cross entropy of probabilities: Keras's `binary_crossentropy`.

    -t log p - (1 - t) log(1 - p), where p is cut at 1e-7 and 1 - 1e-7: where the cut bites, no gradient flows.
    From logits, `sigmoid_cross_entropy` is more exact.

    Args:
        probabilities: tensor of shape (N,) or (N, ..., n), float32 or float64.
        labels: numbers in [0, 1], of the shape of probabilities; (N,) and (N, 1) fit each other.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.

    Returns:
        Tensor of shape (), or of the probabilities' without its last axis for "none" ((N,) for (N,)).

    Raises:
        ValueError: if a label is outside [0, 1], the shapes do not fit, or for an unknown reduction.
        TypeError: if the probabilities are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.binary_cross_entropy_from_probabilities(lm.tensor([0.25, 0.75]), [0, 1]).item(), 4)
        0.2877
    """
    return _apply(
        BinaryCrossEntropyFunction, probabilities, labels, sample_weight, reduction, ("labels", "probabilities")
    )
