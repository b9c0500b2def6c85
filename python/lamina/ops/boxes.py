"""Boxes: box_convert, box_area, clip_boxes_to_image, and how much two overlap: box_iou, generalized_box_iou."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import maximum, minimum
from lamina.ops.checks import beside, float_tensor, integer, same_dtype
from lamina.ops.joining import concatenate
from lamina.ops.rectifiers import rectifier
from lamina.ops.selection import where
from lamina.ops.shapes import expand_dims

FORMATS = ("xyxy", "yxyx", "xywh", "cxcywh", "center_xywh", "center_yxhw")
ROWS_FIRST = ("yxyx", "center_yxhw")


def box_convert(boxes: Any, in_fmt: str, out_fmt: str, height: int | None = None, width: int | None = None) -> Tensor:
    """Boxes in another format.

    | format | numbers |
    |---|---|
    | "xyxy" | x_min, y_min, x_max, y_max: two corners |
    | "yxyx" | y_min, x_min, y_max, x_max |
    | "xywh" | x_min, y_min, width, height |
    | "cxcywh", or "center_xywh" | centre's x and y, width, height |
    | "center_yxhw" | centre's y and x, height, width |

    With "rel_" before its name a format has x in widths of the picture and y in heights, from 0 to 1.

    Args:
        boxes: tensor of shape (..., 4), float32 or float64.
        in_fmt: their format.
        out_fmt: the wanted one.
        height: of the picture in pixels, where one format is relative and the other is not.
        width: likewise.

    Returns:
        Tensor of shape (..., 4).

    Raises:
        ValueError: for an unknown format, another shape, or a missing height or width.
        TypeError: for another dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.box_convert([[10.0, 20.0, 30.0, 60.0]], "xyxy", "cxcywh").numpy().tolist()
        [[20.0, 40.0, 20.0, 40.0]]
        >>> lm.ops.box_convert([[0.5, 0.5, 0.5, 1.0]], "rel_cxcywh", "xyxy", height=100, width=200).numpy().tolist()
        [[50.0, 0.0, 150.0, 100.0]]
    """
    op = "box_convert"
    x = _boxes(boxes, op, "boxes")
    (source, source_relative), (target, target_relative) = _format(op, in_fmt), _format(op, out_fmt)
    if source_relative != target_relative:
        if height is None or width is None:
            raise ValueError(f"{op}: from {in_fmt!r} to {out_fmt!r} needs the picture's height and width")
        h, w = integer(height, op, "height", 1), integer(width, op, "width", 1)
        scale = np.array([h, w, h, w] if source in ROWS_FIRST else [w, h, w, h], x.dtype)
        x = x * beside(scale, x, op, "scale") if source_relative else x / beside(scale, x, op, "scale")
    if source == target:
        return x
    first, second = x[..., :2], x[..., 2:]
    if source.startswith("center"):
        first, second = first - second * 0.5, first + second * 0.5
    elif source == "xywh":
        second = first + second
    if (source in ROWS_FIRST) != (target in ROWS_FIRST):
        first, second = first[..., ::-1], second[..., ::-1]
    if target.startswith("center"):
        first, second = (first + second) * 0.5, second - first
    elif target == "xywh":
        second = second - first
    return concatenate([first, second], axis=-1)


def box_area(boxes: Any) -> Tensor:
    """(x_max - x_min) (y_max - y_min), and 0 for a box whose corners are the wrong way round.

    Args:
        boxes: tensor of shape (..., 4), float32 or float64: x_min, y_min, x_max, y_max.

    Returns:
        Tensor of shape (...).

    Raises:
        ValueError: for another shape.
        TypeError: for another dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.box_area([[0.0, 0.0, 2.0, 3.0], [5.0, 5.0, 4.0, 6.0]]).numpy().tolist()
        [6.0, 0.0]
    """
    return _area(_boxes(boxes, "box_area", "boxes"))


def clip_boxes_to_image(boxes: Any, size: tuple[int, int]) -> Tensor:
    """The part of each box that lies in the picture. One that lies outside becomes one of no area, at the edge.

    Args:
        boxes: tensor of shape (..., 4), float32 or float64: x_min, y_min, x_max, y_max in pixels.
        size: the picture's height and width.

    Returns:
        Tensor of shape (..., 4). The gradient is 0 where a number was cut.

    Raises:
        ValueError: for another shape, or a size below 1.
        TypeError: for another dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.clip_boxes_to_image([[-3.0, 4.0, 20.0, 9.0]], (8, 16)).numpy().tolist()
        [[0.0, 4.0, 16.0, 8.0]]
    """
    op = "clip_boxes_to_image"
    x = _boxes(boxes, op, "boxes")
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise ValueError(f"{op}: size must be (height, width), got {size!r}")
    height, width = (integer(n, op, "size", 1) for n in size)
    largest = beside(np.array([width, height, width, height], x.dtype), x, op, "size")
    return minimum(rectifier(x, 0.0, None, 0.0, op), largest)


def box_iou(boxes1: Any, boxes2: Any) -> Tensor:
    """Intersection over union of every box with every other: area(a and b) / (area(a) + area(b) - area(a and b)).

    Two boxes without area give 0 (PyTorch: nan).

    Args:
        boxes1: tensor of shape (..., n, 4), float32 or float64: x_min, y_min, x_max, y_max.
        boxes2: tensor of shape (..., m, 4).

    Returns:
        Tensor of shape (..., n, m), from 0 to 1.

    Raises:
        ValueError: for other shapes.
        TypeError: for other dtypes, or two.

    Example:
        >>> import lamina as lm
        >>> lm.ops.box_iou([[0.0, 0.0, 2.0, 2.0]], [[0.0, 1.0, 2.0, 2.0], [5.0, 5.0, 6.0, 6.0]]).numpy().tolist()
        [[0.5, 0.0]]

    Reference:
        Jaccard 1912, "The Distribution of the Flora in the Alpine Zone", New Phytologist 11.
    """
    a, b = _pairs("box_iou", boxes1, boxes2)
    shared, union = _overlap(a, b)
    return _share(shared, union)


def generalized_box_iou(boxes1: Any, boxes2: Any) -> Tensor:
    """IoU less the share of the smallest box around both that neither fills: iou - (area(hull) - union) / area(hull).

    It is -1 in the limit of boxes far apart, and its gradient leads there, where that of IoU is 0.

    Args:
        boxes1: tensor of shape (..., n, 4), float32 or float64: x_min, y_min, x_max, y_max.
        boxes2: tensor of shape (..., m, 4).

    Returns:
        Tensor of shape (..., n, m), from -1 to 1.

    Raises:
        ValueError: for other shapes.
        TypeError: for other dtypes, or two.

    Example:
        >>> import lamina as lm
        >>> lm.ops.generalized_box_iou([[0.0, 0.0, 1.0, 1.0]], [[3.0, 0.0, 4.0, 1.0]]).numpy().tolist()
        [[-0.5]]

    Reference:
        Rezatofighi et al. 2019, "Generalized Intersection over Union", arXiv:1902.09630.
    """
    a, b = _pairs("generalized_box_iou", boxes1, boxes2)
    shared, union = _overlap(a, b)
    hull = _area(concatenate([minimum(a[..., :2], b[..., :2]), maximum(a[..., 2:], b[..., 2:])], axis=-1))
    return _share(shared, union) - _share(hull - union, hull)


def _format(op: str, name: Any) -> tuple[str, bool]:
    """A format without its rel_, and whether it had it."""
    plain = name.removeprefix("rel_") if isinstance(name, str) else name
    if plain not in FORMATS:
        raise ValueError(f"{op}: a format must be one of {', '.join(FORMATS)}, or rel_ and one of them, got {name!r}")
    return "center_xywh" if plain == "cxcywh" else plain, plain != name


def _boxes(boxes: Any, op: str, name: str) -> Tensor:
    x = float_tensor(boxes, op, name)
    if x.shape[-1:] != (4,):
        raise ValueError(f"{op}: {name} must have shape (..., 4), got {x.shape}")
    return x


def _pairs(op: str, boxes1: Any, boxes2: Any) -> tuple[Tensor, Tensor]:
    """Both lists with an axis for the other's boxes."""
    a = _boxes(boxes1, op, "boxes1")
    b = _boxes(beside(boxes2, a, op, "boxes2"), op, "boxes2")
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError(f"{op}: boxes must have shape (..., n, 4), got {a.shape} and {b.shape}")
    same_dtype(op, boxes1=a, boxes2=b)
    return expand_dims(a, -2), expand_dims(b, -3)


def _area(boxes: Tensor) -> Tensor:
    size = rectifier(boxes[..., 2:] - boxes[..., :2], 0.0, None, 0.0, "box_area")
    return size[..., 0] * size[..., 1]


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The areas of intersection and union."""
    shared = _area(concatenate([maximum(a[..., :2], b[..., :2]), minimum(a[..., 2:], b[..., 2:])], axis=-1))
    return shared, _area(a) + _area(b) - shared


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, and 0 where there is nothing."""
    there = whole > 0
    return where(there, part, 0.0) / where(there, whole, 1.0)
