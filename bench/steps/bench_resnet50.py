"""ResNet-50 on 224x224x3: inference of 1 and 16 images, normalisation folded, and a training step of 8 with Adam."""

from __future__ import annotations

from typing import Any

from bench.case import Case
from bench.steps import image_networks

DEFAULT_MALLOC = True
BLOCKS = ((64, 3), (128, 4), (256, 6), (512, 3))
FLOPS = 2 * 4.089e9  # of convolutions and the dense layer


def build(size: int) -> Any:
    from lamina.applications import ResNet50
    from lamina.applications.weights import load_weights, torch_names

    model = ResNet50(input_shape=(size, size, 3), classifier_activation=None)
    layout = torch_names(model)
    arrays = image_networks.Drawn({name: held.shape for name, held in layout.items()})
    load_weights(model, arrays, {"PyTorch": layout})
    return model


def torch_network() -> Any:
    """The same in PyTorch, by torchvision's names."""
    import torch
    from torch import nn

    class Bottleneck(nn.Module):
        def __init__(self, channels: int, filters: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(channels, filters, 1, bias=False), nn.BatchNorm2d(filters)
            self.conv2 = nn.Conv2d(filters, filters, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(filters)
            self.conv3, self.bn3 = nn.Conv2d(filters, 4 * filters, 1, bias=False), nn.BatchNorm2d(4 * filters)
            self.relu = nn.ReLU(inplace=True)
            self.downsample = None
            if stride != 1 or channels != 4 * filters:
                shortcut = nn.Conv2d(channels, 4 * filters, 1, stride, bias=False)
                self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * filters))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            shortcut = x if self.downsample is None else self.downsample(x)
            y = self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))
            y = self.bn3(self.conv3(y))
            y += shortcut
            return self.relu(y)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
            self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
            channels, stages = 64, []
            for number, (filters, count) in enumerate(BLOCKS):
                blocks = []
                for block in range(count):
                    blocks.append(Bottleneck(channels, filters, 2 if number and not block else 1))
                    channels = 4 * filters
                stages.append(nn.Sequential(*blocks))
            self.layer1, self.layer2, self.layer3, self.layer4 = stages
            self.fc = nn.Linear(channels, image_networks.CLASSES)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(x.mean((2, 3)))

    return Network()


def cases(smoke: bool) -> list[Case]:
    return image_networks.cases("resnet50", build, torch_network, FLOPS, (1, 16), 8, smoke)
