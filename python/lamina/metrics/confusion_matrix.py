"""The confusion matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.metrics.metric import Array, Metric, array_of, divide, weights_for
from lamina.metrics.values import count_of, integer_or_none


class ConfusionMatrix(Metric):
    """How often each true class, a row, was taken for each class, a column.

    Args:
        num_classes: how many classes there are.
        normalize: None for counts, "true" for shares of each row, "pred" of each column, "all" of everything.
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        ignore_class: None, or the class number in y_true of what does not count (pixels without a label, say).

    Example:
        >>> import lamina as lm
        >>> lm.metrics.ConfusionMatrix(2)([0, 0, 1], [0, 1, 1]).tolist()
        [[1.0, 1.0], [0.0, 1.0]]
    """

    def __init__(
        self,
        num_classes: int,
        normalize: str | None = None,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.num_classes = count_of(num_classes, self.name, "num_classes")
        if normalize not in (None, "true", "pred", "all"):
            raise ValueError(f'{self.name}: normalize must be None, "true", "pred" or "all", got {normalize!r}')
        self.normalize = normalize
        self.ignore_class = integer_or_none(ignore_class, self.name, "ignore_class")
        self.reset_state()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """y_true: class numbers, or one-hot in the shape of scores; y_pred: class numbers, or scores (..., classes)."""
        truth, predictions = array_of(y_true), array_of(y_pred)
        if predictions.dtype.kind == "f" and predictions.ndim > 1 and predictions.shape[-1] == self.num_classes > 1:
            if truth.shape == predictions.shape:
                truth = truth.argmax(axis=-1)
            predictions = predictions.argmax(axis=-1)
        if truth.shape == (*predictions.shape, 1):
            truth = truth[..., 0]
        self._matrix += pairs_of(truth, predictions, self.num_classes, sample_weight, self.name, self.ignore_class)

    def result(self) -> Any:
        axis = {"true": 1, "pred": 0}.get(self.normalize or "")
        if self.normalize is None:
            return self._matrix.copy()
        return divide(self._matrix, self._matrix.sum(axis=axis, keepdims=True))

    def reset_state(self) -> None:
        self._matrix = np.zeros((self.num_classes, self.num_classes))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "normalize": self.normalize,
            "ignore_class": self.ignore_class,
        }


def pairs_of(
    truth: Array, predictions: Array, classes: int, sample_weight: Any, name: str, ignored: int | None = None
) -> Array:
    """The weighted counts of (true class, predicted class), (classes, classes).

    Raises:
        ValueError: if the shapes differ, or a class number is out of range (the message says which).
    """
    if truth.shape != predictions.shape:
        raise ValueError(f"{name}: y_true must have the shape of y_pred, {predictions.shape}, got {truth.shape}")
    weights = np.ones(truth.shape)
    if sample_weight is not None:
        given = weights_for(sample_weight, truth.shape, name)
        weights = np.broadcast_to(given.reshape(given.shape + (1,) * (truth.ndim - given.ndim)), truth.shape)
    if ignored is not None:
        counts = truth != ignored
        truth, predictions, weights = truth[counts], predictions[counts], weights[counts]
    numbers = []
    for what, values in (("y_true", truth), ("y_pred", predictions)):
        with np.errstate(invalid="ignore"):  # NaN is found below
            whole = values.astype(np.int64).reshape(-1)
        bad = (whole != values.reshape(-1)) | (whole < 0) | (whole >= classes)
        if bad.any():
            raise ValueError(
                f"{name}: {what} must hold class numbers in [0, {classes}), got {values.reshape(-1)[bad][0]}"
            )
        numbers.append(whole)
    sums = np.bincount(numbers[0] * classes + numbers[1], weights.reshape(-1), minlength=classes * classes)
    return sums.reshape(classes, classes)
