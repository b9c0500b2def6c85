"""Which detections are right: one image's, of one class, matched with the objects that are there."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

Array = Any


class Matches(NamedTuple):
    """Detections of a class, best first, in one image: what is needed for precision and recall over many.

    scores (n,); right and counted (thresholds, n), bool: whether a detection is right, and whether it counts at all;
    objects: how many there are to be found.
    """

    scores: Array
    right: Array
    counted: Array
    objects: int


def box_overlap(boxes: Array, objects: Array, crowd: Array) -> Array:
    """(n, m): intersection over union; over a detection's own area where the object is a crowd. float64."""
    return _share(shared_area(boxes[:, None], objects), areas_of(boxes), areas_of(objects), crowd)


def shared_area(a: Array, b: Array) -> Array:
    """What boxes (..., 4), broadcast, have in common: sums and products only, so the same bits everywhere."""
    return np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0).prod(axis=-1)


def mask_overlap(masks: Array, objects: Array, crowd: Array) -> Array:
    """The same for masks (n, H, W) and (m, H, W). Sums of ones in float32 are exact below 16 million points."""
    points = math.prod(masks.shape[1:])
    dtype = np.float32 if points < 1 << 24 else np.float64
    a, b = (x.reshape(len(x), points).astype(dtype) for x in (masks, objects))
    return _share((a @ b.T).astype(np.float64), areas_of(masks), areas_of(objects), crowd)


def areas_of(boxes_or_masks: Array) -> Array:
    """(n,), float64: in pixels."""
    if boxes_or_masks.ndim == 3:
        return boxes_or_masks.sum(axis=(1, 2)).astype(np.float64)
    return (boxes_or_masks[:, 2] - boxes_or_masks[:, 0]) * (boxes_or_masks[:, 3] - boxes_or_masks[:, 1])


def _share(shared: Array, area: Array, objects: Array, crowd: Array) -> Array:
    whole = np.where(crowd[None], area[:, None], area[:, None] + objects[None] - shared)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def match_coco(
    scores: Array,
    areas: Array,
    overlap: Array,
    thresholds: Array,
    ignored: Array,
    crowd: Array,
    limits: tuple[float, float],
) -> Matches:
    """COCO's rule: best first, each detection takes the object that it overlaps most among those still free.

    Objects that are ignored (crowds, sizes outside the limits) are taken only if there is no other, and what takes one
    does not count; nor does a detection without an object whose size is outside the limits. Crowds stay free.
    """
    thresholds = np.minimum(thresholds, 1 - 1e-10)[:, None]
    right = np.zeros((len(thresholds), len(scores)), bool)
    counted = np.ones_like(right)
    free = np.ones((len(thresholds), len(ignored)), bool)
    rows = np.arange(len(thresholds))
    for i in np.flatnonzero((overlap >= thresholds.min()).any(axis=1)) if len(ignored) else ():
        open_to_it = (overlap[i] >= thresholds) & (free | crowd)
        chosen = np.full(len(thresholds), -1)
        for group in (ignored, ~ignored):  # the second has the last word
            candidates = open_to_it & group
            value = np.where(candidates, overlap[i], -1.0)[:, ::-1]  # the last of equals
            chosen = np.where(candidates.any(axis=1), len(ignored) - 1 - value.argmax(axis=1), chosen)
        found = chosen >= 0
        free[rows[found], chosen[found]] = False
        right[:, i] = found
        counted[found, i] = ~ignored[chosen[found]]
    outside = (areas < limits[0]) | (areas > limits[1])
    counted &= right | ~outside
    return Matches(scores, right, counted, int((~ignored).sum()))


def match_voc(scores: Array, overlap: Array, thresholds: Array, ignored: Array) -> Matches:
    """VOC's rule: each detection stands for the object that it overlaps most; all but the first for it are wrong.

    What stands for a difficult object does not count.
    """
    right = np.zeros((len(thresholds), len(scores)), bool)
    counted = np.ones_like(right)
    if len(ignored) and len(scores):
        best = overlap.argmax(axis=1)
        enough = overlap.max(axis=1) >= thresholds[:, None]
        for t in range(len(thresholds)):
            taken = np.zeros(len(ignored), bool)
            for i in np.flatnonzero(enough[t]):
                if ignored[best[i]]:
                    counted[t, i] = False
                elif not taken[best[i]]:
                    right[t, i] = taken[best[i]] = True
    return Matches(scores, right, counted, int((~ignored).sum()))


def curve(matches: list[Matches], threshold: int) -> tuple[Array, Array, int]:
    """Right and wrong detections so far, best first over all images, and how many objects there are.

    Returns:
        (right, wrong, objects): two arrays of counts, one for each detection that counts, and a number.
    """
    scores = np.concatenate([m.scores for m in matches])
    order = np.argsort(-scores, kind="stable")
    right, counted = (
        np.concatenate([getattr(m, name)[threshold] for m in matches])[order] for name in ("right", "counted")
    )
    return np.cumsum(right & counted), np.cumsum(~right & counted), sum(m.objects for m in matches)
