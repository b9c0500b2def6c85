"""Correlations."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.metrics.metric import Array, Mean, MeanMetricWrapper, aligned
from lamina.ops import checks


class PearsonCorrelation(MeanMetricWrapper):
    """The mean over samples of Pearson's correlation of y_true and y_pred along an axis.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        axis: the axis of the values.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.PearsonCorrelation()([[0.0, 1.0, 2.0]], [[0.0, 3.0, 3.0]]), 4)
        0.866
    """

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(self._values, name, dtype)
        self.axis = checks.integer(axis, self.name, "axis")

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        t, p = _centred(y_true, self.axis, self.name, y_pred)
        t_spread, p_spread = (np.sqrt((v * v).mean(axis=self.axis, keepdims=True)) for v in (t, p))
        with np.errstate(divide="ignore", invalid="ignore"):  # a constant has no correlation: NaN, as in Keras
            return (t / t_spread * (p / p_spread)).mean(axis=self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**Mean.get_config(self), "axis": self.axis}


class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean over samples of the concordance of y_true and y_pred along an axis: how near they are to being equal.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        axis: the axis of the values.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.ConcordanceCorrelation()([[0.0, 1.0, 2.0]], [[0.0, 1.0, 1.0]]), 4)
        0.6667
    """

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(self._values, name, dtype)
        self.axis = checks.integer(axis, self.name, "axis")

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        t, p = _centred(y_true, self.axis, self.name, y_pred)
        covariance = (t * p).mean(axis=self.axis)
        spread = (t * t).mean(axis=self.axis) + (p * p).mean(axis=self.axis)
        y_true, y_pred = aligned(y_true, y_pred, self.name)
        between = y_true.mean(axis=self.axis, dtype=np.float64) - y_pred.mean(axis=self.axis, dtype=np.float64)
        return 2 * covariance / (spread + between * between + 1e-7)

    def get_config(self) -> dict[str, Any]:
        return {**Mean.get_config(self), "axis": self.axis}


def _centred(y_true: Array, axis: int, name: str, y_pred: Array) -> tuple[Array, Array]:
    """Both in float64, less their means along the axis."""
    t, p = (v.astype(np.float64) for v in aligned(y_true, y_pred, name))
    return t - t.mean(axis=axis, keepdims=True), p - p.mean(axis=axis, keepdims=True)
