"""Cross entropies and Kullback-Leibler divergence."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.kinds import is_integer
from lamina.losses.loss import FusedLoss, Loss, carried, class_numbers, input_of, mask_of, values_of, without_axis
from lamina.losses.plain import PlainLoss
from lamina.ops.elementary import SigmoidFunction
from lamina.ops.loss import number, weights_of
from lamina.ops.softmax import SoftmaxFunction


class CrossentropyLoss(FusedLoss):
    """What cross entropies share: logits or probabilities, smoothing, an axis."""

    def __init__(
        self,
        from_logits: bool,
        label_smoothing: float,
        axis: int,
        reduction: str | None,
        name: str | None,
        dtype: Any,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not is_integer(axis):
            raise TypeError(f"{self.name}: axis must be an integer, got {axis!r}")
        self.from_logits, self.axis = bool(from_logits), int(axis)
        self.label_smoothing = number(label_smoothing, self.name, "label_smoothing", 0, 1)

    def _shape(self, y_pred: Tensor) -> tuple[int, ...]:
        return without_axis(y_pred.shape, self.axis) if y_pred.ndim else ()

    def _logits(self, y_pred: Tensor, binary: bool = False) -> Tensor | None:
        if self.from_logits:
            return y_pred
        return input_of(y_pred, SigmoidFunction) if binary else input_of(y_pred, SoftmaxFunction, self.axis)


class BinaryCrossentropy(CrossentropyLoss):
    """Mean over an axis of -(y_true log p + (1 - y_true) log(1 - p)).

    Computed exactly, from the logits, where y_pred comes out of a sigmoid; from other probabilities kept within
    [1e-7, 1 - 1e-7].

    Args:
        from_logits: whether y_pred holds logits, p = sigmoid(y_pred), rather than p itself.
        label_smoothing: s from 0 to 1: targets become (1 - s) y_true + s / 2.
        axis: the axis of the mean.
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.BinaryCrossentropy()([[0, 1]], [[0.5, 0.25]]).item(), 4)
        1.0397
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)

    def _shape(self, y_pred: Tensor) -> tuple[int, ...]:
        return super()._shape(y_pred) if y_pred.ndim > 1 else y_pred.shape

    def compute(self, y_true: Any, y_pred: Tensor, weights: Any, reduction: str) -> Tensor:
        logits = self._logits(y_pred, binary=True)
        extra = (weights, reduction, self.label_smoothing, self.axis)
        if logits is not None:
            return ops.sigmoid_cross_entropy(logits, y_true, *extra)
        return ops.binary_cross_entropy_from_probabilities(y_pred, y_true, *extra)


