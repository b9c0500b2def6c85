"""What detectors share: boxes as targets of a batch, and the best of many boxes as the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import ops
from lamina.applications.networks import refuse_nan
from lamina.autograd.tape import no_grad
from lamina.data.checks import height_and_width
from lamina.metrics.matching import shared_area
from lamina.metrics.metric import array_of
from lamina.ops.checks import integer, real_number

Array = Any


def pad_boxes(boxes: Sequence[Any], labels: Sequence[Any], size: tuple[int, int], most: int | None = None) -> Array:
    """The objects of several pictures as one array, to train detectors with.

    Args:
        boxes: for each picture (n, 4): x_min, y_min, x_max, y_max in pixels. What lies outside the picture is cut off.
        labels: for each picture (n,): classes, from 0.
        size: the pictures' height and width.
        most: how many rows a picture gets; None for the most objects that one has, at least one.

    Returns:
        Array (N, most, 5), float32: the corners in widths and heights of the picture, from 0 to 1, and the class; -1
        is the class of rows without an object.

    Raises:
        ValueError: for lists of different lengths, a picture with more objects than `most`, negative classes, and
            boxes that are inverted, without area, not finite, or altogether outside the picture.

    Example:
        >>> import lamina as lm
        >>> lm.applications.pad_boxes([[[0, 0, 8, 4]], []], [[2], []], size=(8, 16)).tolist()
        [[[0.0, 0.0, 0.5, 0.5, 2.0]], [[0.0, 0.0, 0.0, 0.0, -1.0]]]
    """
    if len(boxes) != len(labels):
        raise ValueError(f"pad_boxes: boxes of {len(boxes)} pictures, labels of {len(labels)}")
    height, width = height_and_width(size, "pad_boxes: size")
    largest = max([len(classes) for classes in labels], default=0)
    rows = max(largest, 1) if most is None else integer(most, "pad_boxes", "most", 1)
    padded = np.zeros((len(boxes), rows, 5), np.float32)
    padded[:, :, 4] = -1
    for i, (corners, classes) in enumerate(zip(boxes, labels, strict=True)):
        x, kinds = np.asarray(corners, np.float64), np.asarray(classes)
        n = len(kinds)
        if n > rows:
            raise ValueError(f"pad_boxes: picture {i} has {n} objects, more than most, {rows}")
        if not n and not x.size:
            continue
        _check_boxes(x, kinds, i, height, width)
        padded[i, :n, :4] = np.clip(x / [width, height, width, height], 0, 1)
        padded[i, :n, 4] = kinds
    return padded


def _check_boxes(x: Array, kinds: Array, i: int, height: int, width: int) -> None:
    if kinds.ndim != 1 or x.shape != (len(kinds), 4):
        raise ValueError(
            f"pad_boxes: picture {i} must have boxes (n, 4) and labels (n,), got {x.shape} and {kinds.shape}"
        )
    if (kinds < 0).any() or (kinds != np.floor(kinds)).any():
        raise ValueError(f"pad_boxes: picture {i}: classes must be whole numbers from 0, got {kinds.tolist()}")
    for k, (left, top, right, bottom) in enumerate(x):
        where = f"pad_boxes: picture {i}: box {k}, {x[k].tolist()},"
        if not np.isfinite(x[k]).all():
            raise ValueError(f"{where} is not finite")
        if right < left or bottom < top:
            raise ValueError(f"{where} is inverted: expected x_min, y_min, x_max, y_max")
        if right == left or bottom == top:
            raise ValueError(f"{where} has no area")
        if left >= width or top >= height or right <= 0 or bottom <= 0:
            raise ValueError(f"{where} lies outside the picture of {height} x {width} pixels")


def best_boxes(
    boxes: Any,
    scores: Any,
    size: tuple[int, int],
    score_threshold: float = 0.25,
    iou_threshold: float = 0.45,
    max_detections: int = 100,
) -> list[dict[str, Array]]:
    """What a detector says in the end: boxes that score well, without those that overlap a better one of their class.

    Args:
        boxes: tensor (N, M, 4): corners in widths and heights of the picture.
        scores: tensor (N, M, classes). A box may be an answer for several classes.
        size: the pictures' height and width; answers are cut at their edges.
        score_threshold: the least score of an answer.
        iou_threshold: how much two boxes of a class may overlap.
        max_detections: how many answers a picture has at most.

    Returns:
        For each picture a dictionary, as `lamina.metrics.MeanAveragePrecision` takes it: "boxes" (n, 4) in pixels,
        float32; "labels" (n,), int64; "scores" (n,), float32; the best first.

    Raises:
        ValueError: for other shapes, scores that are NaN, thresholds outside [0, 1], or max_detections below 1.

    Example:
        >>> import lamina as lm
        >>> boxes, scores = [[[0.0, 0.0, 0.5, 1.0], [0.0, 0.0, 0.5, 0.9]]], [[[0.6], [0.9]]]
        >>> (found,) = lm.applications.best_boxes(boxes, scores, size=(10, 10))
        >>> found["boxes"].tolist(), found["labels"].tolist()
        ([[0.0, 0.0, 5.0, 9.0]], [0])
    """
    corners, values = (array_of(x) for x in (boxes, scores))
    if corners.ndim != 3 or corners.shape[2] != 4 or values.ndim != 3 or values.shape[:2] != corners.shape[:2]:
        raise ValueError(
            f"best_boxes: expected boxes (N, M, 4) and scores (N, M, classes), got {corners.shape} and {values.shape}"
        )
    least = real_number(score_threshold, "best_boxes", "score_threshold")
    if not 0 <= least <= 1:
        raise ValueError(f"best_boxes: score_threshold must be from 0 to 1, got {score_threshold!r}")
    most = integer(max_detections, "best_boxes", "max_detections", 1)
    height, width = height_and_width(size, "best_boxes: size")
    refuse_nan(values, "best_boxes", "scores")
    found = []
    for x, value in zip(corners, values, strict=True):
        rows, labels = np.nonzero(value >= least)
        pixels = np.clip(x[rows] * np.array([width, height, width, height], x.dtype), 0, [width, height, width, height])
        pixels, chosen = pixels.astype(np.float32), value[rows, labels].astype(np.float32)
        with no_grad():
            kept = ops.nms(pixels, chosen, iou_threshold, labels).numpy()[:most]
        found.append({"boxes": pixels[kept], "labels": labels[kept].astype(np.int64), "scores": chosen[kept]})
    return found


def pairwise_iou(a: Array, b: Array) -> Array:
    """IoU of NumPy boxes (..., 4), pair by pair, broadcast."""
    shared = shared_area(a, b)
    union = sum(np.maximum(x[..., 2:] - x[..., :2], 0).prod(axis=-1) for x in (a, b)) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
