"""The two heads of Mask R-CNN, and how regions come out of a pyramid to them. The paper: see mask_rcnn.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.applications.region_proposal import clipped, large
from lamina.autograd.tensor import Tensor
from lamina.initializers import HeNormal
from lamina.layers import Conv2D, Conv2DTranspose, Dense, Flatten, Input
from lamina.models.model import Model

Array = Any
CANONICAL_SIZE, CANONICAL_LEVEL = 224, 4  # a box of so many pixels, squared, is read at a stride of 2^4
BOX_BINS, MASK_BINS, SAMPLES = 7, 14, 2


def pyramid_level(boxes: Array, first: int, count: int) -> Array:
    """The level of a pyramid that each box is read from: 4 + log2(sqrt(area) / 224), rounded down.

    Args:
        boxes: array (n, 4).
        first: the first level's number: log2 of its stride.
        count: how many levels there are.

    Returns:
        Array (n,) of int64: from 0 to count - 1.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.region_heads import pyramid_level
        >>> pyramid_level(np.array([[0, 0, 224, 224], [0, 0, 112, 111]], "float32"), 2, 4).tolist()
        [2, 0]
    """
    side = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    levels = np.arange(first + 1, first + count)
    bounds = CANONICAL_SIZE * 2.0 ** (levels - CANONICAL_LEVEL - 1e-6)
    return np.searchsorted(bounds, side, side="right")


def box_head(channels: int, units: int, classes: int) -> Model:
    """Names a region and refines its box: two dense layers.

    Args:
        channels: of the pyramid.
        units: of each layer.
        classes: how many, background included.

    Returns:
        Model of (K, 7, 7, channels) to [(K, classes) logits, (K, 4 * classes) box codes].

    Example:
        >>> from lamina.applications.region_heads import box_head
        >>> box_head(256, 1024, 91).output_shape
        [(None, 91), (None, 364)]
    """
    regions = Input((BOX_BINS, BOX_BINS, channels))
    x: Any = Flatten()(regions)
    for name in ("fc6", "fc7"):
        x = Dense(units, activation="relu", name=f"roi_heads.box_head.{name}")(x)
    outputs = [("cls_score", classes), ("bbox_pred", 4 * classes)]
    heads = [Dense(n, name=f"roi_heads.box_predictor.{name}")(x) for name, n in outputs]
    return Model(regions, heads, name="box_head")


def mask_head(channels: int, layers: Sequence[int], classes: int) -> Model:
    """Draws a region's mask, one for each class: convolutions, then twice the size.

    Args:
        channels: of the pyramid.
        layers: channels of the convolutions; the last also of the transposed one.
        classes: how many, background included.

    Returns:
        Model of (K, 14, 14, channels) to (K, 28, 28, classes) logits.

    Example:
        >>> from lamina.applications.region_heads import mask_head
        >>> mask_head(256, (256,) * 4, 91).output_shape
        (None, 28, 28, 91)
    """
    regions = x = Input((MASK_BINS, MASK_BINS, channels))
    for number, filters in enumerate(layers):
        name = f"roi_heads.mask_head.{number}.0"
        x = Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer=HeNormal(), name=name)(x)
    name = "roi_heads.mask_predictor."
    x = Conv2DTranspose(layers[-1], 2, 2, activation="relu", kernel_initializer=HeNormal(), name=f"{name}conv5_mask")(x)
    x = Conv2D(classes, 1, kernel_initializer=HeNormal(), name=f"{name}mask_fcn_logits")(x)
    return Model(regions, x, name="mask_head")


def masks_in(masks: Array, which: Array, boxes: Array) -> Array:
    """Targets of the mask head: (n, 28, 28) of the masks (m, H, W) of the objects `which` (n,), cut out at boxes."""
    side = 2 * MASK_BINS
    if not len(which):
        return np.zeros((0, side, side), np.float32)
    return np.clip(ops.roi_align(masks[..., None].astype(np.float32), boxes, which, side).numpy()[..., 0], 0, 1)


def pyramid_regions(maps: Sequence[Tensor], height: int, boxes: Sequence[Array], bins: int) -> Tensor:
    """Boxes cut out of a pyramid, each from the level for its size.

    Args:
        maps: tensors (N, H / s, W / s, C), each half the one before.
        height: H, the images' height.
        boxes: for each image an array (n, 4), float32, in pixels.
        bins: rows and columns of the regions.

    Returns:
        Tensor (K, bins, bins, C): the first image's, then the second's, ...

    Example:
        >>> import lamina as lm, numpy as np
        >>> from lamina.applications.region_heads import pyramid_regions
        >>> maps = [lm.ops.zeros((1, 8, 8, 3)), lm.ops.zeros((1, 4, 4, 3))]
        >>> pyramid_regions(maps, 32, [np.array([[0, 0, 9, 9], [0, 0, 31, 31]], "float32")], 7).shape
        (2, 7, 7, 3)
    """
    box, image = np.concatenate(boxes), np.repeat(np.arange(len(boxes)), [len(own) for own in boxes])
    strides = [height // level.shape[1] for level in maps]
    level = pyramid_level(box, round(math.log2(strides[0])), len(strides))
    parts, order = [], []
    for number, stride in enumerate(strides):
        own = np.nonzero(level == number)[0]
        if len(own) or (number == 0 and not len(box)):
            where = backend.moved(box[own], maps[number].array)
            parts.append(ops.roi_align(maps[number], where, image[own], bins, 1 / stride, SAMPLES))
            order.append(own)
    if len(parts) == 1:
        return parts[0]
    return ops.take(ops.concatenate(parts, 0), np.argsort(np.concatenate(order)), 0)


def of_labels(masks: Tensor, labels: Array) -> Tensor:
    """Of masks of every class (K, m, m, classes) that of each one's label (K,): (K, m, m)."""
    count, side, _, classes = masks.shape
    by_class = ops.reshape(ops.transpose(masks, (0, 3, 1, 2)), (count * classes, side, side))
    return ops.take(by_class, np.arange(count) * classes + labels, 0)


def best_detections(
    boxes: Array, probabilities: Array, size: tuple[int, int], least: float, iou_threshold: float, most: int
) -> dict[str, Array]:
    """The detections in one picture: every class of every proposal is one of its own, but for background.

    Args:
        boxes: array (K, classes, 4), float32: each proposal's box, as each class sees it.
        probabilities: array (K, classes).
        size: the picture's height and width.
        least: detections have a greater probability.
        iou_threshold: of `lamina.ops.nms`, class by class.
        most: how many are returned at most.

    Returns:
        boxes (n, 4), labels (n,) and scores (n,), the best first.
    """
    classes = probabilities.shape[1]
    box, score = clipped(boxes, size)[:, 1:].reshape(-1, 4), probabilities[:, 1:].reshape(-1)
    label = np.tile(np.arange(1, classes), len(boxes))
    keep = (score > np.float32(least)) & large(box, 1e-2)
    box, score, label = box[keep], score[keep], label[keep]
    best = ops.nms(box, score, iou_threshold, label).numpy()[:most]
    return {"boxes": box[best], "labels": label[best], "scores": score[best]}
