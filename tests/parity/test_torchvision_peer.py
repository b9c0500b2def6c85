"""That torchvision can be asked at all: its ops answer beside a CPU build of PyTorch."""

from __future__ import annotations

import sys

from parity.torchvision_peer import torch, torchvision


def test_suppression_keeps_the_best_of_each_pile() -> None:
    boxes = torch.tensor([[0, 0, 4, 4], [0, 0, 4, 3.8], [5, 5, 9, 9], [0, 0, 1, 1.0]])
    kept = torchvision.ops.nms(boxes, torch.tensor([0.5, 0.6, 0.1, 0.9]), 0.5)
    assert kept.tolist() == [3, 1, 2]


def test_networks_are_built() -> None:
    network = torchvision.models.resnet18(weights=None)
    assert sum(p.numel() for p in network.parameters()) == 11_689_512


def test_regions_are_those_of_torchvisions_own_python() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, 9, 11, generator=generator)
    corner = torch.rand(6, 2, generator=generator) * 3  # that Python knows nothing of points beyond the edges
    boxes = torch.cat([torch.arange(6)[:, None] % 2, corner, corner + torch.rand(6, 2, generator=generator) * 3.5], 1)
    plain = sys.modules["torchvision.ops.roi_align"]._roi_align.__wrapped__
    for scale, samples, aligned in ((1.0, 2, False), (0.5, -1, True), (1.3, -1, False)):
        expected = plain(x, boxes, scale, 3, 2, samples, aligned)
        found = torchvision.ops.roi_align(x, boxes, (3, 2), scale, samples, aligned)
        torch.testing.assert_close(found, expected)
