"""Feature pyramids: maps of one width at several strides, each knowing what the deeper ones saw.

Paper: Lin, Dollár, Girshick, He, Hariharan & Belongie 2017, "Feature Pyramid Networks for Object Detection",
arXiv:1612.03144. Its claim: a network's own pyramid of features, with a path from its deep end back to its shallow one,
finds objects of all sizes for little more time than one map, and better than a pyramid of pictures.

Differs from the paper in: nothing. The extra level for the largest anchors takes every second pixel, as the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamina.applications.building import image_input
from lamina.applications.resnet import resnet_stages
from lamina.applications.weights import load_weights, torch_names
from lamina.initializers import VarianceScaling
from lamina.layers import Add, BatchNormalization, Conv2D, MaxPooling2D, UpSampling2D
from lamina.models.model import Model


def feature_pyramid(stages: Sequence[Any], channels: int = 256, extra: bool = True, prefix: str = "fpn.") -> list[Any]:
    """The levels of a pyramid over a network's stages: p_i = conv3x3(m_i), m_i = conv1x1(c_i) + twice m_(i + 1).

    Args:
        stages: symbolic tensors (N, H / s, W / s, C), from the largest map to the smallest, each half the one before.
        channels: of every level.
        extra: whether there is one level more, every second pixel of the last.
        prefix: what stands before the layers' names, which are torchvision's.

    Returns:
        List of symbolic tensors (N, H / s, W / s, channels).

    Raises:
        ValueError: if there are no stages.

    Example:
        >>> import lamina as lm
        >>> x = lm.layers.Input((32, 64, 3))
        >>> stages = [lm.layers.AveragePooling2D(s)(x) for s in (4, 8)]
        >>> [level.shape for level in lm.applications.feature_pyramid(stages, 16)]
        [(None, 8, 16, 16), (None, 4, 8, 16), (None, 2, 4, 16)]

    Reference:
        Lin et al. 2017, arXiv:1612.03144.
    """
    if not stages:
        raise ValueError("feature_pyramid: stages must hold at least one map")
    levels: list[Any] = []
    above: Any = None
    for number in reversed(range(len(stages))):
        merged = _convolution(channels, 1, f"{prefix}inner_blocks.{number}.0")(stages[number])
        if above is not None:
            merged = Add(name=f"{prefix}merge{number}")([merged, UpSampling2D(2, name=f"{prefix}up{number}")(above)])
        above = merged
        levels.insert(0, _convolution(channels, 3, f"{prefix}layer_blocks.{number}.0")(merged))
    if extra:
        levels.append(MaxPooling2D(1, 2, name=f"{prefix}pool")(levels[-1]))
    return levels


def ResNetFPN(
    depth: int = 50,
    input_shape: Any = (None, None, 3),
    channels: int = 256,
    weights: str | Path | None = None,
    frozen_normalization: bool = True,
    name: str = "resnet_fpn",
) -> Model:
    """A ResNet and the pyramid over its four stages: what detectors see, at strides of 4, 8, 16, 32 and 64.

    Args:
        depth: 18, 34, 50, 101 or 152.
        input_shape: (H, W, C), multiples of 32; None for any.
        channels: of the pyramid.
        weights: None, or a safetensors file with torchvision's names of a ResNet or of this backbone.
        frozen_normalization: whether batch normalisation keeps its statistics, scales and offsets: they are of a
            pre-trained network, and a detector's batches are small.
        name: the model's name.

    Returns:
        Model of images (N, H, W, C) to the list of five maps.

    Raises:
        ValueError: for sizes that are no multiples of 32, another depth, or weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.ResNetFPN(18, (64, 96, 3), channels=32)
        >>> [shape[1:] for shape in model.output_shape]
        [(16, 24, 32), (8, 12, 32), (4, 6, 32), (2, 3, 32), (1, 2, 32)]

    Reference:
        Lin et al. 2017, arXiv:1612.03144.
    """
    if depth not in (18, 34, 50, 101, 152):
        raise ValueError(f"{name}: depth must be 18, 34, 50, 101 or 152, got {depth!r}")
    inputs = image_input(input_shape, 32, name)
    if any(n is not None and n % 32 for n in inputs.shape[1:3]):
        raise ValueError(f"{name}: height and width must be multiples of 32, got {tuple(inputs.shape[1:])}")
    stages = resnet_stages(inputs, depth, "body.")
    model = Model(inputs, feature_pyramid(stages, channels), name=name)
    if weights is not None:
        body = Model(inputs, stages, name=f"{name} body")
        own = torch_names(model)
        plain = {key.removeprefix("body."): entry for key, entry in torch_names(body).items()}
        load_weights(model, weights, {"torchvision": own, "torchvision's ResNet": plain}, ("fc.",))
    if frozen_normalization:
        freeze_normalization(model)
    return model


def freeze_normalization(model: Model) -> None:
    """Has every BatchNormalization inside keep its statistics, scales and offsets from now on.

    Args:
        model: any model.

    Example:
        >>> import lamina as lm
        >>> from lamina.applications.feature_pyramid import freeze_normalization
        >>> model = lm.models.Sequential([lm.layers.Input((2,)), lm.layers.BatchNormalization()])
        >>> freeze_normalization(model)
        >>> len(model.trainable_weights)
        0
    """
    for layer in model.layers_inside():
        if isinstance(layer, BatchNormalization):
            layer.trainable = False


def _convolution(channels: int, size: int, name: str) -> Conv2D:
    initializer = VarianceScaling(1.0, "fan_in", "uniform")  # the bound sqrt(3 / inputs)
    return Conv2D(channels, size, padding="same", kernel_initializer=initializer, name=name)
