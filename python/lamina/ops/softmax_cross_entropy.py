"""softmax_cross_entropy, from logits and fused with its gradient; and cross entropy from probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.ops.checks import float_tensor, integer
from lamina.ops.loss import (
    LossFunction,
    check_reduction,
    class_indices,
    constant,
    like_predictions,
    place_in,
    smoothing_of,
    sum_of,
    weights_of,
    with_axis_last,
)

NONE_IGNORED = -(2**63)  # as csrc/ops/softmax_cross_entropy.h says it


class SoftmaxCrossEntropyFunction(LossFunction):
    name = "softmax_cross_entropy"

    def check(self, result: Any, x: Any, targets: Any) -> None:
        if result is not None and result >= 0:
            raise ValueError(
                f"{self.name}: labels must be in [0, {x.shape[-1]}), "
                f"got {targets.reshape(-1)[result]}{place_in(targets.shape, result)}"
            )


class ProbabilitiesFunction(SoftmaxCrossEntropyFunction):
    name = "cross_entropy_from_probabilities"


class SoftCrossEntropyFunction(LossFunction):
    name = "softmax_cross_entropy_soft"


class SoftProbabilitiesFunction(LossFunction):
    name = "cross_entropy_from_probabilities_soft"


def softmax_cross_entropy(
    logits: Any,
    labels: Any,
    sample_weight: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    class_weight: Any = None,
    axis: int = -1,
) -> Tensor:
    """Cross entropy of softmax(logits) with labels, over an axis; never overflows, never takes log 0.

    For a class index c the loss is -log softmax(logits)[c]; for probabilities t it is
    -sum over j of t[j] log softmax(logits)[j]. The gradient is computed in the same pass over the logits.

    Args:
        logits: tensor of shape (N, C) or (..., C), float32 or float64.
        labels: class indices of shape (N,) or (N, 1), any integers; or probabilities (one-hot rows) of shape (N, C).
        sample_weight: None, or weights of shape (N,): they multiply the samples' losses.
        reduction: "mean" (the sum divided by the number of samples, whatever the weights, as in Keras; 0 for no
            samples), "sum", or "none". Where samples are ignored, a mean divides by the number of the others; where
            there are class weights and class indices, by the sum of the samples' class weights, as in PyTorch.
        label_smoothing: s from 0 to 1: labels become (1 - s) of themselves and s / C of every class.
        ignore_index: None, or the class index, in range or not, of samples whose loss and gradient are 0.
        class_weight: None, or a weight for each class, (C,).
        axis: the axis of the classes.

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
    return _cross_entropy(
        (SoftmaxCrossEntropyFunction, SoftCrossEntropyFunction),
        "logits",
        (logits, labels, sample_weight, reduction),
        label_smoothing,
        ignore_index,
        class_weight,
        axis,
    )


