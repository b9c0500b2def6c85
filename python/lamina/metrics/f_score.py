"""F scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina.metrics.metric import Metric, array_of, plain, weights_for
from lamina.ops import checks


class FBetaScore(Metric):
    """(1 + beta^2) precision recall / (beta^2 precision + recall), of each class or averaged.

    Args:
        average: None for an array, "micro" (of all counts), "macro" (the mean), "weighted" (by the classes' sizes).
        beta: how much more recall counts than precision, a float above 0.
        threshold: above it a prediction is positive; None: the largest of a row is.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> metric = lm.metrics.FBetaScore(beta=2.0, threshold=0.5)
        >>> metric([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]).round(4)
        array([0.3846, 0.9091, 0.8333])
    """

    _sums: Any = None  # true positives, false positives, false negatives, positives

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(f'{self.name}: average must be None, "micro", "macro" or "weighted", got {average!r}')
        if not 0 < checks.real_number(beta, self.name, "beta") < math.inf:
            raise ValueError(f"{self.name}: beta must be above 0, got {beta}")
        if threshold is not None and not 0 < checks.real_number(threshold, self.name, "threshold") <= 1:
            raise ValueError(f"{self.name}: threshold must be above 0 and at most 1, got {threshold}")
        self.average, self.beta, self.threshold = average, float(beta), threshold
        self.reset_state()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        truth, y_pred = array_of(y_true).astype(np.float64), array_of(y_pred)
        if y_pred.ndim != 2 or truth.shape != y_pred.shape:
            raise ValueError(
                f"{self.name}: y_true and y_pred must have one shape (N, classes), got {truth.shape}, {y_pred.shape}"
            )
        if self.threshold is None:
            found = (y_pred >= y_pred.max(axis=-1, keepdims=True)) & (np.abs(y_pred) > 1e-9)
        else:
            found = y_pred > self.threshold
        weights = np.ones(1)
        if sample_weight is not None:
            weights = weights_for(sample_weight, truth.shape, self.name)
            weights = weights[:, None] if weights.ndim == 1 else weights
        axis = None if self.average == "micro" else 0
        sums = [
            (values * weights).sum(axis=axis) for values in (found * truth, found * (1 - truth), ~found * truth, truth)
        ]
        if self._sums is None:
            self._sums = np.zeros((4, *np.shape(sums[0])))
        elif self._sums.shape[1:] != np.shape(sums[0]):
            raise ValueError(f"{self.name}: expected {self._sums.shape[1]} classes as before, got {y_pred.shape[1]}")
        self._sums += np.asarray(sums)

    def result(self) -> Any:
        if self._sums is None:
            return 0.0
        right, wrong, missed, weights = self._sums
        precision, recall = right / (right + wrong + 1e-7), right / (right + missed + 1e-7)
        squared = self.beta**2
        score = precision * recall / (squared * precision + recall + 1e-7) * (1 + squared)
        if self.average == "weighted":
            return float((score * (weights / (weights.sum() + 1e-7))).sum())
        return plain(score if self.average is None else score.mean())

    def reset_state(self) -> None:
        self._sums = None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "average": self.average, "beta": self.beta, "threshold": self.threshold}


class F1Score(FBetaScore):
    """2 precision recall / (precision + recall), of each class or averaged: `FBetaScore` with beta 1.

    Args:
        average: None for an array, "micro" (of all counts), "macro" (the mean), "weighted" (by the classes' sizes).
        threshold: above it a prediction is positive; None: the largest of a row is.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.F1Score("macro")([[1, 0], [0, 1], [0, 1]], [[0.6, 0.4], [0.7, 0.3], [0.2, 0.8]]), 4)
        0.6667
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config