class CategoricalCrossentropy(CrossentropyLoss):
    """-sum over an axis of y_true log p; y_true is one-hot, or probabilities, in the shape of y_pred.

    Computed exactly, from the logits, where y_pred comes out of a softmax; other probabilities are divided by their
    sum and kept within [1e-7, 1 - 1e-7].

    Args:
        from_logits: whether y_pred holds logits, p = softmax(y_pred), rather than p itself.
        label_smoothing: s from 0 to 1: targets become (1 - s) y_true + s / classes.
        axis: the axis of the classes.
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.CategoricalCrossentropy()([[0, 1, 0]], [[0.25, 0.5, 0.25]]).item(), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)

    def compute(self, y_true: Any, y_pred: Tensor, weights: Any, reduction: str) -> Tensor:
        y_true = one_hot(y_true, y_pred, self.axis, self.name)
        logits = self._logits(y_pred)
        op = ops.cross_entropy_from_probabilities if logits is None else ops.softmax_cross_entropy
        x = y_pred if logits is None else logits
        return op(x, y_true, weights, reduction, label_smoothing=self.label_smoothing, axis=self.axis)


class SparseCategoricalCrossentropy(CrossentropyLoss):
    """-log p[y_true]; y_true holds class numbers, in the shape of y_pred without the classes (or with a last 1).

    Computed exactly, from the logits, where y_pred comes out of a softmax; other probabilities are divided by their
    sum and kept within [1e-7, 1 - 1e-7].

    Args:
        from_logits: whether y_pred holds logits, p = softmax(y_pred), rather than p itself.
        ignore_class: a class number whose samples do not count; a mean is one over the others.
        reduction: see the module's head.
        axis: the axis of the classes.
        name: what the history calls it.
        dtype: see `Loss`.
        label_smoothing: s from 0 to 1: a target becomes 1 - s at its class and s / classes everywhere.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.SparseCategoricalCrossentropy()([1], [[0.25, 0.5, 0.25]]).item(), 6)
        0.693147
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        if ignore_class is not None and not is_integer(ignore_class):
            raise TypeError(f"{self.name}: ignore_class must be an integer or None, got {ignore_class!r}")
        self.ignore_class = None if ignore_class is None else int(ignore_class)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> Tensor:
        mask = carried(mask, y_pred)
        y_pred = self._predictions(y_pred)
        shape = self._shape(y_pred)
        labels = class_numbers(y_true, shape, self.name)
        if type(labels) is not type(y_pred.array):
            labels = backend.moved(labels, y_pred.array)
        if self.ignore_class is not None and (mask is not None or self.reduction == "mean_with_sample_weight"):
            counts = labels != self.ignore_class
            if mask is not None:  # the op's mean is over what is not ignored: all that does not count is made to be so
                counts &= mask_of(mask, shape, self.name, y_pred)
                labels = backend.array_module(labels).where(counts, labels, self.ignore_class)
            if self.reduction == "mean_with_sample_weight":
                given = weights_of(sample_weight, shape, y_pred, self.name)
                sample_weight = counts.astype(y_pred.dtype) if given is None else given * counts
            mask = None
        weights, reduction = self._weights(sample_weight, mask, shape, y_pred)
        return self._from_labels(labels, y_pred, weights, reduction)

    def compute(self, y_true: Any, y_pred: Tensor, weights: Any, reduction: str) -> Tensor:
        return self._from_labels(class_numbers(y_true, self._shape(y_pred), self.name), y_pred, weights, reduction)

    def _from_labels(self, labels: Any, y_pred: Tensor, weights: Any, reduction: str) -> Tensor:
        logits = self._logits(y_pred)
        op = ops.cross_entropy_from_probabilities if logits is None else ops.softmax_cross_entropy
        x = y_pred if logits is None else logits
        return op(x, labels, weights, reduction, self.label_smoothing, self.ignore_class, axis=self.axis)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if not self.label_smoothing:  # Keras has none here
            del config["label_smoothing"]
        return config


