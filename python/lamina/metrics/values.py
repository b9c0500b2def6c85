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
