"""Boxes: formats, areas, clipping, overlap."""

import itertools

import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

random = np.random.default_rng(0)


def drawn(*shape):
    """Corners of boxes in a picture of 40 x 30 pixels."""
    corner = random.uniform(0, 20, (*shape, 2))
    return np.concatenate([corner, corner + random.uniform(0.5, 20, (*shape, 2))], axis=-1)


def to_corners(x, fmt):
    """The formats once more, one number at a time."""
    a, b, c, d = np.moveaxis(x, -1, 0)
    centered = (a - c / 2, b - d / 2, a + c / 2, b + d / 2)
    return np.stack({
        "xyxy": (a, b, c, d), "yxyx": (b, a, d, c), "xywh": (a, b, a + c, b + d),
        "cxcywh": centered, "center_xywh": centered,
        "center_yxhw": (b - d / 2, a - c / 2, b + d / 2, a + c / 2),
    }[fmt], axis=-1)  # fmt: skip


FORMATS = ("xyxy", "yxyx", "xywh", "cxcywh", "center_xywh", "center_yxhw")


@pytest.mark.parametrize("fmt", FORMATS)
def test_to_corners(fmt):
    check_op(lambda x: lm.ops.box_convert(x, fmt, "xyxy"), [drawn(5, 7)], lambda x: to_corners(x, fmt))


@pytest.mark.parametrize(("source", "target"), list(itertools.product(FORMATS, FORMATS)))
def test_there_and_back(source, target):
    x = drawn(9)
    there = lm.ops.box_convert(x, source, target)
    np.testing.assert_allclose(lm.ops.box_convert(there, target, source).numpy(), x, atol=1e-12)
    np.testing.assert_allclose(to_corners(there.numpy(), target), to_corners(x, source), atol=1e-12)


def test_relative_formats():
    relative = np.array([[0.25, 0.5, 0.5, 0.75]])
    pixels = lm.ops.box_convert(relative, "rel_xyxy", "yxyx", height=100, width=200)
    assert pixels.numpy().tolist() == [[50, 50, 75, 100]]
    back = lm.ops.box_convert(pixels, "yxyx", "rel_center_yxhw", height=100, width=200)
    assert back.numpy().tolist() == [[0.625, 0.375, 0.25, 0.25]]
    assert lm.ops.box_convert(relative, "rel_xyxy", "rel_xywh").numpy().tolist() == [[0.25, 0.5, 0.25, 0.25]]


def test_area():
    check_op(lm.ops.box_area, [drawn(6, 8)], lambda x: (x[..., 2] - x[..., 0]) * (x[..., 3] - x[..., 1]))
    assert lm.ops.box_area([[3.0, 3.0, 1.0, 1.0], [2.0, 2.0, 2.0, 9.0]]).numpy().tolist() == [0, 0]


def test_clip():
    x = drawn(6, 8) - 10.25
    check_op(lambda x: lm.ops.clip_boxes_to_image(x, (15, 20)), [x], lambda x: np.clip(x, 0, [20, 15, 20, 15]))
    outside = lm.ops.clip_boxes_to_image([[-9.0, 1.0, -2.0, 3.0], [30.0, 40.0, 50.0, 60.0]], (15, 20)).numpy()
    assert outside.tolist() == [[0, 1, 0, 3], [20, 15, 20, 15]]


def overlaps(a, b):
    """Intersections, unions and hulls, a pair at a time."""
    n, m = a.shape[-2], b.shape[-2]
    found = np.zeros((3, *np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), n, m))
    for i, j in np.ndindex(n, m):
        p, q = a[..., i, :], b[..., j, :]
        wide = np.minimum(p[..., 2], q[..., 2]) - np.maximum(p[..., 0], q[..., 0])
        high = np.minimum(p[..., 3], q[..., 3]) - np.maximum(p[..., 1], q[..., 1])
        shared = np.maximum(wide, 0) * np.maximum(high, 0)
        areas = sum((r[..., 2] - r[..., 0]) * (r[..., 3] - r[..., 1]) for r in (p, q))
        hull = (np.maximum(p[..., 2], q[..., 2]) - np.minimum(p[..., 0], q[..., 0])) * (
            np.maximum(p[..., 3], q[..., 3]) - np.minimum(p[..., 1], q[..., 1])
        )
        found[:, ..., i, j] = shared, areas - shared, hull
    return found


def iou(a, b):
    shared, union, _ = overlaps(a, b)
    return shared / union


def generalized(a, b):
    shared, union, hull = overlaps(a, b)
    return shared / union - (hull - union) / hull


@pytest.mark.parametrize(("op", "reference"), [(lm.ops.box_iou, iou), (lm.ops.generalized_box_iou, generalized)])
def test_overlap(op, reference):
    check_op(op, [drawn(3, 5), drawn(3, 6)], reference, batched=(0, 1))
    check_op(op, [drawn(7), drawn(4)], reference, narrow=False)


def test_boxes_without_area():
    boxes = [[1.0, 1.0, 1.0, 5.0], [1.0, 1.0, 3.0, 5.0], [4.0, 4.0, 2.0, 2.0]]
    assert lm.ops.box_iou(boxes, boxes).numpy().tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    x = lm.tensor(boxes, requires_grad=True)
    lm.ops.generalized_box_iou(x, boxes).sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_no_boxes():
    assert lm.ops.box_iou(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)
    assert lm.ops.box_convert(np.zeros((0, 4)), "xyxy", "xywh").shape == (0, 4)


BOXES = np.zeros((2, 4))


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: lm.ops.box_convert(BOXES, "xyxy", "corners"), ValueError, "a format must be one of xyxy, .*got 'corners'"),
    (lambda: lm.ops.box_convert(BOXES, "rel_xyxy", "xyxy"), ValueError, "needs the picture's height and width"),
    (lambda: lm.ops.box_convert(BOXES, "rel_xyxy", "xyxy", 0, 4), ValueError, "height must be at least 1, got 0"),
    (lambda: lm.ops.box_area(np.zeros((4, 5))), ValueError, r"boxes must have shape \(\.\.\., 4\), got \(4, 5\)"),
    (lambda: lm.ops.box_area(BOXES.astype(complex)), TypeError, "expected an array of numbers"),
    (lambda: lm.ops.box_iou(BOXES[0], BOXES), ValueError, r"boxes must have shape \(\.\.\., n, 4\), got \(4,\)"),
    (lambda: lm.ops.box_iou(BOXES, BOXES.astype("f4")), TypeError, "boxes2 must have the dtype of boxes1"),
    (lambda: lm.ops.clip_boxes_to_image(BOXES, 9), ValueError, r"size must be \(height, width\), got 9"),
    (lambda: lm.ops.clip_boxes_to_image(BOXES, (0, 9)), ValueError, "size must be at least 1, got 0"),
])  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
