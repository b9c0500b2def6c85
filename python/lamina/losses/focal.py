"""Focal cross entropies: what is classified well counts little."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.losses.crossentropy import CrossentropyLoss, one_hot
from lamina.losses.loss import values_of
from lamina.ops.loss import number


class BinaryFocalCrossentropy(CrossentropyLoss):
    """Mean over an axis of v q^gamma times the binary cross entropy, q the probability of being wrong.

    Computed from the logits where y_pred comes out of a sigmoid.

    Args:
        apply_class_balancing: whether v is alpha for class 1 and 1 - alpha for class 0, rather than 1.
        alpha: see there.
        gamma: the exponent.
        from_logits: whether y_pred holds logits, p = sigmoid(y_pred), rather than p itself.
        label_smoothing: s from 0 to 1: targets become (1 - s) y_true + s / 2.
        axis: the axis of the mean.
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.BinaryFocalCrossentropy()([[0, 1]], [[0.5, 0.25]]).item(), 4)
        0.4765

    Reference:
        Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.apply_class_balancing = bool(apply_class_balancing)
        self.alpha = number(alpha, self.name, "alpha", 0, 1)
        self.gamma = number(gamma, self.name, "gamma", 0)

    def _shape(self, y_pred: Tensor) -> tuple[int, ...]:
        return super()._shape(y_pred) if y_pred.ndim > 1 else y_pred.shape

    def compute(self, y_true: Any, y_pred: Tensor, weights: Any, reduction: str) -> Tensor:
        logits = self._logits(y_pred, binary=True)
        op = ops.binary_focal_cross_entropy if logits is None else ops.sigmoid_focal_cross_entropy
        alpha = self.alpha if self.apply_class_balancing else None
        extra = (weights, reduction, alpha, self.gamma, self.label_smoothing, self.axis)
        return op(y_pred if logits is None else logits, y_true, *extra)


class CategoricalFocalCrossentropy(CrossentropyLoss):
    """-sum over an axis of alpha (1 - p)^gamma y_true log p; y_true is one-hot, in the shape of y_pred.

    Computed from the logits where y_pred comes out of a softmax.

    Args:
        alpha: a weight of all classes, or one for each.
        gamma: the exponent.
        from_logits: whether y_pred holds logits, p = softmax(y_pred), rather than p itself.
        label_smoothing: s from 0 to 1: targets become (1 - s) y_true + s / classes.
        axis: the axis of the classes.
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.CategoricalFocalCrossentropy()([[0, 1]], [[0.5, 0.5]]).item(), 4)
        0.0433

    Reference:
        Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002.
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.alpha = [float(a) for a in alpha] if hasattr(alpha, "__len__") else number(alpha, self.name, "alpha", 0)
        self.gamma = number(gamma, self.name, "gamma", 0)

    def compute(self, y_true: Any, y_pred: Tensor, weights: Any, reduction: str) -> Tensor:
        y_true = one_hot(y_true, y_pred, self.axis, self.name)
        logits = self._logits(y_pred)
        op = ops.categorical_focal_cross_entropy if logits is None else ops.softmax_focal_cross_entropy
        extra = (weights, reduction, self.alpha, self.gamma, self.label_smoothing, self.axis)
        return op(y_pred if logits is None else logits, y_true, *extra)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """The values of `BinaryFocalCrossentropy`, one a sample.

    Args:
        y_true: numbers in [0, 1] in the shape of y_pred; (N,) and (N, 1) fit each other.
        y_pred: tensor of shape (N, ..., n) or (n,).
        apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis: as there.

    Returns:
        Tensor of y_pred's shape without the axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.binary_focal_crossentropy([[0, 1]], [[0.5, 0.25]]).item(), 4)
        0.4765
    """
    op = ops.sigmoid_focal_cross_entropy if from_logits else ops.binary_focal_cross_entropy
    return values_of(lambda t, x, *rest, **more: op(x, t, *rest, **more), y_true, y_pred,
                     alpha=alpha if apply_class_balancing else None, gamma=gamma, label_smoothing=label_smoothing,
                     axis=axis)  # fmt: skip


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """The values of `CategoricalFocalCrossentropy`, one a sample.

    Args:
        y_true: one-hot, or probabilities, in the shape of y_pred.
        y_pred: tensor of shape (..., C).
        alpha, gamma, from_logits, label_smoothing, axis: as there.

    Returns:
        Tensor of y_pred's shape without the axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.categorical_focal_crossentropy([[0, 1]], [[0.5, 0.5]]).item(), 4)
        0.0433
    """
    y_pred = as_tensor(y_pred)
    y_true = one_hot(y_true, y_pred, axis, "categorical_focal_crossentropy")
    op = ops.softmax_focal_cross_entropy if from_logits else ops.categorical_focal_cross_entropy
    return op(y_pred, y_true, None, "none", alpha, gamma, label_smoothing, axis)
