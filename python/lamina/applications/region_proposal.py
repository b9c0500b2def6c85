"""Region proposals: where in a picture something might be, and the boxes' arithmetic around it.

A small network slides over each level of a pyramid. At every place it scores some anchors, boxes of fixed sizes and
ratios, and says how to move and stretch each; the best, freed of those that overlap better ones, are the proposals.

Paper: Ren, He, Girshick & Sun 2015, "Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks",
arXiv:1506.01497. Its claim: proposals from the detector's own features cost next to nothing, and are better than those
of a search beforehand.

Differs from the paper in: anchors have one size a level of the pyramid (Lin et al. 2017), are not cut at the picture's
edge in training, and the losses are means over the sampled anchors, as in today's implementations.

Boxes are arrays in memory here, wherever the network computes: choosing among them is no work for a GPU. Exponentials
and logarithms are Lamina's, so that they have the same bits everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import backend, ops
from lamina.applications.networks import refuse_nan
from lamina.autograd.tensor import Tensor
from lamina.initializers import RandomNormal
from lamina.layers import Conv2D, Input
from lamina.models.batches import permutation
from lamina.models.model import Model

Array = Any
LARGEST_STRETCH = math.log(1000 / 16)  # of a box's sides, as a logarithm: exp would leave its range otherwise
BELOW, BETWEEN = -1, -2  # matches that are none
BETA = 1 / 9  # where the smooth L1 loss becomes linear


def in_memory(x: Tensor, owner: str | None = None) -> Array:
    """What a network says, as an array of float32: of its 16 bits a box would lose pixels, and scores their order.

    Raises:
        ValueError: if it says NaN, and there is an owner to name.
    """
    array = backend.to_host(x.array).astype(np.float32, copy=False)
    if owner is not None:
        refuse_nan(array, owner, "scores, codes of boxes or points of masks")
    return array


def rpn_head(channels: int, anchors: int, prefix: str = "rpn.head.") -> Model:
    """The network that slides: a 3x3 convolution, and from it scores and boxes of each place's anchors.

    Args:
        channels: of the pyramid.
        anchors: how many a place has.
        prefix: what stands before the layers' names, which are torchvision's.

    Returns:
        Model of a level (N, H, W, channels) to [(N, H, W, anchors) logits, (N, H, W, 4 * anchors) box codes].

    Example:
        >>> from lamina.applications.region_proposal import rpn_head
        >>> rpn_head(256, 3).count_params()
        593935
    """

    def convolution(filters: int, size: int, name: str, activation: str | None = None) -> Conv2D:
        return Conv2D(
            filters,
            size,
            padding="same",
            activation=activation,
            kernel_initializer=RandomNormal(stddev=0.01),
            name=prefix + name,
        )

    level = Input((None, None, channels))
    x = convolution(channels, 3, "conv.0.0", "relu")(level)
    outputs = [convolution(anchors, 1, "cls_logits")(x), convolution(4 * anchors, 1, "bbox_pred")(x)]
    return Model(level, outputs, name="rpn_head")


def cell_anchors(sizes: Sequence[float], ratios: Sequence[float]) -> Array:
    """The anchors of one place, around (0, 0), rounded to whole pixels.

    Args:
        sizes: square roots of their areas, in pixels.
        ratios: height / width.

    Returns:
        Array (ratios * sizes, 4), float32: corners, ratio by ratio.

    Example:
        >>> from lamina.applications.region_proposal import cell_anchors
        >>> cell_anchors([32], [0.5, 1]).tolist()
        [[-23.0, -11.0, 23.0, 11.0], [-16.0, -16.0, 16.0, 16.0]]
    """
    size: Array = np.asarray(sizes, np.float32)
    height = np.sqrt(np.asarray(ratios, np.float32))
    w, h = ((side[:, None] * size).reshape(-1) for side in (np.float32(1) / height, height))
    return np.round(np.stack([-w, -h, w, h], 1) / 2)


def grid_anchors(shapes: Sequence[tuple[int, int]], image: tuple[int, int], cells: Sequence[Array]) -> list[Array]:
    """The anchors of every level.

    Args:
        shapes: rows and columns of each level.
        image: height and width of the padded images.
        cells: `cell_anchors` for each level.

    Returns:
        List of arrays (rows * columns * anchors, 4), float32.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.region_proposal import grid_anchors
        >>> grid_anchors([(1, 2)], (8, 16), [np.array([[-4, -4, 4, 4]])])[0].tolist()
        [[-4.0, -4.0, 4.0, 4.0], [4.0, -4.0, 12.0, 4.0]]
    """
    found = []
    for (rows, columns), cell in zip(shapes, cells, strict=True):
        y, x = np.arange(rows) * (image[0] // rows), np.arange(columns) * (image[1] // columns)
        shift = np.stack(np.broadcast_arrays(x, y[:, None], x, y[:, None]), -1).reshape(-1, 1, 4)
        found.append((shift.astype(np.float32) + cell.astype(np.float32)).reshape(-1, 4))
    return found


def encode_boxes(boxes: Array, anchors: Array, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)) -> Array:
    """How to move and stretch anchors to boxes: (dx / width, dy / height, log of the stretches) times weights.

    Args:
        boxes: array (n, 4), float32, of corners, with areas.
        anchors: array (n, 4).
        weights: of the four numbers.

    Returns:
        Array (n, 4), float32.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.region_proposal import encode_boxes
        >>> encode_boxes(np.array([[2, 0, 6, 4]], "float32"), np.array([[0, 0, 4, 4]], "float32")).tolist()
        [[0.5, 0.0, 0.0, 0.0]]
    """
    size, target = anchors[:, 2:] - anchors[:, :2], boxes[:, 2:] - boxes[:, :2]
    half = np.float32(0.5)
    moved = (boxes[:, :2] + half * target) - (anchors[:, :2] + half * size)
    weight = np.asarray(weights, np.float32)
    stretch = ops.log(target / size).numpy()
    return np.concatenate([weight[:2] * moved / size, weight[2:] * stretch], 1).astype(np.float32)


def decode_boxes(codes: Array, anchors: Array, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)) -> Array:
    """The boxes that codes make of anchors: the inverse of `encode_boxes`. Stretches stop at 1000 / 16.

    Args:
        codes: array (n, ..., 4), float32.
        anchors: array (n, 4).
        weights: of the four numbers.

    Returns:
        Array (n, ..., 4), float32, of corners.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.region_proposal import decode_boxes
        >>> decode_boxes(np.array([[0.5, 0, 0, 0]], "float32"), np.array([[0, 0, 4, 4]], "float32")).tolist()
        [[2.0, 0.0, 6.0, 4.0]]
    """
    anchors = anchors.reshape(len(anchors), *[1] * (codes.ndim - 2), 4)
    size = anchors[..., 2:] - anchors[..., :2]
    half = np.float32(0.5)
    code = codes / np.asarray(weights, np.float32)
    centre = code[..., :2] * size + (anchors[..., :2] + half * size)
    reach = half * (ops.exp(np.minimum(code[..., 2:], np.float32(LARGEST_STRETCH))).numpy() * size)
    return np.concatenate([centre - reach, centre + reach], -1)


def match(boxes: Array, anchors: Array, high: float, low: float, best_of_each: bool = False) -> Array:
    """The object that each anchor stands for: the one that it overlaps most.

    Args:
        boxes: array (m, 4) of the objects in a picture; there may be none.
        anchors: array (n, 4), float32.
        high: an IoU from which on an anchor stands for an object.
        low: an IoU below which it stands for background.
        best_of_each: whether each object's best anchors, all of one IoU, stand for something in any case.

    Returns:
        Array (n,) of int64: which object, BELOW (-1) for background, BETWEEN (-2) for neither.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.region_proposal import match
        >>> anchors = np.array([[0, 0, 4, 4], [0, 0, 4, 2], [8, 8, 9, 9]], "float32")
        >>> match(np.array([[0, 0, 4, 4]], "float32"), anchors, 0.7, 0.3).tolist()
        [0, -2, -1]
    """
    if not len(boxes) or not len(anchors):
        return np.full(len(anchors), BELOW)
    iou = ops.box_iou(np.asarray(boxes, np.float32), anchors).numpy()
    best, overlap = iou.argmax(0), iou.max(0)
    found = np.where(overlap < low, BELOW, np.where(overlap < high, BETWEEN, best))
    if best_of_each:
        among_best = (iou == iou.max(1, keepdims=True)).any(0)
        found[among_best] = best[among_best]
    return found


def sample(labels: Array, count: int, positive_share: float) -> tuple[Array, Array]:
    """Some positives and negatives by chance, by Lamina's seed: `count` in all, if there are as many.

    Args:
        labels: array (n,): above 0 positive, 0 negative, below neither.
        count: how many are wanted.
        positive_share: the most of them that may be positive.

    Returns:
        Two arrays of int64, each upwards: the positives taken, and the negatives.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.region_proposal import sample
        >>> positives, negatives = sample(np.array([0, 1, -1, 0, 0]), 3, 0.5)
        >>> positives.tolist(), len(negatives)
        ([1], 2)
    """
    positive, negative = np.nonzero(labels > 0)[0], np.nonzero(labels == 0)[0]
    positives = min(len(positive), int(count * positive_share))
    negatives = min(len(negative), count - positives)
    first = positive[permutation(len(positive))[:positives]]
    return np.sort(first), np.sort(negative[permutation(len(negative))[:negatives]])


def clipped(boxes: Array, size: tuple[int, int]) -> Array:
    """Boxes (..., 4) cut at a picture's edges; size: its height and width."""
    return np.clip(boxes, 0, np.array([size[1], size[0], size[1], size[0]], boxes.dtype))


