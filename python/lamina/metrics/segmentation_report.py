"""How well pixels were told apart, class by class: overlap with the truth, precision, recall; and their means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.metrics.confusion_matrix import ConfusionMatrix
from lamina.metrics.metric import Array, divide


class SegmentationReport:
    """What `segmentation_report` found; its text is a table.

    Args:
        confusion: pixels of each true class, a row, taken for each class, a column; (classes, classes).
        class_names: of the rows.

    Example:
        >>> import lamina as lm
        >>> report = lm.metrics.SegmentationReport([[3, 1], [0, 4]], ("sky", "sea"))
        >>> report.pixel_accuracy, report.iou.tolist()
        (0.875, [0.75, 0.8])
        >>> report
        <SegmentationReport classes=2 pixels=8 mean_iou=0.775>
    """

    def __init__(self, confusion: Any, class_names: Sequence[str]) -> None:
        confusion = np.asarray(confusion, np.float64)
        names = tuple(str(name) for name in class_names)
        if confusion.shape != (len(names), len(names)):
            raise ValueError(
                f"SegmentationReport: confusion must be {len(names)}x{len(names)}, a row and a column for each of "
                f"class_names, got shape {confusion.shape}"
            )
        self.confusion: Array = confusion
        self.class_names: tuple[str, ...] = names

    @property
    def pixels(self) -> Array:
        """How many there truly are of each class, (classes,)."""
        return self.confusion.sum(axis=1)

    @property
    def iou(self) -> Array:
        """True positives / (true positives + false positives + false negatives), (classes,); NaN without any."""
        return _over(self._right, self.pixels + self.confusion.sum(axis=0) - self._right)

    @property
    def dice(self) -> Array:
        """2 true positives / (2 true positives + false positives + false negatives), (classes,); or NaN."""
        return _over(2 * self._right, self.pixels + self.confusion.sum(axis=0))

    @property
    def precision(self) -> Array:
        """The share of the pixels taken for a class that are of it, (classes,); NaN where none were."""
        return _over(self._right, self.confusion.sum(axis=0))

    @property
    def recall(self) -> Array:
        """The share of a class's pixels that were taken for it, (classes,); NaN where there are none."""
        return _over(self._right, self.pixels)

    @property
    def mean_iou(self) -> float:
        """The mean of `iou` over the classes that occur, in the truth or in the answers."""
        return _mean(self.iou)

    @property
    def mean_dice(self) -> float:
        """The mean of `dice` over the classes that occur."""
        return _mean(self.dice)

    @property
    def mean_accuracy(self) -> float:
        """The mean of `recall` over the classes that truly occur."""
        return _mean(self.recall)

    @property
    def pixel_accuracy(self) -> float:
        """The share of pixels whose class was named rightly."""
        return float(divide(self._right.sum(), self.confusion.sum()))

    @property
    def frequency_weighted_iou(self) -> float:
        """The mean of `iou`, each class by its share of the true pixels."""
        return float(divide((self.pixels * np.nan_to_num(self.iou)).sum(), self.confusion.sum()))

    @property
    def _right(self) -> Array:
        return np.diagonal(self.confusion)

    def __repr__(self) -> str:
        classes, pixels = len(self.class_names), self.confusion.sum()
        return f"<SegmentationReport classes={classes} pixels={pixels:.0f} mean_iou={self.mean_iou:.3f}>"

    def __str__(self) -> str:
        width = max(len("mean"), *map(len, self.class_names))
        lines = [f"{'class':<{width}}  {'IoU':>6}  {'Dice':>6}  {'prec.':>6}  {'recall':>6}  {'pixels':>10}"]
        rows = zip(self.class_names, self.iou, self.dice, self.precision, self.recall, self.pixels, strict=True)
        for name, *shares, pixels in rows:
            lines.append(f"{name:<{width}}  {'  '.join(_cell(share) for share in shares)}  {pixels:>10.0f}")
        means = (self.mean_iou, self.mean_dice, _mean(self.precision), self.mean_accuracy)
        lines.append(f"{'mean':<{width}}  {'  '.join(_cell(mean) for mean in means)}  {self.pixels.sum():>10.0f}")
        lines.append(
            f"pixels named rightly {self.pixel_accuracy:.1%}, IoU by frequency {self.frequency_weighted_iou:.3f}"
        )
        return "\n".join(lines)


def segmentation_report(
    y_true: Any,
    y_pred: Any,
    num_classes: int,
    class_names: Sequence[str] | None = None,
    ignore_class: int | None = None,
) -> SegmentationReport:
    """IoU, Dice, precision and recall of each class, their means, and the pixels' confusion matrix.

    Args:
        y_true: class numbers (..., H, W), or one-hot in the shape of scores.
        y_pred: class numbers (..., H, W), or scores (..., H, W, num_classes) whose largest one is the answer.
        num_classes: how many there are, background included.
        class_names: of them, for the table; None for their numbers.
        ignore_class: None, or the number in y_true of pixels that do not count (255 in VOC's masks).

    Returns:
        SegmentationReport. The four of Long et al. are its pixel_accuracy, mean_accuracy, mean_iou and
        frequency_weighted_iou.

    Raises:
        ValueError: if shapes differ, a class number is out of range, or there are not as many names as classes.

    Example:
        >>> import lamina as lm
        >>> truth, answer = [[0, 0, 1], [0, 1, 255]], [[0, 1, 1], [0, 1, 0]]
        >>> print(lm.metrics.segmentation_report(truth, answer, 2, ["field", "house"], ignore_class=255))
        class     IoU    Dice   prec.  recall      pixels
        field   0.667   0.800   1.000   0.667           3
        house   0.667   0.800   0.667   1.000           2
        mean    0.667   0.800   0.833   0.833           5
        pixels named rightly 80.0%, IoU by frequency 0.667

    Reference:
        Long, Shelhamer & Darrell 2015, arXiv:1411.4038.
    """
    matrix = ConfusionMatrix(num_classes, name="segmentation_report", ignore_class=ignore_class)
    names = tuple(map(str, range(num_classes))) if class_names is None else tuple(class_names)
    if len(names) != num_classes:
        raise ValueError(f"segmentation_report: class_names must be {num_classes} names, got {len(names)}")
    return SegmentationReport(matrix(y_true, y_pred), names)


def _over(part: Array, whole: Array) -> Array:
    """part / whole, NaN where whole is 0: a class that does not occur is no class at 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _mean(values: Array) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")


def _cell(share: float) -> str:
    return f"{'-':>6}" if np.isnan(share) else f"{share:>6.3f}"
