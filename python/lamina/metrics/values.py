"""Values of samples, from the losses' ops, and their means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from lamina.kinds import is_integer
from lamina.metrics.metric import Array, MeanMetricWrapper, aligned


def sample_values(op: Callable[..., Any], y_true: Array, y_pred: Array, name: str, **arguments: Any) -> Array:
    """op's losses, one a sample; (N,) and (N, 1) stand for each other. Computed in float64 unless both are float32."""
    y_true, y_pred = aligned(y_true, y_pred, name)
    if y_pred.dtype != np.float32:
        y_pred = y_pred.astype(np.float64)
    if y_pred.ndim == 0:
        y_true, y_pred = y_true.reshape(1), y_pred.reshape(1)
    return op(y_true, y_pred, None, "none", **arguments).array


class OpMean(MeanMetricWrapper):
    """The mean of a loss's op without arguments of its own. A subclass gives its `op` and its `default_name`."""

    anywhere = True
    op: ClassVar[Callable[..., Any]]
    default_name: ClassVar[str]

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(self._values, name or self.default_name, dtype)

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        return sample_values(type(self).op, y_true, y_pred, self.name)


def count_of(value: Any, name: str, what: str, least: int = 1) -> int:
    """value as an integer of at least `least`.

    Raises:
        TypeError: if it is no integer.
        ValueError: if it is too small.
    """
    if not is_integer(value):
        raise TypeError(f"{name}: {what} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name}: {what} must be at least {least}, got {value}")
    return int(value)
