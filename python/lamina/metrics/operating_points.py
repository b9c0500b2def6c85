"""The best of one rate where another one is bounded."""

from __future__ import annotations

from typing import Any

from lamina.metrics.confusion import CountingMetric
from lamina.metrics.metric import Array, divide
from lamina.metrics.values import count_of, share_of


class _AtBest(CountingMetric):
    """The best of one rate where another is at least a value."""

    def __init__(
        self, value: float, what: str, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any
    ) -> None:
        num_thresholds = count_of(num_thresholds, type(self).__name__, "num_thresholds")
        value = share_of(value, type(self).__name__, what)
        steps = num_thresholds - 1
        super().__init__([i / steps for i in range(num_thresholds)] if steps else [0.5], name, dtype, class_id=class_id)
        self.num_thresholds = num_thresholds
        setattr(self, what, value)
        self._what = what

    def _rates(self) -> tuple[Array, Array]:
        """(the one that is bounded, the one that is wanted)."""
        raise NotImplementedError

    def result(self) -> float:
        bounded, wanted = self._rates()
        good = bounded >= getattr(self, self._what)
        return float(wanted[good].max()) if good.any() else 0.0

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            self._what: getattr(self, self._what),
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
        }

    @property
    def _sensitivity(self) -> Array:
        return divide(self._counts.true_positives, self._counts.true_positives + self._counts.false_negatives)

    @property
    def _specificity(self) -> Array:
        return divide(self._counts.true_negatives, self._counts.true_negatives + self._counts.false_positives)

    @property
    def _precision(self) -> Array:
        return divide(self._counts.true_positives, self._counts.true_positives + self._counts.false_positives)


class SensitivityAtSpecificity(_AtBest):
    """The best sensitivity, tp / (tp + fn), where specificity, tn / (tn + fp), is at least a value.

    Args:
        specificity: the value, in [0, 1].
        num_thresholds: how many, from 0 to 1.
        class_id: None, or the one class, of the last axis, that counts.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8])
        0.5
    """

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, "specificity", num_thresholds, class_id, name, dtype)

    def _rates(self) -> tuple[Array, Array]:
        return self._specificity, self._sensitivity


class SpecificityAtSensitivity(_AtBest):
    """The best specificity, tn / (tn + fp), where sensitivity, tp / (tp + fn), is at least a value.

    Args:
        sensitivity: the value, in [0, 1].
        num_thresholds: how many, from 0 to 1.
        class_id: None, or the one class, of the last axis, that counts.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> metric = lm.metrics.SpecificityAtSensitivity(0.5)
        >>> round(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]), 4)
        0.6667
    """

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, "sensitivity", num_thresholds, class_id, name, dtype)

    def _rates(self) -> tuple[Array, Array]:
        return self._sensitivity, self._specificity


class PrecisionAtRecall(_AtBest):
    """The best precision, tp / (tp + fp), where recall, tp / (tp + fn), is at least a value.

    Args:
        recall: the value, in [0, 1].
        num_thresholds: how many, from 0 to 1.
        class_id: None, or the one class, of the last axis, that counts.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8])
        0.5
    """

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, "recall", num_thresholds, class_id, name, dtype)

    def _rates(self) -> tuple[Array, Array]:
        return self._sensitivity, self._precision


class RecallAtPrecision(_AtBest):
    """The best recall, tp / (tp + fn), where precision, tp / (tp + fp), is at least a value.

    Args:
        precision: the value, in [0, 1].
        num_thresholds: how many, from 0 to 1.
        class_id: None, or the one class, of the last axis, that counts.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.RecallAtPrecision(0.8)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9])
        0.5
    """

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, "precision", num_thresholds, class_id, name, dtype)

    def _rates(self) -> tuple[Array, Array]:
        return self._precision, self._sensitivity
