"""The area under a curve of rates."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import ops
from lamina.autograd.tensor import Tensor
from lamina.metrics.metric import Array, Metric, array_of, divide
from lamina.metrics.thresholds import Counts, counts_at, thresholds_of
from lamina.metrics.values import count_of

CURVES = ("ROC", "PR", "PRGAIN")
METHODS = ("interpolation", "majoring", "minoring")


class AUC(Metric):
    """The area under the ROC or the precision-recall curve, by sums over thresholds.

    Args:
        num_thresholds: how many, at least 2, evenly from 0 to 1.
        curve: "ROC", "PR" or "PRGAIN".
        summation_method: "interpolation" (trapezoids; for PR as Davis and Goadrich do it), "minoring", "majoring".
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        thresholds: None, or those between 0 and 1 to take in place of num_thresholds.
        multi_label: whether the columns of y_pred are labels of their own, whose areas are averaged.
        num_labels: how many, if multi_label.
        label_weights: None, or a weight for each label: of its area if multi_label, else of its counts.
        from_logits: whether y_pred holds logits rather than probabilities.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.AUC(num_thresholds=3)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]), 4)
        0.75

    Reference:
        Davis & Goadrich 2006, "The relationship between Precision-Recall and ROC curves"; Flach & Kull 2015,
        "Precision-Recall-Gain Curves".
    """

    _counts: Counts | None = None

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name, dtype)
        if str(curve).upper() not in CURVES:
            raise ValueError(f"{self.name}: curve must be one of {list(CURVES)}, got {curve!r}")
        if str(summation_method).lower() not in METHODS:
            raise ValueError(f"{self.name}: summation_method must be one of {list(METHODS)}, got {summation_method!r}")
        if num_labels and not multi_label:
            raise ValueError(f"{self.name}: num_labels is for multi_label=True")
        self.init_thresholds = thresholds
        if thresholds is None:
            count = count_of(num_thresholds, self.name, "num_thresholds", 2)
            inner = [i / (count - 1) for i in range(1, count - 1)]
        else:
            inner = sorted(thresholds_of(thresholds, 0.5, self.name))
        self.num_thresholds = len(inner) + 2
        self.thresholds = [-1e-7, *inner, 1 + 1e-7]
        self.curve, self.summation_method = curve.upper(), summation_method.lower()
        self.multi_label, self.num_labels, self.from_logits = bool(multi_label), num_labels, bool(from_logits)
        self.label_weights = None if label_weights is None else np.asarray(array_of(label_weights), np.float64)
        self.reset_state()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        truth, scores = array_of(y_true), array_of(y_pred)
        if self.from_logits:
            scores = ops.sigmoid(Tensor(scores)).array
        if self.multi_label and (scores.ndim != 2 or (self.num_labels or scores.shape[1]) != scores.shape[1]):
            labels = self.num_labels or "labels"
            raise ValueError(f"{self.name}: y_pred must have shape (N, {labels}), got {scores.shape}")
        if self.label_weights is not None and self.label_weights.shape != scores.shape[1:]:
            raise ValueError(
                f"{self.name}: label_weights must have shape {scores.shape[1:]}, got {self.label_weights.shape}"
            )
        found = counts_at(
            np.asarray(self.thresholds),
            truth,
            scores,
            sample_weight,
            self.name,
            label_weights=None if self.multi_label else self.label_weights,
            by_label=self.multi_label,
        )
        if self._counts is None:
            self._counts = found
        elif self._counts[0].shape != found[0].shape:
            raise ValueError(f"{self.name}: expected {self._counts[0].shape[1]} labels as before, got {scores.shape}")
        else:
            self._counts = Counts(*(a + b for a, b in zip(self._counts, found, strict=True)))

    def result(self) -> float:
        if self._counts is None:
            return 0.0
        if self.curve == "PR" and self.summation_method == "interpolation":
            parts = self._interpolated(self._counts)
        else:
            x, y = self._curve(self._counts)
            heights = _heights(y[:-1], y[1:], self.summation_method)
            parts = (x[:-1] - x[1:]) * heights
        areas = parts.sum(axis=0)
        if not self.multi_label:
            return float(areas)
        if self.label_weights is None:
            return float(areas.mean())
        return float(divide((areas * self.label_weights).sum(), self.label_weights.sum()))

    def _curve(self, c: Counts) -> tuple[Array, Array]:
        recall = divide(c.true_positives, c.true_positives + c.false_negatives)
        if self.curve == "ROC":
            return divide(c.false_positives, c.false_positives + c.true_negatives), recall
        if self.curve == "PR":
            return recall, divide(c.true_positives, c.true_positives + c.false_positives)
        odds = divide(c.true_positives + c.false_negatives, c.true_negatives + c.false_positives)
        none = c.true_positives == 0
        recall_gain = np.where(none, 0.0, 1 - odds * divide(c.false_negatives, c.true_positives))
        precision_gain = np.where(none, 1.0, 1 - odds * divide(c.false_positives, c.true_positives))
        return np.maximum(recall_gain, 0), precision_gain

    def _interpolated(self, c: Counts) -> Array:
        """Between two points true positives are linear in the positives, so that precision is not."""
        positives = c.true_positives + c.false_positives
        rise, step = c.true_positives[:-1] - c.true_positives[1:], positives[:-1] - positives[1:]
        slope = divide(rise, np.maximum(step, 0))
        start = c.true_positives[1:] - slope * positives[1:]
        both = (positives[:-1] > 0) & (positives[1:] > 0)
        ratio = np.where(both, divide(positives[:-1], np.maximum(positives[1:], 0)), 1.0)
        return divide(
            slope * (rise + start * ops.log(Tensor(ratio)).array), c.true_positives[1:] + c.false_negatives[1:]
        )

    def reset_state(self) -> None:
        self._counts = None

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
        }
        if self.init_thresholds is not None:
            config["thresholds"] = self.thresholds[1:-1]
        return config


def _heights(a: Array, b: Array, method: str) -> Array:
    if method == "interpolation":
        return (a + b) / 2
    return np.minimum(a, b) if method == "minoring" else np.maximum(a, b)
