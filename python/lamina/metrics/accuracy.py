"""Shares of right predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.metrics.metric import Array, MeanMetricWrapper, Metric, aligned
from lamina.metrics.values import count_of, share_of


class Accuracy(MeanMetricWrapper):
    """The share of predictions that equal the truth.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.Accuracy()([1, 2, 3, 4], [0, 2, 3, 4])
        0.75
    """

    anywhere = True

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(self._values, name, dtype)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        y_true, y_pred = aligned(y_true, y_pred, self.name)
        return y_true == y_pred


class BinaryAccuracy(MeanMetricWrapper):
    """The share of predictions on the right side of the threshold; the mean of a sample's values counts for it.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        threshold: above it a prediction stands for 1.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.BinaryAccuracy()([[1], [1], [0], [0]], [[0.98], [1.0], [0.0], [0.6]])
        0.75
    """

    anywhere = True

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(self._values, name, dtype)
        self.threshold = share_of(threshold, self.name, "threshold")

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        y_true, y_pred = aligned(y_true, y_pred, self.name)
        return (y_pred > self.threshold).astype(y_true.dtype) == y_true

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(MeanMetricWrapper):
    """The share of predictions whose largest entry is the largest of the truth, one-hot or probabilities.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
        0.5
    """

    anywhere = True

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(self._values, name, dtype)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        return _one_hot(y_true, y_pred, self.name) == y_pred.argmax(axis=-1)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """The share of predictions whose largest entry is at the class number that the truth says.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.SparseCategoricalAccuracy()([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
        0.5
    """

    anywhere = True

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(self._values, name, dtype)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        return y_pred.argmax(axis=-1) == _labels(y_true, y_pred, self.name)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """The share of predictions with the truth's largest entry among their k largest; ties count as within.

    Args:
        k: how many.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.TopKCategoricalAccuracy(k=2)([[0, 0, 1], [1, 0, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.1]])
        0.5
    """

    anywhere = True

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(self._values, name, dtype)
        self.k = count_of(k, self.name, "k")

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        return _in_top(_one_hot(y_true, y_pred, self.name), y_pred, self.k, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """The share of predictions with the truth's class number among their k largest; ties count as within.

    Args:
        k: how many.
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        from_sorted_ids: whether y_pred holds class numbers, the likeliest first, rather than scores.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.SparseTopKCategoricalAccuracy(k=2)([2, 0], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.1]])
        0.5
    """

    anywhere = True

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(self._values, name, dtype)
        self.k, self.from_sorted_ids = count_of(k, self.name, "k"), bool(from_sorted_ids)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        labels = _labels(y_true, y_pred, self.name)
        if self.from_sorted_ids:
            return (y_pred[..., : self.k] == labels[..., None]).any(axis=-1)
        with np.errstate(invalid="ignore"):  # NaN is found below
            whole = labels.astype(np.int64)
        bad = (whole != labels) | (whole < 0) | (whole >= y_pred.shape[-1])
        if backend.on_host(bad) and bad.any():
            raise ValueError(
                f"{self.name}: y_true must hold class numbers in [0, {y_pred.shape[-1]}), got {labels[bad].flat[0]}"
            )
        return _in_top(whole, y_pred, self.k, self.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k, "from_sorted_ids": self.from_sorted_ids}


def _one_hot(y_true: Array, y_pred: Array, name: str) -> Array:
    if y_true.shape != y_pred.shape or y_pred.ndim == 0:
        raise ValueError(f"{name}: y_true must have y_pred's shape {y_pred.shape}, got {y_true.shape}")
    return y_true.argmax(axis=-1)


def _labels(y_true: Array, y_pred: Array, name: str) -> Array:
    if y_true.shape != y_pred.shape[:-1]:
        if y_true.shape != (*y_pred.shape[:-1], 1):
            raise ValueError(
                f"{name}: y_true must have shape {y_pred.shape[:-1]} for y_pred {y_pred.shape}, got {y_true.shape}"
            )
        y_true = y_true[..., 0]
    return y_true


def _in_top(labels: Array, scores: Array, k: int, name: str) -> Array:
    """Whether fewer than k scores of a row are larger than that of its label; NaN is larger, and never within."""
    if k > scores.shape[-1]:
        raise ValueError(f"{name}: k must be at most {scores.shape[-1]}, the number of classes, got {k}")
    own = backend.array_module(scores).take_along_axis(scores, labels[..., None], axis=-1)
    return (~(scores <= own)).sum(axis=-1) < k


def accuracy_for(y_true_shape: tuple[int, ...], y_pred_shape: tuple[int, ...], name: str) -> Metric:
    """What "accuracy" means for these shapes: binary for one output, sparse for class numbers, else categorical.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.accuracy_for((32,), (32, 10), "accuracy")
        <SparseCategoricalAccuracy name=accuracy>
    """
    if len(y_pred_shape) == 0 or y_pred_shape[-1] == 1 or len(y_pred_shape) < 2:
        return BinaryAccuracy(name)
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return SparseCategoricalAccuracy(name)
    return CategoricalAccuracy(name)
