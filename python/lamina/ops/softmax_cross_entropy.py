"""softmax_cross_entropy, from logits and fused with its gradient; and cross entropy from probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.loss import (
    LossFunction,
    check_reduction,
    class_indices,
    constant,
    like_predictions,
    place_in,
    weights_of,
)


class SoftmaxCrossEntropyFunction(LossFunction):
    name = "softmax_cross_entropy"

    def check(self, result: Any, x: Any, targets: Any) -> None:
        if result >= 0:
            raise _bad_label(self.name, targets, result, x.shape[-1])


class SoftCrossEntropyFunction(LossFunction):
    name = "softmax_cross_entropy_soft"


class ProbabilitiesFunction(LossFunction):
    name = "cross_entropy_from_probabilities"


def _bad_label(op: str, labels: Any, index: int, classes: int) -> ValueError:
    value = labels.reshape(-1)[index]
    return ValueError(f"{op}: labels must be in [0, {classes}), got {value}{place_in(labels.shape, index)}")


def _checked(x: Any, reduction: str, op: str, name: str) -> Tensor:
    x = float_tensor(x, op, name)
    check_reduction(reduction, op)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"{op}: {name} must have shape (..., classes), got {x.shape}")
    return x


def softmax_cross_entropy(logits: Any, labels: Any, sample_weight: Any = None, reduction: str = "mean") -> Tensor:
    """Cross entropy of softmax(logits) with labels, over the last axis; never overflows, never takes log 0.

    For a class index c the loss is -log softmax(logits)[c]; for probabilities t it is
    -sum over j of t[j] log softmax(logits)[j]. The gradient is computed in the same pass over the logits.

    Args:
        logits: tensor of shape (N, C) or (..., C), float32 or float64.
        labels: class indices of shape (N,) or (N, 1), any integers; or probabilities (one-hot rows) of shape (N, C).
        sample_weight: None, or weights of shape (N,): they multiply the samples' losses.
        reduction: "mean" (the sum divided by the number of samples, whatever the weights, as in Keras; 0 for no
            samples), "sum", or "none".

    Returns:
        Tensor of shape (), or (N,) for "none".

    Raises:
        ValueError: if a label is out of range (the message says which), the shapes do not fit, or for an unknown
            reduction.
        TypeError: if the logits are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> logits = lm.tensor([[2.0, 0.0], [0.0, 0.0]], requires_grad=True)
        >>> loss = lm.ops.softmax_cross_entropy(logits, [0, 1])
        >>> loss.backward()
        >>> round(loss.item(), 4), logits.grad.numpy().round(4).tolist()[1]
        (0.41, [0.25, -0.25])
    """
    op = "softmax_cross_entropy"
    logits = _checked(logits, reduction, op, "logits")
    array, shape = constant(labels, op, "labels"), logits.shape[:-1]
    weights = weights_of(sample_weight, shape, logits.dtype, op)
    indices = class_indices(array, shape, op)
    if indices is not None:
        return SoftmaxCrossEntropyFunction.apply((logits,), indices, weights, reduction)
    _check_shape(op, array, logits)
    targets = like_predictions(array, logits, op, ("labels", "logits"))
    return SoftCrossEntropyFunction.apply((logits,), targets, weights, reduction)


def _check_shape(op: str, labels: Any, x: Tensor) -> None:
    if labels.shape != x.shape:
        raise ValueError(
            f"{op}: labels must be integers of shape {x.shape[:-1]} or probabilities of shape {x.shape}, "
            f"got {labels.dtype} of shape {labels.shape}"
        )


def cross_entropy_from_probabilities(
    probabilities: Any, labels: Any, sample_weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """Cross entropy of probabilities with labels, over the last axis: Keras's `categorical_crossentropy`.

    -sum over j of t[j] log p[j], where p = probabilities / sum of probabilities, cut at 1e-7 and 1 - 1e-7: where the
    cut bites, no gradient flows. From logits, `softmax_cross_entropy` is more exact and much faster.

    Args:
        probabilities: tensor of shape (N, C) or (..., C), float32 or float64.
        labels: class indices of shape (N,) or (N, 1), any integers; or probabilities (one-hot rows) of shape (N, C).
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `softmax_cross_entropy`.

    Returns:
        Tensor of shape (), or (N,) for "none".

    Raises:
        ValueError: if a label is out of range, the shapes do not fit, or for an unknown reduction.
        TypeError: if the probabilities are not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> loss = lm.ops.cross_entropy_from_probabilities(lm.tensor([[0.25, 0.75]]), [1])
        >>> round(loss.item(), 4)
        0.2877
    """
    op = "cross_entropy_from_probabilities"
    x = _checked(probabilities, reduction, op, "probabilities")
    array, shape = constant(labels, op, "labels"), x.shape[:-1]
    weights = weights_of(sample_weight, shape, x.dtype, op)
    indices = class_indices(array, shape, op)
    if indices is not None:
        bad = np.flatnonzero((indices < 0) | (indices >= x.shape[-1]))
        if bad.size:
            raise _bad_label(op, indices, int(bad[0]), x.shape[-1])
        array = (indices[..., None] == np.arange(x.shape[-1])).astype(x.dtype)
    _check_shape(op, array, x)
    return ProbabilitiesFunction.apply((x,), like_predictions(array, x, op, ("labels", "")), weights, reduction)
