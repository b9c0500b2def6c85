"""Overlap of regions: intersection over union, and Dice's coefficient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import ops
from lamina.metrics.confusion_matrix import pairs_of
from lamina.metrics.metric import Array, MeanMetricWrapper, Metric, aligned, array_of
from lamina.metrics.values import count_of, integer_or_none, share_of
from lamina.ops import checks


class IoU(Metric):
    """The mean over some classes of true positives / (true positives + false positives + false negatives).

    Classes that occur neither in the truth nor in the predictions do not count. Weights may be fractions (Keras cuts
    them to whole numbers).

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes whose mean is wanted.
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        ignore_class: None, or the class number in y_true of what does not count.
        sparse_y_true: whether y_true holds class numbers rather than one-hot rows.
        sparse_y_pred: whether y_pred holds class numbers rather than scores.
        axis: of the classes, where there are any.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1]), 4)
        0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        self.num_classes = count_of(num_classes, self.name, "num_classes")
        if not hasattr(target_class_ids, "__iter__") or isinstance(target_class_ids, str):
            raise TypeError(f"{self.name}: target_class_ids must be class numbers, got {target_class_ids!r}")
        self.target_class_ids = [checks.integer(i, self.name, "target_class_ids") for i in target_class_ids]
        if not self.target_class_ids or not 0 <= min(self.target_class_ids) <= max(self.target_class_ids) < num_classes:
            raise ValueError(
                f"{self.name}: target_class_ids must be in [0, {num_classes}), got {self.target_class_ids}"
            )
        self.ignore_class = integer_or_none(ignore_class, self.name, "ignore_class")
        self.axis = checks.integer(axis, self.name, "axis")
        self.sparse_y_true, self.sparse_y_pred = bool(sparse_y_true), bool(sparse_y_pred)
        self.reset_state()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        truth, predictions = array_of(y_true), array_of(y_pred)
        if not self.sparse_y_true:
            truth = truth.argmax(axis=self.axis)
        if not self.sparse_y_pred:
            predictions = predictions.argmax(axis=self.axis)
        truth, predictions = aligned(truth, predictions, self.name)
        self._matrix += pairs_of(truth, predictions, self.num_classes, sample_weight, self.name, self.ignore_class)

    def result(self) -> float:
        right = np.diagonal(self._matrix)
        union = (self._matrix.sum(axis=0) + self._matrix.sum(axis=1) - right)[self.target_class_ids]
        there = union > 1e-9
        shares = np.where(there, right[self.target_class_ids] / (union + 1e-7), 0)
        return float(shares.sum() / (there.sum() + 1e-7))

    def reset_state(self) -> None:
        self._matrix = np.zeros((self.num_classes, self.num_classes))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }


class BinaryIoU(IoU):
    """`IoU` of two classes, predictions at least `threshold` standing for 1.

    Args:
        target_class_ids: the classes whose mean is wanted: 0, 1 or both.
        threshold: as said.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.BinaryIoU([1], threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]), 4)
        0.3333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = share_of(threshold, self.name, "threshold")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        positive = array_of(y_pred).astype(np.float32) >= self.threshold
        super().update_state(y_true, positive.astype(np.int64), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "target_class_ids": self.target_class_ids, "threshold": self.threshold}


class MeanIoU(IoU):
    """`IoU` over all classes.

    Args:
        num_classes: how many classes there are.
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        ignore_class: None, or the class number in y_true of what does not count.
        sparse_y_true: whether y_true holds class numbers rather than one-hot rows.
        sparse_y_pred: whether y_pred holds class numbers rather than scores.
        axis: of the classes, where there are any.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1]), 4)
        0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        classes = range(count_of(num_classes, name or "MeanIoU", "num_classes"))
        super().__init__(num_classes, classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["target_class_ids"]
        return config


class OneHotIoU(IoU):
    """`IoU` of one-hot truth, and scores unless sparse_y_pred.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes whose mean is wanted.
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        ignore_class: None, or the class number in y_true of what does not count.
        sparse_y_pred: whether y_pred holds class numbers rather than scores.
        axis: of the classes.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.OneHotIoU(2, [0])([[1, 0], [1, 0]], [[0.9, 0.1], [0.2, 0.8]]), 4)
        0.5
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["sparse_y_true"]
        return config


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot truth, and scores unless sparse_y_pred.

    Args:
        num_classes: how many classes there are.
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        ignore_class: None, or the class number in y_true of what does not count.
        sparse_y_pred: whether y_pred holds class numbers rather than scores.
        axis: of the classes.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.OneHotMeanIoU(2)([[1, 0], [1, 0]], [[0.9, 0.1], [0.2, 0.8]]), 4)
        0.25
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["sparse_y_true"]
        return config


class Dice(MeanMetricWrapper):
    """The mean over batches (or samples) of 2 sum(t x) / (sum t + sum x + 1e-7): 1 where both are the same region.

    Args:
        name: what the history calls it.
        dtype: accepted for Keras's sake.
        axis: what a value sums over: (1, 2, 3) gives one for each image; None, one for the batch.

    Example:
        >>> import lamina as lm
        >>> round(lm.metrics.Dice()([[1, 0, 1]], [[0.5, 0.0, 1.0]]), 4)
        0.8571
    """

    def __init__(self, name: str | None = "dice", dtype: Any = None, axis: Any = None) -> None:
        super().__init__(self._values, name, dtype)
        several = isinstance(axis, tuple | list)
        axes = (
            () if axis is None else tuple(checks.integer(a, self.name, "axis") for a in (axis if several else [axis]))
        )
        self.axis = axes if several else axis

    def _values(self, y_true: Array, y_pred: Array) -> Array:
        if y_true.shape == (*y_pred.shape, 1) or y_pred.shape == (*y_true.shape, 1):
            y_true = y_true.reshape(y_pred.shape)
        return 1 - ops.dice_loss(y_true, y_pred.astype(np.float64), None, "none", self.axis).array

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
