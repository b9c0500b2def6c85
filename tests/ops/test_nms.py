import numpy as np
import pytest

import lamina as lm
from op_testing import check_op


def reference(boxes, scores, threshold=0.5, labels=None):
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        for j in kept:
            if labels is not None and labels[i] != labels[j]:
                continue
            sides = np.minimum(boxes[i, 2:], boxes[j, 2:]) - np.maximum(boxes[i, :2], boxes[j, :2])
            shared = np.maximum(sides, 0).prod()
            area = [(b[2:] - b[:2]).prod() for b in (boxes[i], boxes[j])]
            if shared / (sum(area) - shared) > threshold:
                break
        else:
            kept.append(i)
    return np.array(kept, np.int64)


def scattered(count, seed, extent=50.0):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, extent, (count, 2))
    boxes = np.concatenate([corner, corner + random.uniform(1, 30, (count, 2))], 1)
    return boxes, random.permutation(count).astype(np.float64), random.integers(-2, 3, count)


@pytest.mark.parametrize("count", [1, 2, 17, 203])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.0])
def test_nms(count, threshold):
    boxes, scores, labels = scattered(count, count)
    check_op(
        lambda b, s: lm.ops.nms(b, s, threshold),
        [boxes, scores],
        lambda b, s: reference(b, s, threshold),
        gradients=False,
        batch_axis=None,
        narrow=False,  # rounded corners overlap by more or less
    )
    check_op(
        lambda b, s, k: lm.ops.nms(b, s, threshold, k),
        [boxes, scores, labels],
        lambda b, s, k: reference(b, s, threshold, k),
        gradients=False,
        batch_axis=None,
        narrow=False,
    )


def test_same_bits_for_any_number_of_threads_where_labels_are_shared_out():
    boxes, scores, labels = scattered(5000, 1, extent=2000.0)
    results = []
    for threads in (1, 2, 4):
        lm.set_num_threads(threads)
        results.append(lm.ops.nms(boxes, scores, 0.3, labels * 7).numpy().tolist())
    lm.set_num_threads(1)
    assert results[0] == results[1] == results[2]
    assert len(results[0]) > 1000


def test_ties_go_by_index():
    boxes = np.array([[0, 0, 4, 4], [9, 9, 12, 12], [0, 0, 4, 4], [0, 0, 4, 4]], np.float32)
    assert lm.ops.nms(boxes, [1.0, 1.0, 1.0, 1.0]).numpy().tolist() == [0, 1]
    assert lm.ops.nms(boxes, [1.0, 1.0, 1.0, 1.0], labels=[1, 1, 0, 1]).numpy().tolist() == [0, 1, 2]
    assert lm.ops.nms(boxes, [0.0, -0.0, -np.inf, np.inf]).numpy().tolist() == [3, 1]


def test_overlap_must_be_more_than_the_threshold():
    boxes = np.array([[0, 0, 2, 2], [0, 0, 2, 1], [0, 1, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1]], np.float32)
    assert lm.ops.nms(boxes[:2], [2.0, 1.0], 0.5).numpy().tolist() == [0, 1]
    assert lm.ops.nms(boxes[:2], [2.0, 1.0], 0.49).numpy().tolist() == [0]
    # Without an area nothing overlaps.
    assert lm.ops.nms(boxes, [5.0, 4.0, 3.0, 2.0, 1.0], 0.0).numpy().tolist() == [0, 2, 3, 4]


def test_nothing_in_nothing_out():
    for labels in (None, np.zeros(0, np.int64)):
        kept = lm.ops.nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), labels=labels)
        assert kept.shape == (0,)
        assert kept.dtype == np.int64


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (([[0.0, 0.0, 1.0]], [1.0]), ValueError, r"boxes must have shape \(N, 4\), got \(1, 3\)"),
        (([[0.0, 0.0, 1.0, 1.0]], [1.0, 2.0]), ValueError, r"scores must have shape \(1,\), got \(2,\)"),
        (([[2.0, 0.0, 1.0, 1.0]], [1.0]), ValueError, "x_min <= x_max"),
        (([[0.0, 2.0, 1.0, 1.0]], [1.0]), ValueError, "y_min <= y_max"),
        (([[0.0, 0.0, np.inf, 1.0]], [1.0]), ValueError, "boxes must be finite"),
        (([[0.0, 0.0, 1.0, 1.0]], [np.nan]), ValueError, "scores must not be NaN"),
        (([[0.0, 0.0, 1.0, 1.0]], [1.0], 1.5), ValueError, "iou_threshold must be from 0 to 1, got 1.5"),
        (([[0.0, 0.0, 1.0, 1.0]], [1.0], float("nan")), ValueError, "iou_threshold must be from 0 to 1"),
        (([[0.0, 0.0, 1.0, 1.0]], [1.0], "half"), TypeError, "iou_threshold must be a number"),
        (([[0.0, 0.0, 1.0, 1.0]], [1.0], 0.5, [1, 2]), ValueError, r"labels must have shape \(1,\)"),
        (([[0.0, 0.0, 1.0, 1.0]], [1.0], 0.5, [1.5]), TypeError, "labels must be integers"),
    ],
)
def test_errors(arguments, error, text):
    with pytest.raises(error, match="nms: .*" + text):
        lm.ops.nms(*arguments)
