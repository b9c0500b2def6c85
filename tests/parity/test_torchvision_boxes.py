"""Boxes against torchvision.ops: formats, areas, clipping, overlap and its gradients."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import lamina as lm
from parity.torchvision_peer import torch, torchvision

RANDOM = np.random.default_rng(0)
CORNER = RANDOM.uniform(-20, 80, (40, 2))
BOXES = np.concatenate([CORNER, CORNER + RANDOM.uniform(1, 60, (40, 2))], axis=1).astype(np.float32)
FORMATS = ("xyxy", "xywh", "cxcywh")


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(FORMATS, 2)))
def test_formats(source: str, target: str) -> None:
    expected = torchvision.ops.box_convert(torch.from_numpy(BOXES), source, target).numpy()
    np.testing.assert_allclose(lm.ops.box_convert(BOXES, source, target).numpy(), expected, rtol=1e-6, atol=1e-5)


def test_area_and_clipping() -> None:
    boxes = torch.from_numpy(BOXES)
    np.testing.assert_allclose(lm.ops.box_area(BOXES).numpy(), torchvision.ops.box_area(boxes).numpy(), rtol=1e-6)
    clipped = torchvision.ops.clip_boxes_to_image(boxes, (60, 90)).numpy()
    np.testing.assert_array_equal(lm.ops.clip_boxes_to_image(BOXES, (60, 90)).numpy(), clipped)


@pytest.mark.parametrize("name", ["box_iou", "generalized_box_iou"])
def test_overlap(name: str) -> None:
    first: Any = torch.from_numpy(BOXES[:15].astype(np.float64)).requires_grad_()
    expected = getattr(torchvision.ops, name)(first, torch.from_numpy(BOXES[15:].astype(np.float64)))
    weights = RANDOM.normal(size=expected.shape)
    (expected * torch.from_numpy(weights)).sum().backward()
    mine = lm.tensor(BOXES[:15].astype(np.float64), requires_grad=True)
    found = getattr(lm.ops, name)(mine, BOXES[15:].astype(np.float64))
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), atol=1e-12)
    (found * weights).sum().backward()
    assert mine.grad is not None
    np.testing.assert_allclose(mine.grad.numpy(), first.grad.numpy(), atol=1e-12)
