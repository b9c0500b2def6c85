"""Values of samples, from the losses' ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lamina.metrics.metric import Array, aligned


def sample_values(op: Callable[..., Any], y_true: Array, y_pred: Array, name: str, **arguments: Any) -> Array:
    """op's losses, one a sample; (N,) and (N, 1) stand for each other. Computed in float64 unless both are float32."""
    y_true, y_pred = aligned(y_true, y_pred, name)
    if y_pred.dtype != np.float32:
        y_pred = y_pred.astype(np.float64)
    if y_pred.ndim == 0:
        y_true, y_pred = y_true.reshape(1), y_pred.reshape(1)
    return op(y_true, y_pred, None, "none", **arguments).array


def without_axis(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The shape without one axis."""
    if not -len(shape) <= axis < len(shape):
        return shape[:-1]
    axis %= len(shape)
    return shape[:axis] + shape[axis + 1 :]


def class_numbers(y_true: Array, shape: tuple[int, ...], name: str) -> Array:
    """Labels as int64 in the given shape.

    Raises:
        ValueError: if they have another shape (a last axis of length 1 may be there or not), or are not whole.
    """
    if y_true.shape != shape:
        if y_true.shape != (*shape, 1):
            raise ValueError(f"{name}: y_true must hold class numbers in shape {shape}, got {y_true.shape}")
        y_true = y_true.reshape(shape)
    whole = y_true.astype(np.int64)
    if (whole != y_true).any():
        raise ValueError(f"{name}: y_true must hold class numbers, got {y_true[whole != y_true].flat[0]}")
    return whole
