"""Anchors, codes, matches, samples and proposals."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications import region_proposal as rp


def boxes_of(count, seed=0, extent=60.0):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, extent, (count, 2))
    return np.concatenate([corner, corner + random.uniform(2, 40, (count, 2))], 1).astype(np.float32)


def test_codes_are_undone():
    boxes, anchors = boxes_of(50), boxes_of(50, 1)
    for weights in ((1, 1, 1, 1), (10, 10, 5, 5)):
        codes = rp.encode_boxes(boxes, anchors, weights)
        np.testing.assert_allclose(rp.decode_boxes(codes, anchors, weights), boxes, atol=1e-3)
    several = rp.decode_boxes(np.zeros((50, 3, 4), np.float32), anchors)
    np.testing.assert_allclose(several, np.repeat(anchors[:, None], 3, 1), atol=1e-4)


def test_stretches_stop():
    wild = np.array([[0, 0, 100, 100]], np.float32)
    box = rp.decode_boxes(wild, np.array([[0, 0, 16, 16]], np.float32))
    np.testing.assert_allclose(box[0, 2:] - box[0, :2], 1000, rtol=1e-5)


def test_anchors_of_the_published_detector():
    assert rp.cell_anchors((32,), (0.5, 1.0, 2.0)).tolist() == [
        [-23, -11, 23, 11],
        [-16, -16, 16, 16],
        [-11, -23, 11, 23],
    ]
    levels = rp.grid_anchors([(4, 6), (2, 3)], (32, 48), [rp.cell_anchors((8,), (1.0,))] * 2)
    assert [len(level) for level in levels] == [24, 6]
    assert levels[0][7].tolist() == [4, 4, 12, 12]  # second row, second column, at a stride of 8
    assert levels[1][5].tolist() == [28, 12, 36, 20]


def test_matches():
    anchors = np.array([[0, 0, 10, 10], [0, 0, 10, 6], [0, 0, 10, 4], [30, 30, 40, 40], [30, 30, 40, 40]], np.float32)
    boxes = np.array([[0, 0, 10, 10], [30, 30, 40, 60]], np.float32)
    assert rp.match(boxes, anchors, 0.7, 0.5).tolist() == [0, rp.BETWEEN, rp.BELOW, rp.BELOW, rp.BELOW]
    # The best for an object stand for it even below the threshold, all that are as good.
    assert rp.match(boxes, anchors, 0.7, 0.5, best_of_each=True).tolist() == [0, rp.BETWEEN, rp.BELOW, 1, 1]
    assert rp.match(boxes[:0], anchors, 0.7, 0.3, best_of_each=True).tolist() == [rp.BELOW] * 5
    assert rp.match(boxes, anchors[:0], 0.7, 0.3).tolist() == []


def test_samples():
    labels = np.array([0] * 50 + [-1] * 10 + [1] * 20)
    lm.set_seed(3)
    first = rp.sample(labels, 32, 0.25)
    assert [len(part) for part in first] == [8, 24]
    assert (labels[first[0]] == 1).all()
    assert (labels[first[1]] == 0).all()
    assert len(set(first[0]) | set(first[1])) == 32
    lm.set_seed(3)
    again = rp.sample(labels, 32, 0.25)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    few = rp.sample(np.array([1, 0]), 10, 0.5)
    assert [part.tolist() for part in few] == [[0], [1]]
    assert [len(part) for part in rp.sample(np.array([-1]), 10, 0.5)] == [0, 0]


def test_proposals_come_level_by_level():
    boxes = boxes_of(200)
    scores = np.random.default_rng(2).standard_normal(200).astype(np.float32)
    found = rp.proposals([scores[:120], scores[120:]], [boxes[:120], boxes[120:]], (50, 60), before=80, after=30)
    assert found.shape == (30, 4)
    assert found.min() >= 0
    assert (found.max(0) <= [60, 50, 60, 50]).all()
    # A level's boxes never suppress another's.
    one = np.array([[0, 0, 9, 9]], np.float32)
    both = rp.proposals([np.ones(1, np.float32)] * 2, [one, one], (20, 20))
    assert both.tolist() == [[0, 0, 9, 9]] * 2
    outside = np.array([[70, 70, 90, 90]], np.float32)  # cut to nothing
    assert rp.proposals([np.ones(1, np.float32)], [outside], (20, 20)).shape == (0, 4)


def test_what_is_nan_is_no_proposal():
    scores, boxes = np.array([np.nan, 1, 2], np.float32), boxes_of(3, extent=8)
    boxes[1, 0] = np.nan
    assert rp.proposals([scores], [boxes], (50, 50)).tolist() == boxes[2:].tolist()


def test_losses_without_objects_are_of_background_alone():
    anchors = boxes_of(40)
    logits = lm.tensor(np.zeros((2, 40), np.float32), requires_grad=True)
    codes = lm.tensor(np.ones((2, 40, 4), np.float32), requires_grad=True)
    score, box = rp.rpn_losses(logits, codes, anchors, [np.zeros((0, 4)), np.zeros((0, 4))])
    assert score.item() == pytest.approx(np.log(2))
    assert box.item() == 0
    (score + box).backward()
    assert logits.grad.numpy().all()
    assert not codes.grad.numpy().any()


def test_losses_by_hand():
    anchors = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], np.float32)
    boxes = np.array([[0, 0, 10, 10]], np.float32)
    codes = np.zeros((1, 2, 4), np.float32)
    codes[0, 0] = [0.05, 0, 1, 0]  # near: 9/2 x^2; far: |x| - 1/18
    score, box = rp.rpn_losses(lm.tensor(np.array([[2.0, -1.0]], np.float32)), lm.tensor(codes), anchors, [boxes])
    assert score.item() == pytest.approx((np.log1p(np.exp(-2)) + np.log1p(np.exp(-1))) / 2, rel=1e-5)
    assert box.item() == pytest.approx((4.5 * 0.0025 + 1 - 1 / 18) / 2, rel=1e-5)
