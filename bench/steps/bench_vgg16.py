"""VGG-16 on 224x224x3: inference of 1 and 16 images, and a training step of 8 with Adam. Dropout is off on both sides:
their random numbers differ."""

from __future__ import annotations

from typing import Any

from bench.case import Case
from bench.steps import image_networks

DEFAULT_MALLOC = True
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
FLOPS = 2 * 15.47e9


def build(size: int) -> Any:
    from lamina.applications import VGG16
    from lamina.layers import Dropout

    shapes: dict[str, tuple[int, ...]] = {}
    place, channels = 0, 3
    for filters, count in BLOCKS:
        for _ in range(count):
            shapes |= {f"features.{place}.weight": (filters, channels, 3, 3), f"features.{place}.bias": (filters,)}
            place, channels = place + 2, filters
        place += 1
    for place, inputs, units in ((0, 25088, 4096), (3, 4096, 4096), (6, 4096, image_networks.CLASSES)):
        shapes |= {f"classifier.{place}.weight": (units, inputs), f"classifier.{place}.bias": (units,)}
    weights = image_networks.Drawn(shapes)
    model = VGG16(weights=weights, input_shape=(size, size, 3), classifier_activation=None)
    for layer in model.layers:
        if isinstance(layer, Dropout):
            layer.rate = 0.0
    return model


def torch_network() -> Any:
    """The same in PyTorch, by torchvision's names."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            channels, features = 3, []
            for filters, count in BLOCKS:
                for _ in range(count):
                    features += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(inplace=True)]
                    channels = filters
                features.append(nn.MaxPool2d(2))
            self.features = nn.Sequential(*features)
            self.avgpool = nn.AdaptiveAvgPool2d(7)
            relu, drop = nn.ReLU(inplace=True), nn.Dropout(0.0)
            dense = [nn.Linear(25088, 4096), relu, drop, nn.Linear(4096, 4096), relu, drop]
            self.classifier = nn.Sequential(*dense, nn.Linear(4096, image_networks.CLASSES))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))

    return Network()


def cases(smoke: bool) -> list[Case]:
    return image_networks.cases("vgg16", build, torch_network, FLOPS, (1, 16), 8, smoke)
