"""Numbers and shares of true and false positives and negatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.metrics.metric import Array, Metric, array_of, divide
from lamina.metrics.thresholds import LEAST, Counts, counts_at, thresholds_of
from lamina.metrics.values import count_of, integer_or_none


class CountingMetric(Metric):
    """What is made of counts at thresholds, in any order."""

    def __init__(
        self,
        thresholds: Any,
        name: str | None,
        dtype: Any,
        top_k: int | None = None,
        class_id: int | None = None,
        default: float = 0.5,
    ) -> None:
        super().__init__(name, dtype)
        self.init_thresholds = thresholds
        self.thresholds = thresholds_of(thresholds, default if top_k is None else LEAST, self.name)
        self.top_k = None if top_k is None else count_of(top_k, self.name, "top_k")
        self.class_id = integer_or_none(class_id, self.name, "class_id")
        self._order = np.argsort(self.thresholds, kind="stable")
        self.reset_state()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        found = counts_at(
            np.asarray(self.thresholds)[self._order],
            array_of(y_true),
            array_of(y_pred),
            sample_weight,
            self.name,
            class_id=self.class_id,
            top_k=self.top_k,
        )
        for total, counts in zip(self._counts, found, strict=True):
            total[self._order] += counts

    def reset_state(self) -> None:
        self._counts = Counts(*np.zeros((4, len(self.thresholds))))

    def _one(self, values: Array) -> Any:
        """A number for one threshold, an array for several."""
        return float(values[0]) if len(values) == 1 else np.array(values)


class _Count(CountingMetric):
    which: int

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(thresholds, name, dtype)

    def result(self) -> Any:
        return self._one(self._counts[self.which])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_Count):
    """The number of positives, y_true not 0, with y_pred above the threshold; weighted.

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default. For several the result is an array.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.TruePositives()([0, 1, 1, 1], [1, 0, 1, 1])
        2.0
    """

    which = 0


class FalsePositives(_Count):
    """The number of negatives, y_true 0, with y_pred above the threshold; weighted.

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default. For several the result is an array.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.FalsePositives()([0, 1, 0, 0], [0, 0, 1, 1])
        2.0
    """

    which = 1


class TrueNegatives(_Count):
    """The number of negatives, y_true 0, with y_pred not above the threshold; weighted.

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default. For several the result is an array.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.TrueNegatives()([0, 1, 0, 0], [1, 1, 0, 0])
        2.0
    """

    which = 2


class FalseNegatives(_Count):
    """The number of positives, y_true not 0, with y_pred not above the threshold; weighted.

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default. For several the result is an array.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> lm.metrics.FalseNegatives()([0, 1, 1, 1], [0, 1, 0, 0])
        2.0
    """

    which = 3


class _Ratio(CountingMetric):
    other: int

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(thresholds, name, dtype, top_k, class_id)

    def result(self) -> Any:
        right = self._counts.true_positives
        return self._one(divide(right, right + self._counts[self.other]))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


class Precision(_Ratio):
    """The share of the positive predictions that are right: true positives / (true + false positives).

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default. For several the result is an array.
        top_k: None, or that only the k largest of a row are positive; then there is no default threshold.
        class_id: None, or the one class, of the last axis, that counts.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.Precision()([0, 1, 1, 1], [1, 0, 1, 1]), 4)
        0.6667
    """

    other = 1


class Recall(_Ratio):
    """The share of the positives that are found: true positives / (true positives + false negatives).

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default. For several the result is an array.
        top_k: None, or that only the k largest of a row are positive; then there is no default threshold.
        class_id: None, or the one class, of the last axis, that counts.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.Recall()([0, 1, 1, 1], [1, 0, 1, 1]), 4)
        0.6667
    """

    other = 3
