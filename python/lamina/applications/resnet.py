"""ResNet-18, 34, 50, 101 and 152: layers that learn what is to be added.

Paper: He, Zhang, Ren & Sun 2015, "Deep Residual Learning for Image Recognition", arXiv:1512.03385. Its claim: very deep
plain networks train worse than shallow ones, though they could do the same; with shortcuts, y = f(x) + x, 152 layers
train better than 18.

Differs from the paper in: blocks of three convolutions take their stride in the 3x3 one, not in the first 1x1, as
torchvision does ("version 1.5", half a percent better); ``stride_in_first=True`` gives the paper's, which is Keras's.
With ``small_input=True`` the stem is the paper's one for CIFAR-10: one 3x3 convolution, no pooling.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lamina.applications.building import check_top, image_input, pooled
from lamina.applications.resnet_keras import keras_names, without_biases
from lamina.applications.weights import Weights, arrays_of, load_weights, torch_names
from lamina.initializers import VarianceScaling
from lamina.layers import Add, BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, MaxPooling2D, ReLU
from lamina.models import Model

FILTERS = (64, 128, 256, 512)
EXPANSION = 4  # a bottleneck gives so many times the filters that it works with
EPSILON, MOMENTUM = 1e-5, 0.9


class Plan(NamedTuple):
    """What makes one ResNet differ from another."""

    blocks: tuple[int, ...]  # in each stage
    bottleneck: bool  # 1x1, 3x3, 1x1; else two of 3x3


PLANS = {
    18: Plan((2, 2, 2, 2), False),
    34: Plan((3, 4, 6, 3), False),
    50: Plan((3, 4, 6, 3), True),
    101: Plan((3, 4, 23, 3), True),
    152: Plan((3, 8, 36, 3), True),
}


def ResNet18(
    include_top: bool = True,
    weights: Weights = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    small_input: bool = False,
    name: str = "resnet18",
) -> Model:
    """ResNet-18: eight blocks of two 3x3 convolutions; 11,689,512 parameters (and 9,600 moving statistics).

    Args:
        include_top: whether the mean over pixels and the dense layer are there; else the output is the last stage's,
            (N, H / 32, W / 32, 512).
        weights: None for random ones, or a safetensors file, or arrays by name, with Lamina's or torchvision's names.
        input_shape: (H, W, C), from 32 x 32 pixels on; (224, 224, 3) by default.
        pooling: without the top: None, "avg" or "max" over the pixels.
        classes: how many, with the top.
        classifier_activation: of the last layer; None for logits.
        small_input: whether the stem is one 3x3 convolution without pooling, for images from 8 x 8 pixels on: strides
            of 8 in all instead of 32.
        name: the model's name.

    Returns:
        Model of images (N, H, W, C).

    Raises:
        ValueError: for images that are too small, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> lm.applications.ResNet18(classes=10, input_shape=(8, 8, 1), small_input=True).output_shape
        (None, 10)

    Reference:
        He et al. 2015, arXiv:1512.03385.
    """
    return _resnet(
        18, include_top, weights, input_shape, pooling, classes, classifier_activation, small_input, False, name
    )


def ResNet34(
    include_top: bool = True,
    weights: Weights = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    small_input: bool = False,
    name: str = "resnet34",
) -> Model:
    """ResNet-34: sixteen blocks of two 3x3 convolutions; 21,797,672 parameters (and 17,024 moving statistics).

    Args:
        include_top, weights, input_shape, pooling, classes, classifier_activation, small_input, name: see `ResNet18`.

    Returns:
        Model of images (N, H, W, C).

    Raises:
        ValueError: for images that are too small, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> lm.applications.ResNet34(include_top=False, input_shape=(32, 64, 3)).output_shape
        (None, 1, 2, 512)

    Reference:
        He et al. 2015, arXiv:1512.03385.
    """
    return _resnet(
        34, include_top, weights, input_shape, pooling, classes, classifier_activation, small_input, False, name
    )


def ResNet50(
    include_top: bool = True,
    weights: Weights = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    small_input: bool = False,
    stride_in_first: bool = False,
    name: str = "resnet50",
) -> Model:
    """ResNet-50: sixteen bottlenecks of 1x1, 3x3 and 1x1 convolutions; 25,557,032 parameters (and 53,120 moving
    statistics).

    Args:
        include_top, weights, input_shape, pooling, classes, classifier_activation, small_input, name: see `ResNet18`;
            files with Keras's names need stride_in_first.
        stride_in_first: whether a block's stride is that of its first 1x1 convolution, as in the paper and in Keras.

    Returns:
        Model of images (N, H, W, C).

    Raises:
        ValueError: for images that are too small, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> lm.applications.ResNet50(include_top=False, pooling="avg", input_shape=(32, 32, 3)).output_shape
        (None, 2048)

    Reference:
        He et al. 2015, arXiv:1512.03385.
    """
    return _resnet(
        50, include_top, weights, input_shape, pooling, classes, classifier_activation, small_input,
        stride_in_first, name,
    )  # fmt: skip


def ResNet101(
    include_top: bool = True,
    weights: Weights = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    small_input: bool = False,
    stride_in_first: bool = False,
    name: str = "resnet101",
) -> Model:
    """ResNet-101: 33 bottlenecks of 1x1, 3x3 and 1x1 convolutions; 44,549,160 parameters (and 105,344 moving
    statistics).

    Args:
        include_top, weights, input_shape, pooling, classes, classifier_activation, small_input, name: see `ResNet18`.
        stride_in_first: see `ResNet50`.

    Returns:
        Model of images (N, H, W, C).

    Raises:
        ValueError: for images that are too small, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> lm.applications.ResNet101(classes=10, input_shape=(32, 32, 3)).output_shape
        (None, 10)

    Reference:
        He et al. 2015, arXiv:1512.03385.
    """
    return _resnet(
        101, include_top, weights, input_shape, pooling, classes, classifier_activation, small_input,
        stride_in_first, name,
    )  # fmt: skip


def ResNet152(
    include_top: bool = True,
    weights: Weights = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    small_input: bool = False,
    stride_in_first: bool = False,
    name: str = "resnet152",
) -> Model:
    """ResNet-152: 50 bottlenecks of 1x1, 3x3 and 1x1 convolutions; 60,192,808 parameters (and 151,424 moving
    statistics).

    Args:
        include_top, weights, input_shape, pooling, classes, classifier_activation, small_input, name: see `ResNet18`.
        stride_in_first: see `ResNet50`.

    Returns:
        Model of images (N, H, W, C).

    Raises:
        ValueError: for images that are too small, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> lm.applications.ResNet152(include_top=False, input_shape=(64, 32, 1)).output_shape
        (None, 2, 1, 2048)

    Reference:
        He et al. 2015, arXiv:1512.03385.
    """
    return _resnet(
        152, include_top, weights, input_shape, pooling, classes, classifier_activation, small_input,
        stride_in_first, name,
    )  # fmt: skip


def _resnet(
    depth: int, include_top: bool, weights: Any, input_shape: Any, pooling: str | None, classes: int,
    classifier_activation: Any, small_input: bool, stride_in_first: bool, name: str,
) -> Model:  # fmt: skip
    check_top(include_top, pooling, classes, name)
    inputs = image_input(input_shape, 8 if small_input else 32, name)
    x = resnet_stages(inputs, depth, small_input=small_input, stride_in_first=stride_in_first)[-1]
    if include_top:
        x = Dense(classes, activation=classifier_activation, name="fc")(GlobalAveragePooling2D(name="avgpool")(x))
    else:
        x = pooled(x, pooling)
    model = Model(inputs, x, name=name)
    if weights is not None:
        arrays, origin = arrays_of(weights), str(weights) if isinstance(weights, str | Path) else ""
        layouts = {"torchvision": torch_names(model)}
        if "conv1_conv/kernel" in arrays:
            if not stride_in_first:
                raise ValueError(f"{name}: {origin} has Keras's names: such weights need stride_in_first=True, else "
                                 "they would give other numbers")  # fmt: skip
            layouts = {"Keras": keras_names(model)}
            arrays = without_biases(arrays, EPSILON)
        load_weights(model, arrays, layouts, () if include_top else ("fc.", "dense/", "predictions/"), origin)
    return model


def resnet_stages(
    x: Any, depth: int, prefix: str = "", dilated: Sequence[bool] = (False, False, False), small_input: bool = False,
    stride_in_first: bool = False,
) -> list[Any]:  # fmt: skip
    """The outputs of a ResNet's four stages, at strides of 4, 8, 16 and 32: what detectors and segmenters build on.

    Args:
        x: symbolic images (N, H, W, C).
        depth: 18, 34, 50, 101 or 152.
        prefix: what stands before the layers' names, which are torchvision's.
        dilated: for the last three stages: whether dilation takes the place of the stride.
        small_input, stride_in_first: see `ResNet18` and `ResNet50`.

    Returns:
        Four symbolic tensors (N, H / s, W / s, C).
    """
    plan = PLANS[depth]
    if small_input:
        x = normalized(x, FILTERS[0], 3, 1, f"{prefix}conv1", f"{prefix}bn1")
    else:
        x = normalized(x, FILTERS[0], 7, 2, f"{prefix}conv1", f"{prefix}bn1")
    x = ReLU(name=f"{prefix}relu")(x)
    if not small_input:
        x = MaxPooling2D(3, 2, padding=1, name=f"{prefix}maxpool")(x)
    stages, dilation = [], 1
    for stage, (filters, blocks) in enumerate(zip(FILTERS, plan.blocks, strict=True)):
        stride, before = (1 if stage == 0 else 2), dilation
        if stage and dilated[stage - 1]:
            dilation, stride = dilation * stride, 1
        for block in range(blocks):
            x = _block(
                x,
                plan.bottleneck,
                filters,
                stride if block == 0 else 1,
                before if block == 0 else dilation,
                stride_in_first,
                f"{prefix}layer{stage + 1}.{block}.",
            )
        stages.append(x)
    return stages


def _block(x: Any, bottleneck: bool, filters: int, stride: int, dilation: int, stride_in_first: bool, name: str) -> Any:
    """relu(f(x) + x), or with a 1x1 convolution of x where the shapes differ."""
    width = filters * EXPANSION if bottleneck else filters
    shortcut = x
    if stride != 1 or x.shape[-1] != width:
        shortcut = normalized(x, width, 1, stride, f"{name}downsample.0", f"{name}downsample.1")
    first, middle = (stride, 1) if stride_in_first else (1, stride)
    sizes: tuple[tuple[int, int, int, int], ...]
    if bottleneck:
        sizes = ((1, filters, first, 1), (3, filters, middle, dilation), (1, width, 1, 1))
    else:
        sizes = ((3, filters, stride, dilation), (3, filters, 1, dilation))
    for number, (size, outputs, strides, distance) in enumerate(sizes, 1):
        if number > 1:
            x = ReLU(name=f"{name}relu{number - 1}")(x)
        x = normalized(x, outputs, size, strides, f"{name}conv{number}", f"{name}bn{number}", distance)
    return ReLU(name=f"{name}relu")(Add(name=f"{name}add")([x, shortcut]))


def normalized(x: Any, filters: int, size: int, strides: int, name: str, norm_name: str, dilation: int = 1) -> Any:
    """A convolution without bias, padded alike on all sides, and batch normalisation."""
    initializer = VarianceScaling(2.0, "fan_out", "untruncated_normal")
    convolution = Conv2D(
        filters,
        size,
        strides,
        dilation * (size - 1) // 2,
        dilation_rate=dilation,
        use_bias=False,
        kernel_initializer=initializer,
        name=name,
    )
    return BatchNormalization(epsilon=EPSILON, momentum=MOMENTUM, name=norm_name)(convolution(x))
