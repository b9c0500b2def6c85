"""Errors of numbers, and likeness of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import ops
from lamina.metrics.metric import Array, Mean, MeanMetricWrapper, Metric, aligned, array_of, divide, plain, weights_for
from lamina.metrics.values import OpMean, count_of, sample_values
from lamina.ops import checks


class MeanSquaredError(OpMean):
    """The mean of (y_true - y_pred)^2.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.MeanSquaredError()([[0, 1], [0, 0]], [[1.0, 1.0], [0.0, 0.0]]), 4)
        0.25
    """

    op = staticmethod(ops.mean_squared_error)
    default_name = "mean_squared_error"


class MeanAbsoluteError(OpMean):
    """The mean of |y_true - y_pred|.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.MeanAbsoluteError()([[0, 1], [0, 0]], [[1.0, 1.0], [0.0, 0.0]]), 4)
        0.25
    """

    op = staticmethod(ops.mean_absolute_error)
    default_name = "mean_absolute_error"


class MeanAbsolutePercentageError(OpMean):
    """The mean of 100 |y_true - y_pred| / max(|y_true|, 1e-7).

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.MeanAbsolutePercentageError()([[2, 4]], [[1.0, 5.0]]), 4)
        37.5
    """

    op = staticmethod(ops.mean_absolute_percentage_error)
    default_name = "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(OpMean):
    """The mean of (log(1 + y_true) - log(1 + y_pred))^2, both kept at 1e-7 or more.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.MeanSquaredLogarithmicError()([[0, 3]], [[1.0, 3.0]]), 4)
        0.2402
    """

    op = staticmethod(ops.mean_squared_logarithmic_error)
    default_name = "mean_squared_logarithmic_error"


class LogCoshError(OpMean):
    """The mean of log(cosh(y_pred - y_true)).

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.LogCoshError()([[0, 1]], [[1.0, 1.0]]), 4)
        0.2169
    """

    op = staticmethod(ops.log_cosh_loss)
    default_name = "logcosh"


class CosineSimilarity(MeanMetricWrapper):
    """The mean cosine of the angle between y_true and y_pred.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        axis: the axis of the vectors.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.CosineSimilarity()([[3, 4]], [[4.0, 3.0]]), 4)
        0.96
    """

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(self._values, name, dtype)
        self.axis = checks.integer(axis, self.name, "axis")

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        values = sample_values(ops.cosine_similarity_loss, y_true, y_pred, self.name, axis=self.axis)
        return -array_of(values)

    def get_config(self) -> dict[str, Any]:
        return {**Mean.get_config(self), "axis": self.axis}


class RootMeanSquaredError(Mean):
    """The root of the mean of (y_true - y_pred)^2.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.RootMeanSquaredError()([[0, 1], [0, 0]], [[1.0, 1.0], [0.0, 0.0]])
        0.5
    """

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = aligned(array_of(y_true), array_of(y_pred), self.name)
        super().update_state(np.square(np.subtract(y_pred, y_true, dtype=np.float64)), sample_weight)

    def result(self) -> float:
        return float(np.sqrt(super().result()))


class R2Score(Metric):
    """The coefficient of determination, 1 - sum (y_true - y_pred)^2 / sum (y_true - mean y_true)^2, of each output.

    Args:
        class_aggregation: "uniform_average" of the outputs, "variance_weighted_average", or None for an array.
        num_regressors: of the model, for the adjusted score; 0 for the plain one.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]]), 4)
        0.5714
    """

    _sums: Any = None  # of y_true, its squares, errors, weights: an array for each
    _samples = 0

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ValueError(
                f'{self.name}: class_aggregation must be None, "uniform_average" or "variance_weighted_average", '
                f"got {class_aggregation!r}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = count_of(num_regressors, self.name, "num_regressors", 0)
        self.reset_state()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = aligned(array_of(y_true), array_of(y_pred), self.name)
        if y_pred.ndim == 1:
            y_true, y_pred = y_true[:, None], y_pred[:, None]
        if y_pred.ndim != 2:
            raise ValueError(f"{self.name}: y_pred must have shape (N, outputs), got {y_pred.shape}")
        y_true, y_pred = y_true.astype(np.float64), y_pred.astype(np.float64)
        weights = np.ones(len(y_true)) if sample_weight is None else weights_for(sample_weight, y_true.shape, self.name)
        weights = np.broadcast_to(weights.reshape(weights.shape + (1,) * (2 - weights.ndim)), y_true.shape)
        if self._sums is None:
            self._sums = np.zeros((4, y_true.shape[1]))
        elif self._sums.shape[1] != y_true.shape[1]:
            raise ValueError(f"{self.name}: expected {self._sums.shape[1]} outputs as before, got {y_true.shape[1]}")
        weighted = y_true * weights
        for i, values in enumerate((weighted, y_true * weighted, (y_true - y_pred) ** 2 * weights, weights)):
            self._sums[i] += values.sum(axis=0)
        self._samples += y_true.size

    def result(self) -> Any:
        if self._sums is None:
            return 0.0
        sums, squares, errors, counts = self._sums
        total = squares - sums * divide(sums, counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = 1 - errors / total
        scores = np.where(np.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            score: Any = scores.mean()
        elif self.class_aggregation == "variance_weighted_average":
            score = divide((total * scores).sum(), total.sum())
        else:
            score = scores
        if 0 < self.num_regressors < self._samples - 1:
            left = self._samples - self.num_regressors - 1.0
            score = 1 - (1 - score) * (self._samples - 1.0) / left
        return plain(score)

    def reset_state(self) -> None:
        self._sums = None
        self._samples = 0

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }
