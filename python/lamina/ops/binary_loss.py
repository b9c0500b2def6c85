"""Binary cross entropies, of logits and of probabilities, plain and focal, fused with their gradients."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.loss import number, smoothing_of, with_axis_last
from lamina.ops.pointwise_loss import WithinUnitFunction, pointwise


class SigmoidCrossEntropyFunction(WithinUnitFunction):
    name, argument = "sigmoid_cross_entropy", "targets"


class BinaryCrossEntropyFunction(WithinUnitFunction):
    name, argument = "binary_cross_entropy_from_probabilities", "labels"


class SigmoidFocalFunction(WithinUnitFunction):
    name, argument = "sigmoid_focal_cross_entropy", "targets"


class BinaryFocalFunction(WithinUnitFunction):
    name, argument = "binary_focal_cross_entropy", "labels"


def sigmoid_cross_entropy(
    logits: Any,
    targets: Any,
    sample_weight: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Binary cross entropy of sigmoid(logits) with targets: mean over an axis, then over samples.

    max(x, 0) - x t + log(1 + e^-|x|), which never overflows; its gradient is sigmoid(x) - t.

    Args:
        logits: tensor of shape (N,) or (N, ..., n), float32 or float64.
        targets: numbers in [0, 1], of the shape of logits; (N,) and (N, 1) fit each other. Nothing is broadcast.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.
        label_smoothing: s from 0 to 1: targets become (1 - s) t + s / 2.
        axis: the axis of a sample's mean.

    Returns:
        Tensor of shape (), or of the logits' without the axis for "none" ((N,) for (N,)).

    Raises:
        ValueError: if a target is outside [0, 1] (the message says which), the shapes do not fit, or for an unknown
            reduction.
        TypeError: if the logits are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.sigmoid_cross_entropy(lm.tensor([0.0, 2.0]), [1, 1]).item(), 4)
        0.41
    """
    return _binary(SigmoidCrossEntropyFunction, logits, targets, sample_weight, reduction, label_smoothing, axis)


def binary_cross_entropy_from_probabilities(
    probabilities: Any,
    labels: Any,
    sample_weight: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Binary cross entropy of probabilities: Keras's `binary_crossentropy`.

    -t log p - (1 - t) log(1 - p), where p is cut at 1e-7 and 1 - 1e-7: where the cut bites, no gradient flows.
    From logits, `sigmoid_cross_entropy` is more exact.

    Args:
        probabilities: tensor of shape (N,) or (N, ..., n), float32 or float64.
        labels: numbers in [0, 1], of the shape of probabilities; (N,) and (N, 1) fit each other.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.
        label_smoothing: s from 0 to 1: labels become (1 - s) t + s / 2.
        axis: the axis of a sample's mean.

    Returns:
        Tensor of shape (), or of the probabilities' without the axis for "none" ((N,) for (N,)).

    Raises:
        ValueError: if a label is outside [0, 1], the shapes do not fit, or for an unknown reduction.
        TypeError: if the probabilities are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.binary_cross_entropy_from_probabilities(lm.tensor([0.25, 0.75]), [0, 1]).item(), 4)
        0.2877
    """
    return _binary(BinaryCrossEntropyFunction, probabilities, labels, sample_weight, reduction, label_smoothing, axis)


def sigmoid_focal_cross_entropy(
    logits: Any,
    targets: Any,
    sample_weight: Any = None,
    reduction: str = "mean",
    alpha: float | None = None,
    gamma: float = 2.0,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Binary focal cross entropy of sigmoid(logits): what is classified well counts little.

    v q^gamma times the binary cross entropy, q = t (1 - p) + (1 - t) p the probability of being wrong, p = sigmoid(x),
    v = alpha t + (1 - alpha) (1 - t), or 1. Mean over an axis, then over samples.

    Args:
        logits: tensor of shape (N,) or (N, ..., n), float32 or float64.
        targets: numbers in [0, 1], of the shape of logits; (N,) and (N, 1) fit each other.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.
        alpha: the weight of class 1, from 0 to 1, that of class 0 being 1 - alpha; None: both weigh 1.
        gamma: the exponent, at least 0; 0 is the plain cross entropy.
        label_smoothing: s from 0 to 1: targets become (1 - s) t + s / 2.
        axis: the axis of a sample's mean.

    Returns:
        Tensor of shape (), or of the logits' without the axis for "none" ((N,) for (N,)).

    Raises:
        ValueError: if a target is outside [0, 1], the shapes do not fit, or for an unknown reduction.
        TypeError: if the logits are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.sigmoid_focal_cross_entropy(lm.tensor([0.0]), [1]).item(), 4)
        0.1733

    Reference:
        Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002.
    """
    extra = _focal(alpha, gamma, SigmoidFocalFunction.name)
    return _binary(SigmoidFocalFunction, logits, targets, sample_weight, reduction, label_smoothing, axis, *extra)


def binary_focal_cross_entropy(
    probabilities: Any,
    labels: Any,
    sample_weight: Any = None,
    reduction: str = "mean",
    alpha: float | None = None,
    gamma: float = 2.0,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Binary focal cross entropy of probabilities; see `sigmoid_focal_cross_entropy`, which is more exact.

    Within the logarithms p is cut at 1e-7 and 1 - 1e-7, as in Keras.

    Args:
        probabilities: tensor of shape (N,) or (N, ..., n), float32 or float64.
        labels: numbers in [0, 1], of the shape of probabilities; (N,) and (N, 1) fit each other.
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `mean_squared_error`.
        alpha: the weight of class 1, from 0 to 1, that of class 0 being 1 - alpha; None: both weigh 1.
        gamma: the exponent, at least 0.
        label_smoothing: s from 0 to 1: labels become (1 - s) t + s / 2.
        axis: the axis of a sample's mean.

    Returns:
        Tensor of shape (), or of the probabilities' without the axis for "none" ((N,) for (N,)).

    Raises:
        ValueError: if a label is outside [0, 1], the shapes do not fit, or for an unknown reduction.
        TypeError: if the probabilities are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> round(lm.ops.binary_focal_cross_entropy(lm.tensor([0.5]), [1]).item(), 4)
        0.1733

    Reference:
        Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002.
    """
    extra = _focal(alpha, gamma, BinaryFocalFunction.name)
    return _binary(BinaryFocalFunction, probabilities, labels, sample_weight, reduction, label_smoothing, axis, *extra)


def _focal(alpha: float | None, gamma: float, op: str) -> tuple[float, float, float]:
    """(a, b, gamma): a sample weighs a t + b."""
    gamma = number(gamma, op, "gamma", 0)
    if alpha is None:
        return 0.0, 1.0, gamma
    alpha = number(alpha, op, "alpha", 0, 1)
    return 2 * alpha - 1, 1 - alpha, gamma


def _binary(
    function: type[WithinUnitFunction],
    x: Any,
    targets: Any,
    sample_weight: Any,
    reduction: str,
    label_smoothing: float,
    axis: int,
    *parameters: float,
) -> Tensor:
    op = function.name
    names = (function.argument, "logits" if function.argument == "targets" else "probabilities")
    if axis != -1:
        x, targets = with_axis_last(float_tensor(x, op, names[1]), targets, axis, op)
    smoothing = smoothing_of(label_smoothing, 0.5, op)
    return pointwise(function, x, targets, sample_weight, reduction, names, *smoothing, *parameters)
