"""Values of samples, from the losses' ops, and their means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from lamina.kinds import is_integer
from lamina.metrics.metric import Array, MeanMetricWrapper, aligned
from lamina.ops import checks

MOST = 1 << 24  # of classes, thresholds and the like, each of which takes memory


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


def share_of(value: Any, name: str, what: str) -> float:
    """value as a number from 0 to 1.

    Raises:
        TypeError: if it is no number.
        ValueError: if it lies outside.
    """
    value = checks.real_number(value, name, what)
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: {what} must be in [0, 1], got {value}")
    return value


def integer_or_none(value: Any, name: str, what: str) -> int | None:
    """value as an integer, or None; TypeError if it is neither."""
    return None if value is None else checks.integer(value, name, what)


def count_of(value: Any, name: str, what: str, least: int = 1) -> int:
    """value as an integer of at least `least`.

    Raises:
        TypeError: if it is no integer.
        ValueError: if it is too small, or beyond all use.
    """
    if not is_integer(value):
        raise TypeError(f"{name}: {what} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name}: {what} must be at least {least}, got {value}")
    if value > MOST:
        raise ValueError(f"{name}: {what} must be at most {MOST}, got {value}")
    return int(value)
