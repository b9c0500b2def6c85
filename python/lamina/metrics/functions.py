"""Accuracies and correlations as functions: values, where the classes of these names give their mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.autograd.tensor import Tensor
from lamina.metrics.accuracy import (
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from lamina.metrics.correlation import ConcordanceCorrelation, PearsonCorrelation


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """1 where a prediction lies on the right side of the threshold, else 0.

    Args:
        y_true: 0 or 1, of the shape of y_pred.
        y_pred: predictions.
        threshold: above it a prediction stands for 1.

    Returns:
        Tensor of float32 of that shape.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.binary_accuracy([1, 0, 1], [0.9, 0.6, 0.8]).numpy().tolist()
        [1.0, 0.0, 1.0]
    """
    return _values(BinaryAccuracy(threshold=threshold), y_true, y_pred)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where the largest entry of a prediction is the largest of the truth, else 0.

    Args:
        y_true: one-hot or probabilities, of the shape of y_pred.
        y_pred: scores (..., C).

    Returns:
        Tensor (...) of float32.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.categorical_accuracy([[0, 1], [1, 0]], [[0.2, 0.8], [0.4, 0.6]]).numpy().tolist()
        [1.0, 0.0]
    """
    return _values(CategoricalAccuracy(), y_true, y_pred)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where the largest entry of a prediction is at the class number of the truth, else 0.

    Args:
        y_true: class numbers (...) or (..., 1).
        y_pred: scores (..., C).

    Returns:
        Tensor (...) of float32.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.sparse_categorical_accuracy([1, 0], [[0.2, 0.8], [0.4, 0.6]]).numpy().tolist()
        [1.0, 0.0]
    """
    return _values(SparseCategoricalAccuracy(), y_true, y_pred)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """1 where the truth's largest entry is among the k largest of the prediction, else 0.

    Args:
        y_true: one-hot or probabilities, of the shape of y_pred.
        y_pred: scores (..., C).
        k: how many.

    Returns:
        Tensor (...) of float32.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.top_k_categorical_accuracy([[0, 0, 1]], [[0.5, 0.2, 0.3]], k=2).numpy().tolist()
        [1.0]
    """
    return _values(TopKCategoricalAccuracy(k), y_true, y_pred)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Tensor:
    """1 where the truth's class number is among the k largest of the prediction, else 0.

    Args:
        y_true: class numbers (...) or (..., 1).
        y_pred: scores (..., C).
        k: how many.
        from_sorted_ids: whether y_pred holds class numbers, the likeliest first, rather than scores.

    Returns:
        Tensor (...) of float32.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.sparse_top_k_categorical_accuracy([2], [[0.5, 0.2, 0.3]], k=1).numpy().tolist()
        [0.0]
    """
    return _values(SparseTopKCategoricalAccuracy(k, from_sorted_ids=from_sorted_ids), y_true, y_pred)


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Pearson's correlation of y_true and y_pred along an axis; NaN where one of them is constant.

    Args:
        y_true: numbers, of the shape of y_pred.
        y_pred: predictions.
        axis: the axis of the values.

    Returns:
        Tensor of float32, of y_pred's shape without the axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.pearson_correlation([[0.0, 1.0, 2.0]], [[0.0, 3.0, 3.0]]).item(), 4)
        0.866
    """
    return _values(PearsonCorrelation(axis=axis), y_true, y_pred)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """The concordance of y_true and y_pred along an axis: how near they are to being equal.

    Args:
        y_true: numbers, of the shape of y_pred.
        y_pred: predictions.
        axis: the axis of the values.

    Returns:
        Tensor of float32, of y_pred's shape without the axis.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.concordance_correlation([[0.0, 1.0, 2.0]], [[0.0, 1.0, 1.0]]).item(), 4)
        0.6667
    """
    return _values(ConcordanceCorrelation(axis=axis), y_true, y_pred)


def _values(metric: Any, y_true: Any, y_pred: Any) -> Tensor:
    arrays = [np.asarray(value.array if isinstance(value, Tensor) else value) for value in (y_true, y_pred)]
    return Tensor(np.asarray(metric._values(*arrays), np.float32))