def large(boxes: Array, least: float) -> Array:
    """Which boxes have both sides of at least so many pixels."""
    return ((boxes[:, 2:] - boxes[:, :2]) >= np.float32(least)).all(1)


def proposals(
    logits: Sequence[Array],
    boxes: Sequence[Array],
    size: tuple[int, int],
    before: int = 1000,
    after: int = 1000,
    iou_threshold: float = 0.7,
    score_threshold: float = 0.0,
) -> Array:
    """The proposals for one picture: each level's best, cut at the edges, freed of overlaps level by level.

    Args:
        logits: for each level an array (n,), float32.
        boxes: for each level an array (n, 4), float32: decoded.
        size: the picture's height and width, without padding.
        before: how many of a level are looked at.
        after: how many are returned at most.
        iou_threshold: of `lamina.ops.nms`.
        score_threshold: the least probability.

    Returns:
        Array (n, 4), float32, the best first.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.region_proposal import proposals
        >>> boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 4], [-9, 2, 2, 9]], "float32")
        >>> proposals([np.array([1, 2, 0], "float32")], [boxes], (8, 8)).tolist()
        [[0.0, 0.0, 4.0, 4.0], [0.0, 2.0, 2.0, 8.0]]
    """
    best = [np.argsort(-score, kind="stable")[:before] for score in logits]
    level = np.repeat(np.arange(len(best)), [len(i) for i in best])
    score = ops.sigmoid(np.concatenate([s[i] for s, i in zip(logits, best, strict=True)])).numpy()
    box = clipped(np.concatenate([b[i] for b, i in zip(boxes, best, strict=True)]), size)
    keep = large(box, 1e-3) & (score >= score_threshold)
    box, score, level = box[keep], score[keep], level[keep]
    return box[ops.nms(box, score, iou_threshold, level).numpy()[:after]]