def cross_entropy_from_probabilities(
    probabilities: Any,
    labels: Any,
    sample_weight: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    class_weight: Any = None,
    axis: int = -1,
) -> Tensor:
    """Cross entropy of probabilities with labels, over an axis: Keras's `categorical_crossentropy`.

    -sum over j of t[j] log p[j], where p = probabilities / sum of probabilities, cut at 1e-7 and 1 - 1e-7: where the
    cut bites, no gradient flows. From logits, `softmax_cross_entropy` is more exact.

    Args:
        probabilities: tensor of shape (N, C) or (..., C), float32 or float64.
        labels: class indices of shape (N,) or (N, 1), any integers; or probabilities (one-hot rows) of shape (N, C).
        sample_weight: None, or weights of shape (N,).
        reduction: "mean", "sum" or "none"; see `softmax_cross_entropy`.
        label_smoothing: s from 0 to 1: labels become (1 - s) of themselves and s / C of every class.
        ignore_index: None, or the class index, in range or not, of samples whose loss and gradient are 0.
        class_weight: None, or a weight for each class, (C,).
        axis: the axis of the classes.

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
    return _cross_entropy(
        (ProbabilitiesFunction, SoftProbabilitiesFunction),
        "probabilities",
        (probabilities, labels, sample_weight, reduction),
        label_smoothing,
        ignore_index,
        class_weight,
        axis,
    )


def _cross_entropy(
    functions: tuple[type[SoftmaxCrossEntropyFunction], type[LossFunction]],
    name: str,
    arguments: tuple[Any, Any, Any, str],
    label_smoothing: float,
    ignore_index: int | None,
    class_weight: Any,
    axis: int,
) -> Tensor:
    """functions: for class indices, and for probabilities as labels."""
    op = functions[0].name
    x, labels, sample_weight, reduction = arguments
    x = float_tensor(x, op, name)
    check_reduction(reduction, op)
    ignore_index = None if ignore_index is None else integer(ignore_index, op, "ignore_index")
    if not is_integer(axis):
        raise TypeError(f"{op}: axis must be an integer, got {axis!r}")
    if x.ndim == 0 or 0 in (x.shape[-1], x.shape[axis] if -x.ndim <= axis < x.ndim else 1):
        raise ValueError(f"{op}: {name} must have shape (..., classes), got {x.shape}")
    if axis != -1:
        x, labels = with_axis_last(x, labels, axis, op)
    array, shape, classes = constant(labels, op, "labels", x), x.shape[:-1], x.shape[-1]
    weights = weights_of(sample_weight, shape, x, op)
    of_classes = None if class_weight is None else _class_weights(class_weight, x, op)
    indices = class_indices(array, shape, op)
    if indices is None:
        if array.shape != x.shape:
            raise ValueError(
                f"{op}: labels must be integers of shape {shape} or probabilities of shape {x.shape}, "
                f"got {array.dtype} of shape {array.shape}"
            )
        if ignore_index is not None:
            raise ValueError(f"{op}: ignore_index needs class indices for labels, got probabilities")
        return _soft(functions[1], x, array, weights, reduction, label_smoothing, of_classes, None)
    count: Any = None
    kept = None if ignore_index is None else indices != ignore_index
    if of_classes is not None:
        of_samples = of_classes.take(indices.clip(0, classes - 1))  # the kernel refuses what is out of range
        if kept is not None:
            of_samples = of_samples * kept
        count = sum_of(of_samples)
        if label_smoothing:  # classes of other weights have a share in every loss
            _check_range(functions[0], x, indices, kept)
            one_hot = _one_hot(indices, x)
            if kept is not None:
                weights = kept.astype(x.dtype) if weights is None else weights * kept
            return _soft(functions[1], x, one_hot, weights, reduction, label_smoothing, of_classes, count)
        weights = backend.contiguous(of_samples if weights is None else weights * of_samples)
    elif kept is not None:
        count = kept.sum()
    ignored = NONE_IGNORED if ignore_index is None else ignore_index
    plain = type(label_smoothing) is float and label_smoothing == 0.0  # as most are
    smoothing = 0.0 if plain else 1.0 - smoothing_of(label_smoothing, 0.0, op)[0]
    if smoothing and functions[0] is ProbabilitiesFunction:
        _check_range(functions[0], x, indices, kept)
        one_hot = _one_hot(indices, x)
        if kept is not None:
            weights = kept.astype(x.dtype) if weights is None else weights * kept
        return _soft(functions[1], x, one_hot, weights, reduction, label_smoothing, None, count)
    return functions[0].apply((x,), indices, weights, reduction, count, ignored, smoothing)


def _one_hot(indices: Any, x: Tensor) -> Any:
    return (indices[..., None] == backend.array_module(indices).arange(x.shape[-1])).astype(x.dtype)


def _soft(
    function: type[LossFunction],
    x: Tensor,
    targets: Any,
    weights: Any,
    reduction: str,
    label_smoothing: float,
    of_classes: Any,
    count: Any,
) -> Tensor:
    scale, shift = smoothing_of(label_smoothing, 1 / x.shape[-1], function.name)
    targets = like_predictions(targets, x, function.name, ("labels", ""))
    if shift:
        targets = targets * x.dtype.type(scale) + x.dtype.type(shift)
    if of_classes is not None:
        targets = targets * of_classes
    if weights is not None:
        weights = backend.contiguous(weights)
    return function.apply((x,), backend.contiguous(targets), weights, reduction, count)


def _check_range(function: type[SoftmaxCrossEntropyFunction], x: Tensor, indices: Any, kept: Any) -> None:
    if not backend.on_host(indices):
        return
    bad = (indices < 0) | (indices >= x.shape[-1])
    if kept is not None:
        bad &= kept
    if bad.any():
        function().check(int(np.flatnonzero(bad)[0]), x, indices)


def _class_weights(class_weight: Any, x: Tensor, op: str) -> Any:
    weights = constant(class_weight, op, "class_weight", x)
    if weights.shape != x.shape[-1:]:
        raise ValueError(f"{op}: class_weight must have shape {x.shape[-1:]}, got {weights.shape}")
    return weights.astype(x.dtype, copy=False)
