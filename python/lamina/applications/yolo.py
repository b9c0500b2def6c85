"""YOLO v1: objects and their boxes in one pass over the picture.

Paper: Redmon, Divvala, Girshick & Farhadi 2015, "You Only Look Once: Unified, Real-Time Object Detection",
arXiv:1506.02640. Its claim: detection as one regression from pixels to boxes and classes is fast (45 pictures a
second on a GPU of its day) and takes background for objects less often than what looks at regions one by one.

Differs from the paper in: width and height come out of the network as their square roots, as in the authors' code: the
paper takes roots of what may be negative. `YOLOv1` begins with random weights as He et al. 2015 draw them, without the
20 layers trained on ImageNet. `YOLOv1Small` is ours: all convolutions, with batch normalisation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend, layers, ops
from lamina.applications.building import image_input
from lamina.applications.detection import pairwise_iou
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.initializers import HeNormal, RandomNormal
from lamina.layers.checks import positive
from lamina.losses import Loss
from lamina.metrics.metric import array_of
from lamina.models import Model

Array = Any

POOL = (0, 2, 2)
# Filters, size and stride of the 24 convolutions, and where pools stand between them.
FEATURES = (
    (64, 7, 2), POOL, (192, 3, 1), POOL, (128, 1, 1), (256, 3, 1), (256, 1, 1), (512, 3, 1), POOL,
    *((256, 1, 1), (512, 3, 1)) * 4, (512, 1, 1), (1024, 3, 1), POOL,
    *((512, 1, 1), (1024, 3, 1)) * 2, (1024, 3, 1), (1024, 3, 2), (1024, 3, 1), (1024, 3, 1),
)  # fmt: skip


def YOLOv1(
    input_shape: Any = (448, 448, 3), classes: int = 20, boxes: int = 2, units: int = 4096, name: str = "yolo_v1"
) -> Model:
    """The paper's network: 24 convolutions and 2 dense layers; 271,703,550 parameters for 20 classes.

    Args:
        input_shape: (H, W, C), from 64 x 64 pixels on; the grid has a cell for 64 x 64 of them.
        classes: how many, C.
        boxes: how many a cell predicts, B.
        units: of the first dense layer.
        name: the model's name.

    Returns:
        Model of images (N, H, W, C) -> (N, H / 64, W / 64, 5 B + C): for each cell, B times x, y (in cells, from the
        cell's corner), the roots of width and height (in pictures) and the confidence; then the classes.

    Raises:
        ValueError: for images that are too small, or counts below 1.

    Example:
        >>> import lamina as lm
        >>> lm.applications.YOLOv1((128, 192, 3), classes=3, units=8).output_shape
        (None, 2, 3, 13)

    Reference:
        Redmon et al. 2015, arXiv:1506.02640.
    """
    inputs = image_input(input_shape, 64, "YOLOv1", 448)
    depth = 5 * positive(boxes, "YOLOv1", "boxes") + positive(classes, "YOLOv1", "classes")
    x = inputs
    for count, size, stride in FEATURES:
        if not count:
            x = layers.MaxPooling2D(size, padding="same")(x)
            continue
        x = layers.Conv2D(count, size, stride, padding="same", kernel_initializer=HeNormal())(x)
        x = layers.LeakyReLU(0.1)(x)
    _, height, width, _ = x.shape
    if height is None or width is None:
        raise ValueError(f"YOLOv1: the dense layers need a fixed size of images, got {input_shape!r}")
    x = layers.Flatten()(x)
    x = layers.LeakyReLU(0.1)(layers.Dense(positive(units, "YOLOv1", "units"), kernel_initializer=HeNormal())(x))
    x = layers.Dense(height * width * depth)(layers.Dropout(0.5)(x))
    return Model(inputs, layers.Reshape((height, width, depth))(x), name=name)


def YOLOv1Small(
    input_shape: Any = (96, 96, 3), classes: int = 20, boxes: int = 2, filters: int = 16, name: str = "yolo_v1_small"
) -> Model:
    """A small network of the same kind, which trains in minutes on a CPU: seven convolutions, a cell for 8 x 8 pixels.

    Args:
        input_shape: (H, W, C), from 8 x 8 pixels on; None for any height and width.
        classes: how many, C.
        boxes: how many a cell predicts, B.
        filters: of the first convolution; each block has twice as many as the one before.
        name: the model's name.

    Returns:
        Model of images (N, H, W, C) -> (N, H / 8, W / 8, 5 B + C); see `YOLOv1`.

    Raises:
        ValueError: for images that are too small, or counts below 1.

    Example:
        >>> import lamina as lm
        >>> lm.applications.YOLOv1Small(classes=5).count_params()
        396031

    Reference:
        Redmon et al. 2015, arXiv:1506.02640.
    """
    inputs = image_input(input_shape, 8, "YOLOv1Small", 96)
    depth = 5 * positive(boxes, "YOLOv1Small", "boxes") + positive(classes, "YOLOv1Small", "classes")
    first = positive(filters, "YOLOv1Small", "filters")
    x = inputs
    for block, convolutions in enumerate((1, 1, 1, 3)):
        for _ in range(convolutions):
            x = layers.Conv2D(first << block, 3, padding="same", use_bias=False, kernel_initializer=HeNormal())(x)
            x = layers.LeakyReLU(0.1)(layers.BatchNormalization(momentum=0.9)(x))
        if block < 3:
            x = layers.MaxPooling2D(2, padding="same")(x)
    cells = layers.Conv2D(depth, 1, kernel_initializer=RandomNormal(stddev=0.01), name="cells")(x)
    return Model(inputs, cells, name=name)


class YOLOv1Loss(Loss):
    """The sum of squares over cells: of boxes where an object is, of confidences everywhere, of classes.

    loss = coord sum (x - x')^2 + (y - y')^2 + (sqrt w - sqrt w')^2 + (sqrt h - sqrt h')^2
         + sum (confidence - IoU)^2 + noobj sum confidence^2 + sum (class - class')^2

    The first line and the first term of the second are over the boxes responsible: in the cell that an object's centre
    falls into, that which overlaps the object most (or, where none does, is nearest to it). The noobj term is over all
    other boxes, the last over cells with an object. One object a cell: of several the first counts.

    y_true is what `pad_boxes` gives, (N, most, 5); y_pred the network's output.

    Args:
        classes: how many, C.
        boxes: how many a cell predicts, B.
        coord: the weight of boxes.
        noobj: the weight of confidences where no object is.
        name: what the history calls it.
        reduction: see `lamina.losses.Loss`.

    Example:
        >>> import lamina as lm
        >>> truth = lm.applications.pad_boxes([[[0, 0, 8, 8]]], [[1]], size=(16, 16))
        >>> cell = [0.25, 0.25, 0.5**0.5, 0.5**0.5, 1.0, 0.0, 1.0]  # one cell with one box, and two classes
        >>> loss = lm.applications.YOLOv1Loss(classes=2, boxes=1)
        >>> round(loss(truth, lm.tensor([[[cell]]])).item(), 6)
        0.0

    Reference:
        Redmon et al. 2015, arXiv:1506.02640, equation 3.
    """

    def __init__(
        self,
        classes: int,
        boxes: int = 2,
        coord: float = 5.0,
        noobj: float = 0.5,
        name: str = "yolo_v1_loss",
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.classes = positive(classes, name, "classes")
        self.boxes = positive(boxes, name, "boxes")
        self.coord, self.noobj = float(coord), float(noobj)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        if y_pred.ndim != 4 or y_pred.shape[3] != 5 * self.boxes + self.classes:
            raise ValueError(
                f"{self.name}: y_pred must have shape (N, rows, columns, {5 * self.boxes + self.classes}) for "
                f"{self.boxes} boxes and {self.classes} classes, got {y_pred.shape}"
            )
        objects = truth_of(y_true, y_pred, self.classes, self.name)
        targets, weights = self._targets(objects, backend.to_host(y_pred.array))
        difference = y_pred - as_tensor(targets, like=y_pred)
        return ops.sum(as_tensor(weights, like=y_pred) * difference * difference, axis=(1, 2, 3))

    def _targets(self, objects: Array, predictions: Array) -> tuple[Array, Array]:
        """What each number should be, and how much it counts."""
        _, rows, columns, _ = predictions.shape
        targets, weights = np.zeros_like(predictions), np.zeros_like(predictions)
        confidences = 4 + 5 * np.arange(self.boxes)
        weights[..., confidences] = self.noobj
        picture, place = np.nonzero(objects[:, :, 4] >= 0)
        found = objects[picture, place]
        center, size = (found[:, :2] + found[:, 2:4]) / 2, found[:, 2:4] - found[:, :2]
        scaled = center * np.array([columns, rows], center.dtype)
        cell = np.minimum(scaled.astype(np.int64), [columns - 1, rows - 1])
        _, first = np.unique((picture * rows + cell[:, 1]) * columns + cell[:, 0], return_index=True)
        picture, found, center, size, scaled, cell = (x[first] for x in (picture, found, center, size, scaled, cell))
        at = picture, cell[:, 1], cell[:, 0]
        said = predictions[at][:, : 5 * self.boxes].reshape(len(first), self.boxes, 5)
        corners = _corners(said, cell[:, None], (columns, rows))
        overlap = pairwise_iou(corners, found[:, None, :4])
        apart = np.square(corners - found[:, None, :4]).sum(axis=2)
        best = np.where(overlap.max(axis=1) > 0, overlap.argmax(axis=1), apart.argmin(axis=1))
        numbers = np.concatenate([scaled - cell, np.sqrt(size)], axis=1)
        for k in range(4):
            where = (*at, 5 * best + k)
            targets[where], weights[where] = numbers[:, k], self.coord
        where = (*at, 5 * best + 4)
        targets[where], weights[where] = overlap[np.arange(len(first)), best], 1
        weights[..., 5 * self.boxes :][at] = 1
        targets[(*at, 5 * self.boxes + found[:, 4].astype(np.int64))] = 1
        return targets, weights


def decode_yolo_v1(outputs: Any, classes: int) -> tuple[Tensor, Tensor]:
    """The boxes in the outputs of a YOLO v1, and their scores: confidence times class, at least 0.

    Args:
        outputs: (N, rows, columns, 5 B + C); of floats of 16 bits everything is computed in float32.
        classes: C.

    Returns:
        boxes (N, rows columns B, 4): corners in widths and heights of the picture; scores (N, rows columns B, C): for
        `best_boxes`.

    Raises:
        ValueError: if the outputs' shape does not fit.

    Example:
        >>> import lamina as lm
        >>> boxes, scores = lm.applications.decode_yolo_v1([[[[0.5, 0.5, 0.5, 1.0, 0.9, 0.0, 1.0]]]], classes=2)
        >>> boxes.numpy().tolist(), scores.numpy().round(2).tolist()
        ([[[0.375, 0.0, 0.625, 1.0]]], [[[0.0, 0.8999999761581421]]])
    """
    with no_grad():
        y = array_of(as_tensor(outputs))
        if y.ndim != 4 or y.shape[3] <= classes or (y.shape[3] - classes) % 5:
            raise ValueError(
                f"decode_yolo_v1: outputs must have shape (N, rows, columns, 5 B + {classes}), got {y.shape}"
            )
        n, rows, columns, depth = y.shape
        said = y[..., : depth - classes].reshape(n, rows, columns, -1, 5)
        row, column = np.mgrid[:rows, :columns]
        cells = np.stack([column, row], axis=-1)[:, :, None]
        boxes = _corners(said, cells, (columns, rows))
        scores = np.maximum(said[..., 4:] * y[..., None, depth - classes :], 0)
        return as_tensor(boxes.reshape(n, -1, 4)), as_tensor(scores.reshape(n, -1, classes))


def truth_of(y_true: Any, y_pred: Any, classes: int, who: str) -> Array:
    """The padded boxes (N, most, 5) as a NumPy array of y_pred's dtype, checked.

    Raises:
        ValueError: for another shape, classes that there are not, and boxes that `pad_boxes` would not give: inverted,
            without area, or not in shares of the picture.
    """
    objects = backend.to_host(as_tensor(y_true).array)
    if objects.ndim != 3 or objects.shape[2] != 5 or len(objects) != len(y_pred):
        raise ValueError(f"{who}: y_true must have shape ({len(y_pred)}, most, 5), see pad_boxes, got {objects.shape}")
    if objects.size and objects[:, :, 4].max() >= classes:
        raise ValueError(f"{who}: classes must be below {classes}, got {int(objects[:, :, 4].max())}")
    kinds = objects[:, :, 4]
    if (kinds != np.floor(kinds)).any():  # NaN as well
        raise ValueError(f"{who}: classes must be whole numbers, got {kinds[kinds != np.floor(kinds)][0]}")
    x = objects[:, :, :4]
    fits = ((x >= 0) & (x <= 1)).all(axis=2) & (x[:, :, :2] < x[:, :, 2:]).all(axis=2)
    wrong = np.argwhere((kinds >= 0) & ~fits)
    if len(wrong):
        i, k = wrong[0]
        raise ValueError(
            f"{who}: boxes must be x_min < x_max and y_min < y_max, from 0 to 1, as pad_boxes makes them of pixels; "
            f"box {k} of picture {i} is {x[i, k].tolist()}"
        )
    return objects.astype(y_pred.dtype, copy=False)


def _corners(said: Array, cells: Array, grid: tuple[int, int]) -> Array:
    """Corners in widths and heights of the picture, of x and y in cells and roots of sizes."""
    center = (said[..., :2] + cells.astype(said.dtype)) / np.array(grid, said.dtype)
    half = np.square(said[..., 2:4]) / 2
    return np.concatenate([center - half, center + half], axis=-1)
