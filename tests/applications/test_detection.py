"""Boxes as targets, and the best of many boxes."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications.detection import pairwise_iou

pad_boxes, best_boxes = lm.applications.pad_boxes, lm.applications.best_boxes


def test_pad_boxes():
    padded = pad_boxes([[[2, 3, 6, 9], [0, 0, 5, 5]], np.zeros((0, 4)), []], [[1, 0], [], []], size=(10, 20))
    assert padded.shape == (3, 2, 5)
    assert padded.dtype == np.float32
    np.testing.assert_allclose(padded[0, 0], [0.1, 0.3, 0.3, 0.9, 1], rtol=1e-6)
    assert (padded[1:, :, 4] == -1).all()
    assert pad_boxes([[]], [[]], size=(4, 4)).shape == (1, 1, 5)  # pictures without objects only
    assert pad_boxes([[[0, 0, 1, 1]]], [[0]], size=(4, 4), most=3).shape == (1, 3, 5)


def test_what_lies_outside_is_cut_off():
    padded = pad_boxes([[[-5, 2, 30, 8]]], [[0]], size=(10, 20))
    np.testing.assert_allclose(padded[0, 0, :4], [0, 0.2, 1, 0.8], rtol=1e-6)


def one(*box):
    return lambda: pad_boxes([[[0, 0, 1, 1]], [list(box)]], [[0], [0]], size=(10, 20))


@pytest.mark.parametrize(("call", "message"), [
    (one(6, 1, 3, 5), r"picture 1: box 0, \[6.0, 1.0, 3.0, 5.0\], is inverted"),
    (one(6, 1, 6, 5), "picture 1: box 0, .* has no area"),
    (one(20, 1, 26, 5), "lies outside the picture of 10 x 20 pixels"),
    (one(1, -9, 6, -2), "lies outside the picture of 10 x 20 pixels"),
    (one(0, 0, np.nan, 1), "is not finite"),
    (lambda: pad_boxes([[[0, 0, 1, 1]]], [[0], [1]], size=(4, 4)), "boxes of 1 pictures, labels of 2"),
    (lambda: pad_boxes([[[0, 0, 1, 1]]], [[0, 1]], size=(4, 4)), r"boxes \(n, 4\) and labels \(n,\), got \(1, 4\)"),
    (lambda: pad_boxes([[[0, 0, 1, 1]]], [[]], size=(4, 4)), r"boxes \(n, 4\) and labels \(n,\)"),
    (lambda: pad_boxes([[[0, 0, 1, 1]]], [[-1]], size=(4, 4)), r"classes must be whole numbers from 0, got \[-1\]"),
    (lambda: pad_boxes([[[0, 0, 1, 1]] * 2], [[0, 1]], size=(4, 4), most=1), "has 2 objects, more than most, 1"),
    (lambda: pad_boxes([], [], size=4), r"size must be \(height, width\), got 4"),
    (lambda: best_boxes(np.zeros((1, 2, 4)), np.zeros((1, 2, 3)), 4), r"best_boxes: size must be \(height, width\)"),
    (lambda: best_boxes(np.zeros((1, 2, 5)), np.zeros((1, 2, 3)), (4, 4)), r"expected boxes \(N, M, 4\)"),
    (lambda: best_boxes(np.zeros((1, 2, 4)), np.zeros((1, 3, 3)), (4, 4)), r"scores \(N, M, classes\)"),
    (lambda: best_boxes(np.zeros((1, 2, 4)), np.zeros((1, 2, 3)), (4, 4), max_detections=0), "at least 1, got 0"),
    (lambda: best_boxes(np.zeros((1, 2, 4)), np.zeros((1, 2, 3)), (4, 4), 1.5), "score_threshold must be from 0 to 1"),
])  # fmt: skip
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_best_boxes():
    boxes = [[[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.45], [0.4, 0.4, 1.5, 1], [0, 0, 1, 1]]]
    scores = [[[0.5, 0.9], [0.6, 0.1], [0.8, 0.0], [0.1, 0.2]]]
    (found,) = best_boxes(np.array(boxes, "f4"), np.array(scores, "f4"), size=(40, 20))
    assert found["labels"].tolist() == [1, 0, 0]  # of the two boxes of class 0 at the corner, the better one
    np.testing.assert_allclose(found["scores"], [0.9, 0.8, 0.6])
    np.testing.assert_allclose(found["boxes"], [[0, 0, 10, 20], [8, 16, 20, 40], [0, 0, 10, 18]], rtol=1e-6)
    assert found["boxes"].dtype == found["scores"].dtype == np.float32
    (found,) = best_boxes(np.array(boxes, "f4"), np.array(scores, "f4"), (40, 20), max_detections=1)
    assert len(found["boxes"]) == 1
    (found,) = best_boxes(np.array(boxes, "f4"), np.zeros((1, 4, 2), "f4"), (40, 20))
    assert found["boxes"].shape == (0, 4)


def test_pixels_of_16_bit_boxes_are_not_rounded_to_16_bits():
    boxes = lm.ops.cast(lm.tensor([[[0.0, 0.0, 0.5, 0.8984375]]]), "bfloat16")
    (found,) = best_boxes(boxes, lm.ops.cast(lm.tensor([[[0.5]]]), "bfloat16"), (10, 10))
    assert found["boxes"].tolist() == [[0, 0, 5, 8.984375]]


def test_pairwise_iou():
    random = np.random.default_rng(0)
    corner = random.uniform(0, 1, (2, 9, 2))
    a, b = np.concatenate([corner, corner + random.uniform(0, 1, (2, 9, 2))], axis=-1)
    expected = np.diagonal(lm.ops.box_iou(a, b).numpy())
    np.testing.assert_allclose(pairwise_iou(a, b), expected, rtol=1e-12)


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_a_network_that_says_nan_is_not_one_that_finds_nothing(threshold):
    scores = np.array([[[0.5, np.nan], [np.nan, 0.1], [0.8, 0.0]]], "f4")
    with pytest.raises(ValueError, match="best_boxes: 2 of 6 scores are NaN: the network has diverged"):
        best_boxes(np.zeros((1, 3, 4), "f4"), scores, (4, 4), score_threshold=threshold)