class CategoricalGeneralizedCrossEntropy(Loss):
    """(1 - p[y_true]^q) / q: between cross entropy (q near 0) and absolute error; it forgives wrong labels.

    Args:
        q: above 0 and below 1.
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> lm.losses.CategoricalGeneralizedCrossEntropy()([1], [[0.75, 0.25]]).item()
        1.0

    Reference:
        Zhang & Sabuncu 2018, arXiv:1805.07836.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.q = number(q, self.name, "q", 0, 1, inside=True)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        labels = class_numbers(y_true, y_pred.shape[:-1], self.name)
        return ops.generalized_cross_entropy(labels, y_pred, self.q)


class KLDivergence(PlainLoss):
    """Sum over the last axis of y_true log(y_true / y_pred), both kept within [1e-7, 1].

    Args:
        reduction: see the module's head.
        name: what the history calls it.
        dtype: see `Loss`.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]]).item(), 4)
        0.1438
    """

    op = staticmethod(ops.kl_divergence_loss)
    default_name = "kl_divergence"


def one_hot(y_true: Any, y_pred: Tensor, axis: int, name: str) -> Any:
    """y_true, if it can be one-hot or probabilities for these predictions.

    Raises:
        ValueError: if it has another shape, or there is one class only.
    """
    shape = np.shape(y_true)
    if shape != y_pred.shape:
        raise ValueError(
            f"{name}: y_true must be one-hot, in y_pred's shape {y_pred.shape}, got {shape}; "
            "for class numbers take sparse_categorical_crossentropy"
        )
    if shape and -len(shape) <= axis < len(shape) and shape[axis] == 1:
        raise ValueError(f"{name}: expected at least two classes, got y_pred of shape {y_pred.shape}")
    return y_true


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """The values of `BinaryCrossentropy`, one a sample.

    Args:
        y_true: numbers in [0, 1] in the shape of y_pred; (N,) and (N, 1) fit each other.
        y_pred: tensor of shape (N, ..., n) or (n,).
        from_logits: whether y_pred holds logits.
        label_smoothing: s from 0 to 1: targets become (1 - s) y_true + s / 2.
        axis: the axis of the mean.

    Returns:
        Tensor of y_pred's shape without the axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.binary_crossentropy([[0, 1]], [[0.5, 0.25]]).item(), 4)
        1.0397
    """
    op = ops.sigmoid_cross_entropy if from_logits else ops.binary_cross_entropy_from_probabilities
    return values_of(lambda t, x, *rest, **more: op(x, t, *rest, **more), y_true, y_pred,
                     label_smoothing=label_smoothing, axis=axis)  # fmt: skip


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """The values of `CategoricalCrossentropy`, one a sample.

    Args:
        y_true: one-hot, or probabilities, in the shape of y_pred.
        y_pred: tensor of shape (..., C).
        from_logits: whether y_pred holds logits.
        label_smoothing: s from 0 to 1: targets become (1 - s) y_true + s / C.
        axis: the axis of the classes.

    Returns:
        Tensor of y_pred's shape without the axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.categorical_crossentropy([[0, 1, 0]], [[0.25, 0.5, 0.25]]).item(), 4)
        0.6931
    """
    y_pred = as_tensor(y_pred)
    y_true = one_hot(y_true, y_pred, axis, "categorical_crossentropy")
    op = ops.softmax_cross_entropy if from_logits else ops.cross_entropy_from_probabilities
    return op(y_pred, y_true, None, "none", label_smoothing=label_smoothing, axis=axis)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Tensor:
    """The values of `SparseCategoricalCrossentropy`, one a sample.

    Args:
        y_true: class numbers, in the shape of y_pred without the classes (or with a last 1).
        y_pred: tensor of shape (..., C).
        from_logits: whether y_pred holds logits.
        ignore_class: a class number whose samples have the value 0.
        axis: the axis of the classes.

    Returns:
        Tensor of y_pred's shape without the axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.sparse_categorical_crossentropy([1], [[0.25, 0.5, 0.25]]).item(), 4)
        0.6931
    """
    y_pred = as_tensor(y_pred)
    labels = class_numbers(y_true, without_axis(y_pred.shape, axis), "sparse_categorical_crossentropy")
    op = ops.softmax_cross_entropy if from_logits else ops.cross_entropy_from_probabilities
    return op(y_pred, labels, None, "none", ignore_index=ignore_class, axis=axis)


def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """Sum over the last axis of y_true log(y_true / y_pred), both kept within [1e-7, 1].

    Args:
        y_true: probabilities in the shape of y_pred.
        y_pred: tensor of shape (N, ..., n) or (n,).

    Returns:
        Tensor of y_pred's shape without its last axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.losses.kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]).item(), 4)
        0.1438
    """
    return values_of(ops.kl_divergence_loss, y_true, y_pred)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Tensor:
    """The values of `CategoricalGeneralizedCrossEntropy`, one a sample.

    Args:
        y_true: class numbers, in the shape of y_pred without the classes.
        y_pred: tensor of shape (..., C), probabilities.
        q: above 0 and below 1.

    Returns:
        Tensor of y_pred's shape without its last axis.

    Example:
        >>> import lamina as lm
        >>> lm.losses.categorical_generalized_cross_entropy([1], [[0.75, 0.25]], 0.5).numpy().tolist()
        [1.0]
    """
    y_pred = as_tensor(y_pred)
    labels = class_numbers(y_true, y_pred.shape[:-1], "categorical_generalized_cross_entropy")
    return ops.generalized_cross_entropy(labels, y_pred, q)
