"""True and false positives and negatives at thresholds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lamina.metrics.metric import Array, aligned, weights_for
from lamina.ops import checks

LEAST = -1e10  # below every score: a threshold that all of the top k pass


class Counts(NamedTuple):
    """Weighted counts at each threshold, (T,), or of each label too, (T, L)."""

    true_positives: Array
    false_positives: Array
    true_negatives: Array
    false_negatives: Array


def thresholds_of(thresholds: Any, default: float, name: str) -> list[float]:
    """A list of thresholds from None, one or several.

    Raises:
        ValueError: if one is outside [0, 1].
    """
    if thresholds is None:
        return [default]
    several = hasattr(thresholds, "__len__") and not isinstance(thresholds, str)
    found = [checks.real_number(t, name, "thresholds") for t in (thresholds if several else [thresholds])]
    bad = [t for t in found if not 0 <= t <= 1]
    if bad or not found:
        raise ValueError(f"{name}: thresholds must be in [0, 1], got {bad[0] if bad else thresholds}")
    return found


def evenly_spread(thresholds: Any) -> bool:
    """Whether they are 0, 1 / (T - 1), ..., 1, nearly."""
    count = len(thresholds)
    return count >= 3 and np.allclose(thresholds, np.arange(count) / (count - 1), atol=1e-7)


def counts_at(
    thresholds: Any,
    y_true: Array,
    y_pred: Array,
    sample_weight: Any,
    name: str,
    *,
    class_id: int | None = None,
    top_k: int | None = None,
    label_weights: Any = None,
    by_label: bool = False,
) -> Counts:
    """Counts of y_pred > threshold against y_true, not 0.

    Comparisons are float32's, as in Keras. For evenly spread thresholds the place of a score is found by
    multiplication, for others by search.

    Raises:
        ValueError: if shapes do not fit, or class_id or top_k is out of range.
    """
    y_true, y_pred = aligned(y_true, y_pred, name)
    y_pred = y_pred.astype(np.float32)
    truth = y_true != 0
    if y_pred.ndim == 0:
        truth, y_pred = truth.reshape(1), y_pred.reshape(1)
    weights = np.ones(1) if sample_weight is None else weights_for(sample_weight, y_pred.shape, name)
    if sample_weight is not None:
        weights = weights.reshape(weights.shape + (1,) * (y_pred.ndim - weights.ndim))
    if top_k is not None:
        y_pred = _only_top(y_pred, top_k, name)
    if class_id is not None:
        if y_pred.ndim < 2 or not -y_pred.shape[-1] <= class_id < y_pred.shape[-1]:
            raise ValueError(f"{name}: class_id {class_id} is out of range for y_pred of shape {y_pred.shape}")
        truth, y_pred = truth[..., class_id], y_pred[..., class_id]
        if weights.ndim > 1:
            weights = weights[..., class_id if weights.shape[-1] > 1 else 0]
    if label_weights is not None:
        weights = weights * label_weights
    weights = np.broadcast_to(weights, y_pred.shape)
    passed = _passed(np.asarray(thresholds), y_pred)
    labels = y_pred.shape[-1] if by_label else 1
    places = (passed * labels + np.arange(labels)) if by_label else passed
    positive = _histogram(places, weights * truth, len(thresholds), labels)
    negative = _histogram(places, weights * ~truth, len(thresholds), labels)
    shape = (len(thresholds), labels) if by_label else (len(thresholds),)

    def beyond(histogram: Array) -> Array:  # what passed threshold k: passed more than k
        return histogram[::-1].cumsum(axis=0)[::-1][1:].reshape(shape)

    true_positives, false_positives = beyond(positive), beyond(negative)
    all_true, all_false = positive.sum(axis=0), negative.sum(axis=0)
    if not by_label:
        all_true, all_false = all_true[0], all_false[0]
    return Counts(true_positives, false_positives, all_false - false_positives, all_true - true_positives)


def _passed(thresholds: Array, y_pred: Array) -> Array:
    """How many thresholds each score is above, if they are counted in order. NaN is above none."""
    count = len(thresholds)
    if evenly_spread(thresholds):
        scores = np.nan_to_num(np.clip(y_pred, np.float32(0), np.float32(1)))
        passed = np.ceil(scores * np.float32(count - 1)).astype(np.int64)
        passed = np.maximum(passed, 1) if thresholds[0] < 0 else passed
    else:
        passed = np.searchsorted(thresholds.astype(np.float32), y_pred, side="left")
    return np.where(np.isnan(y_pred), 0, passed)


def _histogram(places: Array, weights: Array, thresholds: int, labels: int) -> Array:
    sums = np.bincount(places.reshape(-1), weights.reshape(-1), minlength=(thresholds + 1) * labels)
    return sums.reshape(thresholds + 1, labels)


def _only_top(y_pred: Array, k: int, name: str) -> Array:
    if not 1 <= k <= y_pred.shape[-1]:
        raise ValueError(f"{name}: top_k must be from 1 to {y_pred.shape[-1]}, got {k}")
    order = np.argsort(-y_pred, axis=-1, kind="stable")
    y_pred = y_pred.copy()
    np.put_along_axis(y_pred, order[..., k:], np.float32(LEAST), axis=-1)
    return y_pred
