"""YOLO v3: boxes as changes of anchors, on grids of three sizes.

Paper: Redmon & Farhadi 2018, "YOLOv3: An Incremental Improvement", arXiv:1804.02767. Its claim: with a deeper network
of residual blocks (Darknet-53) and predictions at three scales, YOLO is as accurate as SSD (AP50 57.9 on COCO's
test-dev) and three times as fast.

Differs from the paper in: nothing in the networks, whose weights can be the authors' (see `load_darknet_weights`). In
the loss centres go by binary cross-entropy, as in many later versions, since its gradient does not vanish; the authors'
code takes the squared difference there, as this one does for sizes. Which cells and anchors are right is worked out
with NumPy on the host, also where a GPU trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina import backend, layers, ops
from lamina.applications.building import image_input
from lamina.applications.detection import pairwise_iou
from lamina.applications.yolo import truth_of
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.data.checks import height_and_width
from lamina.initializers import HeNormal
from lamina.layers.checks import positive
from lamina.losses import Loss
from lamina.models import Model
from lamina.ops.checks import real_number

Array = Any

# Widths and heights in pixels at 416 x 416; those of each output, the coarsest grid's first.
ANCHORS = ((10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326))
MASKS = ((6, 7, 8), (3, 4, 5), (0, 1, 2))
TINY_ANCHORS = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))
# Those that the authors' weights were trained with, so that anchor 0 is never used; their .cfg of today has 0, 1, 2.
TINY_MASKS = ((3, 4, 5), (1, 2, 3))
EPSILON = 1e-5  # what Darknet adds to variances


def YOLOv3(input_shape: Any = (416, 416, 3), classes: int = 80, anchors: int = 3, name: str = "yolo_v3") -> Model:
    """Darknet-53 and three outputs; 61,949,149 parameters for 80 classes (and 52,608 moving statistics).

    Args:
        input_shape: (H, W, C), multiples of 32; None for any height and width.
        classes: how many, C.
        anchors: how many an output has.
        name: the model's name.

    Returns:
        Model of images (N, H, W, C) -> three outputs (N, rows, columns, anchors (5 + C)), a cell for 32 x 32, 16 x 16
        and 8 x 8 pixels: for each anchor x, y, width, height, objectness and classes, all before their sigmoid or
        exponential; see `decode_yolo_v3`.

    Raises:
        ValueError: for sizes that are no multiples of 32, or counts below 1.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.YOLOv3((64, 64, 3), classes=2)
        >>> [output.shape[1:] for output in model.outputs]
        [(2, 2, 21), (4, 4, 21), (8, 8, 21)]

    Reference:
        Redmon & Farhadi 2018, arXiv:1804.02767.
    """
    inputs = _input(input_shape, "YOLOv3")
    depth = positive(anchors, "YOLOv3", "anchors") * (5 + positive(classes, "YOLOv3", "classes"))
    x, routes = _convolution(inputs, 32, 3), []
    for filters, blocks in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        x = _convolution(x, filters, 3, 2)
        for _ in range(blocks):
            x = layers.Add()([x, _convolution(_convolution(x, filters // 2, 1), filters, 3)])
        routes.append(x)
    outputs = []
    for filters, route in ((512, None), (256, routes[3]), (128, routes[2])):
        if route is not None:
            x = layers.Concatenate()([layers.UpSampling2D(2)(_convolution(x, filters, 1)), route])
        for i in range(5):
            x = _convolution(x, filters * (1 + i % 2), 1 + 2 * (i % 2))
        outputs.append(layers.Conv2D(depth, 1)(_convolution(x, 2 * filters, 3)))
    return Model(inputs, outputs, name=name)


def YOLOv3Tiny(
    input_shape: Any = (416, 416, 3),
    classes: int = 80,
    anchors: int = 3,
    filters: int = 16,
    name: str = "yolo_v3_tiny",
) -> Model:
    """The small one: seven convolutions, pools between them, two outputs; 8,852,366 parameters for 80 classes.

    Args:
        input_shape: (H, W, C), multiples of 32; None for any height and width.
        classes: how many, C.
        anchors: how many an output has.
        filters: of the first convolution (the authors': 16); all others have multiples of it.
        name: the model's name.

    Returns:
        Model of images (N, H, W, C) -> two outputs (N, rows, columns, anchors (5 + C)), a cell for 32 x 32 and for
        16 x 16 pixels; see `YOLOv3`.

    Raises:
        ValueError: for sizes that are no multiples of 32, or counts below 1.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.YOLOv3Tiny((64, 64, 3), classes=2, filters=2)
        >>> [output.shape[1:] for output in model.outputs]
        [(2, 2, 21), (4, 4, 21)]

    Reference:
        Redmon & Farhadi 2018, arXiv:1804.02767; the network is in its authors' Darknet, yolov3-tiny.cfg.
    """
    inputs = _input(input_shape, "YOLOv3Tiny")
    depth = positive(anchors, "YOLOv3Tiny", "anchors") * (5 + positive(classes, "YOLOv3Tiny", "classes"))
    first = positive(filters, "YOLOv3Tiny", "filters")
    x, route = inputs, None
    for i in range(6):
        route = x = _convolution(x, first << i, 3)
        # The last pool keeps the size: Darknet's padding stands after.
        x = layers.MaxPooling2D(2, 2)(x) if i < 5 else layers.MaxPooling2D(2, 1, padding=((0, 1), (0, 1)))(x)
        if i == 4:
            fine = route
    x = _convolution(_convolution(x, first << 6, 3), first << 4, 1)
    coarse = layers.Conv2D(depth, 1)(_convolution(x, first << 5, 3))
    x = layers.Concatenate()([layers.UpSampling2D(2)(_convolution(x, first << 3, 1)), fine])
    return Model(inputs, [coarse, layers.Conv2D(depth, 1)(_convolution(x, first << 4, 3))], name=name)


class YOLOv3Loss(Loss):
    """The loss of one output of YOLO v3, summed over its cells and anchors.

    Each object goes to the anchor, of all outputs', whose shape overlaps its own most, in the cell that its centre
    falls into. There the loss is (2 - w h) (BCE(x) + BCE(y) + (w - w')^2 / 2 + (h - h')^2 / 2) + BCE(objectness, 1)
    + sum of BCE(class), w' and h' being the logarithms of size / anchor, and w h the object's share of the picture.
    Elsewhere it is BCE(objectness, 0), but nothing where the predicted box overlaps some object by more than
    ignore_threshold.

    A model needs one for each output, with the same targets for all: y_true is what `pad_boxes` gives, (N, most, 5).

    Args:
        classes: how many, C.
        anchors: (width, height) of all outputs' anchors, in pixels.
        mask: which of them are this output's.
        size: the pictures' height and width in pixels.
        ignore_threshold: see above.
        name: what the history calls it.
        reduction: see `lamina.losses.Loss`.

    Raises:
        ValueError: for masks and anchors that there are not, or an ignore_threshold outside [0, 1].

    Example:
        >>> import lamina as lm, numpy as np
        >>> loss = lm.applications.YOLOv3Loss(2, anchors=((10, 10), (20, 30)), mask=(0, 1), size=(64, 64))
        >>> truth = lm.applications.pad_boxes([[[10, 10, 30, 40]]], [[1]], size=(64, 64))
        >>> round(loss(truth, np.zeros((1, 2, 2, 14), "float32")).item(), 3)  # 8 objectnesses, 2 classes, x and y
        9.501

    Reference:
        Redmon & Farhadi 2018, arXiv:1804.02767, section 2.
    """

    def __init__(
        self,
        classes: int,
        anchors: Sequence[tuple[float, float]],
        mask: Sequence[int],
        size: tuple[int, int],
        ignore_threshold: float = 0.5,
        name: str = "yolo_v3_loss",
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.classes = positive(classes, name, "classes")
        self.anchors = _anchors(anchors, name)
        self.mask = _mask(mask, len(self.anchors), name)
        self.size = height_and_width(size, f"{name}: size")
        self.ignore_threshold = real_number(ignore_threshold, name, "ignore_threshold")
        if not 0 <= self.ignore_threshold <= 1:
            raise ValueError(f"{name}: ignore_threshold must be from 0 to 1, got {ignore_threshold!r}")

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        said = _by_anchor(y_pred, len(self.mask), self.classes, self.name)
        objects = truth_of(y_true, y_pred, self.classes, self.name)
        with no_grad():
            anchors = [self.anchors[i] for i in self.mask]
            boxes = backend.to_host(_boxes(said, anchors, self.size).array)
        targets, box_weights, object_weights = self._targets(objects, boxes, y_pred.dtype)
        target, box, there = (as_tensor(a, like=y_pred) for a in (targets, box_weights, object_weights))
        logits = ops.concatenate([said[..., :2], said[..., 4:]], axis=-1)
        wanted = ops.concatenate([target[..., :2], target[..., 4:]], axis=-1)
        responsible = target[..., 4:5]
        weight = ops.concatenate(
            [box, box, there, ops.broadcast_to(responsible, (*said.shape[:4], self.classes))], axis=-1
        )
        entropy = ops.softplus(logits) - logits * wanted  # of a sigmoid's
        sizes = box * 0.5 * ops.square(said[..., 2:4] - target[..., 2:4])
        return ops.sum(weight * entropy, axis=(1, 2, 3, 4)) + ops.sum(sizes, axis=(1, 2, 3, 4))

    def _targets(self, objects: Array, boxes: Array, dtype: Any) -> tuple[Array, Array, Array]:
        """Targets (N, rows, columns, anchors, 5 + C); weights of boxes and of objectness (..., 1)."""
        n, rows, columns, own, _ = boxes.shape
        targets = np.zeros((n, rows, columns, own, 5 + self.classes), dtype)
        box_weights = np.zeros((*targets.shape[:4], 1), dtype)
        object_weights = np.ones_like(box_weights)
        for k in range(objects.shape[1]):  # padding has no area and overlaps nothing
            overlap = pairwise_iou(boxes, objects[:, None, None, None, k, :4])
            object_weights[overlap > self.ignore_threshold] = 0
        picture, place = np.nonzero(objects[:, :, 4] >= 0)
        found = objects[picture, place]
        center, size = (found[:, :2] + found[:, 2:4]) / 2, found[:, 2:4] - found[:, :2]
        pixels = size * np.array(self.size[::-1], dtype)
        shapes = np.array(self.anchors, dtype)
        origin = np.zeros_like
        best = pairwise_iou(
            np.concatenate([origin(pixels), pixels], axis=1)[:, None],
            np.concatenate([origin(shapes), shapes], axis=1)[None],
        ).argmax(axis=1)
        for row in np.flatnonzero(np.isin(best, self.mask)):
            anchor = self.mask.index(best[row])
            scaled = center[row] * np.array([columns, rows], dtype)
            x, y = np.minimum(scaled.astype(np.int64), [columns - 1, rows - 1])
            at = picture[row], y, x, anchor
            targets[at][:2] = scaled - [x, y]
            targets[at][2:4] = _logarithm(pixels[row] / shapes[best[row]])
            targets[at][4] = targets[at][5 + int(found[row, 4])] = 1
            box_weights[at], object_weights[at] = 2 - size[row].prod(), 1
        return targets, box_weights, object_weights


def decode_yolo_v3(
    outputs: Any,
    anchors: Sequence[tuple[float, float]],
    masks: Sequence[Sequence[int]],
    size: tuple[int, int],
    classes_by: str = "sigmoid",
) -> tuple[Tensor, Tensor]:
    """The boxes in the outputs of a YOLO v3, and their scores: objectness times class.

    x = (column + sigmoid(x')) / columns, and y alike; width = anchor's exp(w'), and height alike.

    Args:
        outputs: those of the model, each (N, rows, columns, anchors (5 + C)); of floats of 16 bits everything is
            computed in float32.
        anchors: (width, height) of all anchors, in pixels.
        masks: for each output which are its own.
        size: the pictures' height and width in pixels.
        classes_by: "sigmoid" (v3: a box may have several) or "softmax" (v2: it has one).

    Returns:
        boxes (N, M, 4): corners in widths and heights of the picture; scores (N, M, C): for `best_boxes`. M counts the
        anchors of all cells and outputs.

    Raises:
        ValueError: if an output's shape does not fit, a mask names no anchor, or for another classes_by or size.

    Example:
        >>> import lamina as lm, numpy as np
        >>> outputs = [np.zeros((1, 2, 2, 8), "float32")]
        >>> boxes, scores = lm.applications.decode_yolo_v3(outputs, [(16, 32)], [[0]], size=(64, 64))
        >>> boxes.numpy()[0, 0].tolist(), scores.shape, scores.numpy()[0, 0, 0].item()
        ([0.125, 0.0, 0.375, 0.5], (1, 4, 3), 0.25)

    Reference:
        Redmon & Farhadi 2018, arXiv:1804.02767, section 2.1.
    """
    who = "decode_yolo_v3"
    sizes = _anchors(anchors, who)
    if len(outputs) != len(masks):
        raise ValueError(f"{who}: {len(outputs)} outputs, masks of {len(masks)}")
    if classes_by not in ("sigmoid", "softmax"):
        raise ValueError(f'{who}: classes_by must be "sigmoid" or "softmax", got {classes_by!r}')
    own = [_mask(mask, len(sizes), who) for mask in masks]
    height_and_width(size, f"{who}: size")
    boxes, scores = [], []
    with no_grad():
        for output, mask in zip(outputs, own, strict=True):
            y = as_tensor(output)
            y = ops.cast(y, "float32") if backend.is_narrow(y.dtype) else y  # a box would lose pixels of its corners
            if y.ndim != 4 or y.shape[3] % len(mask) or y.shape[3] // len(mask) < 6:
                raise ValueError(
                    f"{who}: an output of {len(mask)} anchors must have shape (N, rows, columns, {len(mask)} "
                    f"(5 + classes)), got {y.shape}"
                )
            said = _by_anchor(y, len(mask), y.shape[3] // len(mask) - 5, who)
            score = ops.sigmoid(said[..., 4:5]) * getattr(ops, classes_by)(said[..., 5:])
            box = _boxes(said, [sizes[i] for i in mask], size)
            boxes.append(ops.reshape(box, (y.shape[0], -1, 4)))
            scores.append(ops.reshape(score, (y.shape[0], -1, score.shape[-1])))
        return ops.concatenate(boxes, axis=1), ops.concatenate(scores, axis=1)


def _input(input_shape: Any, owner: str) -> Any:
    inputs = image_input(input_shape, 32, owner, 416)
    if any(n is not None and n % 32 for n in inputs.shape[1:3]):
        raise ValueError(f"{owner}: height and width must be multiples of 32, got {input_shape!r}")
    return inputs


def _convolution(x: Any, filters: int, size: int, strides: int = 1) -> Any:
    """Convolution, batch normalisation and leaky ReLU, with Darknet's padding."""
    x = layers.Conv2D(filters, size, strides, padding=size // 2, use_bias=False, kernel_initializer=HeNormal())(x)
    return layers.LeakyReLU(0.1)(layers.BatchNormalization(epsilon=EPSILON)(x))


def _by_anchor(y: Any, anchors: int, classes: int, who: str) -> Tensor:
    if y.ndim != 4 or y.shape[3] != anchors * (5 + classes):
        raise ValueError(
            f"{who}: an output must have shape (N, rows, columns, {anchors * (5 + classes)}) for {anchors} anchors and "
            f"{classes} classes, got {y.shape}"
        )
    return ops.reshape(y, (*y.shape[:3], anchors, 5 + classes))


def _boxes(said: Tensor, anchors: Any, size: Sequence[int]) -> Tensor:
    """Corners (N, rows, columns, anchors, 4) in widths and heights of the picture."""
    _, rows, columns, _, _ = said.shape
    row, column = np.mgrid[:rows, :columns]
    dtype = said.dtype
    corner, grid, shapes = (
        as_tensor(np.asarray(a, dtype), like=said)
        for a in (np.stack([column, row], -1)[:, :, None], [columns, rows], np.array(anchors) / [size[1], size[0]])
    )
    center = (ops.sigmoid(said[..., :2]) + corner) / grid
    half = ops.exp(ops.minimum(said[..., 2:4], 20.0)) * shapes * 0.5  # what has not learned yet stays finite
    return ops.concatenate([center - half, center + half], axis=-1)


def _logarithm(x: Array) -> Array:
    return backend.to_host(ops.log(as_tensor(np.ascontiguousarray(x))).array)


def _mask(mask: Sequence[int], count: int, who: str) -> list[int]:
    own = [int(i) for i in mask]
    if not own or min(own) < 0 or max(own) >= count:
        raise ValueError(f"{who}: mask must name some of {count} anchors, got {mask!r}")
    return own


def _anchors(anchors: Any, who: str) -> list[tuple[float, float]]:
    array = np.asarray(anchors, np.float64)
    if array.ndim != 2 or array.shape[1] != 2 or not len(array) or not (array > 0).all():
        raise ValueError(f"{who}: anchors must be positive widths and heights, got {anchors!r}")
    return [(float(w), float(h)) for w, h in array]
