"""nms: non-maximum suppression, of boxes that overlap the best alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.checks import beside, float_tensor, real_number


def nms(boxes: Any, scores: Any, iou_threshold: float = 0.5, labels: Any = None) -> Tensor:
    """Non-maximum suppression: takes boxes from the best down, but none that overlaps one taken before.

    Two boxes overlap if intersection / union is more than the threshold. Boxes of equal scores are taken in their
    order. Without gradient.

    Args:
        boxes: tensor of shape (N, 4) of corners (x_min, y_min, x_max, y_max), float32 or float64.
        scores: tensor of shape (N,).
        iou_threshold: from 0 to 1.
        labels: tensor of shape (N,), integers: only boxes of one label suppress each other. None: all do.

    Returns:
        Tensor of int64: which boxes are taken, the best first.

    Raises:
        ValueError: for other shapes, boxes that are inverted or not finite, scores that are NaN, or another threshold.
        TypeError: for boxes or scores that are no numbers, labels that are no integers, or mixed devices.

    Example:
        >>> import lamina as lm
        >>> boxes = lm.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]])
        >>> lm.ops.nms(boxes, [0.8, 0.9, 0.1], 0.5).numpy().tolist()
        [1, 2]

    Reference:
        Felzenszwalb et al. 2010, "Object Detection with Discriminatively Trained Part-Based Models".
    """
    box_tensor = float_tensor(boxes, "nms", "boxes")
    score_tensor = float_tensor(beside(scores, box_tensor, "nms", "scores"), "nms", "scores")
    threshold = real_number(iou_threshold, "nms", "iou_threshold")
    if box_tensor.ndim != 2 or box_tensor.shape[1] != 4:
        raise ValueError(f"nms: boxes must have shape (N, 4), got {box_tensor.shape}")
    count = box_tensor.shape[0]
    if score_tensor.shape != (count,):
        raise ValueError(f"nms: scores must have shape ({count},), got {score_tensor.shape}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"nms: iou_threshold must be from 0 to 1, got {iou_threshold!r}")
    xp = backend.array_module(box_tensor.array)
    array, score = box_tensor.array, score_tensor.array
    if not bool(xp.isfinite(array).all()):
        raise ValueError("nms: boxes must be finite")
    if bool((array[:, :2] > array[:, 2:]).any()):
        raise ValueError("nms: boxes must be (x_min, y_min, x_max, y_max) with x_min <= x_max and y_min <= y_max")
    if bool(xp.isnan(score).any()):
        raise ValueError("nms: scores must not be NaN")
    order = xp.argsort(-score, kind="stable")  # the best first
    if labels is None:
        starts = backend.moved(np.array([0, count], np.int64), array)
    else:
        label = as_tensor(labels, like=box_tensor).array
        backend.refuse_mixed("nms", boxes=array, labels=label)
        if label.shape != (count,):
            raise ValueError(f"nms: labels must have shape ({count},), got {label.shape}")
        if label.dtype.kind not in "iu" and count:
            raise TypeError(f"nms: labels must be integers, got {label.dtype}")
        order = order[xp.argsort(label[order], kind="stable")]  # label by label
        label = label[order]
        changes = xp.nonzero(label[1:] != label[:-1])[0] + 1
        ends = backend.moved(np.array([0, count], np.int64), array)
        starts = xp.concatenate([ends[:1], changes.astype(np.int64), ends[1:]])
    keep = backend.empty((count,), np.uint8, like=array)
    backend.kernels(array).nms(backend.contiguous(array[order]), starts, keep, threshold)
    kept = order[xp.nonzero(keep)[0]]
    if labels is not None:
        kept = xp.sort(kept)
        kept = kept[xp.argsort(-score[kept], kind="stable")]
    return Tensor(kept.astype(np.int64))