def box_loss(codes: Tensor, targets: Array, count: int) -> Tensor:
    """The smooth L1 loss of box codes (n, 4), summed and divided by `count`, those without a box included."""
    total = ops.huber_loss(targets, codes, reduction="sum", delta=BETA)  # of means over four numbers
    return total * (4 / BETA / max(count, 1))


def rpn_losses(
    logits: Tensor, codes: Tensor, anchors: Array, boxes: Sequence[Array], high: float = 0.7, low: float = 0.3,
    count: int = 256, positive_share: float = 0.5,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The losses of scores and boxes over sampled anchors.

    Args:
        logits: tensor (N, n) of all levels' scores.
        codes: tensor (N, n, 4).
        anchors: array (n, 4).
        boxes: for each image an array (m, 4) of its objects; there may be none.
        high, low: the IoU from which on an anchor is positive, and below which negative.
        count: anchors to sample in each image.
        positive_share: the most of them that may be positive.

    Returns:
        Two tensors without axes: binary cross entropy of the scores, smooth L1 loss of the boxes.
    """
    positives, negatives, targets = [], [], []
    for image, own in enumerate(boxes):
        matches = match(own, anchors, high, low, best_of_each=True)
        labels = np.where(matches >= 0, 1, np.where(matches == BELOW, 0, -1))
        positive, negative = sample(labels, count, positive_share)
        positives.append(positive + image * len(anchors))
        negatives.append(negative + image * len(anchors))
        targets.append(encode_boxes(np.asarray(own, np.float32)[matches[positive]], anchors[positive]))
    positive, negative = np.concatenate(positives), np.concatenate(negatives)
    chosen = np.concatenate([positive, negative])
    truth = np.concatenate([np.ones(len(positive), np.float32), np.zeros(len(negative), np.float32)])
    score_loss = ops.sigmoid_cross_entropy(ops.take(ops.reshape(logits, (-1,)), chosen, 0), truth)
    found = ops.take(ops.reshape(codes, (-1, 4)), positive, 0)
    return score_loss, box_loss(found, np.concatenate(targets), len(chosen))
