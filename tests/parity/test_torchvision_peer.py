"""That torchvision can be asked at all: its ops answer beside a CPU build of PyTorch."""

from __future__ import annotations

from parity.torchvision_peer import torch, torchvision


def test_suppression_keeps_the_best_of_each_pile() -> None:
    boxes = torch.tensor([[0, 0, 4, 4], [0, 0, 4, 3.8], [5, 5, 9, 9], [0, 0, 1, 1.0]])
    kept = torchvision.ops.nms(boxes, torch.tensor([0.5, 0.6, 0.1, 0.9]), 0.5)
    assert kept.tolist() == [3, 1, 2]


def test_networks_are_built() -> None:
    network = torchvision.models.resnet18(weights=None)
    assert sum(p.numel() for p in network.parameters()) == 11_689_512
