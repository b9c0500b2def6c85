"""VGG-16 and VGG-19: depth from nothing but 3x3 convolutions.

Paper: Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
arXiv:1409.1556. Its claim: two 3x3 convolutions see what a 5x5 sees, three what a 7x7 sees, with fewer weights and more
nonlinearity, so that 16 to 19 layers of them beat shallower networks of wide kernels.

Differs from the paper in: images of other sizes are pooled to 7x7 before the dense layers, as torchvision does; there
is a form with batch normalisation after every convolution, which the paper did not know; weights begin as He et al.
2015 draw them, so that no shallower network must be trained first.
"""

from __future__ import annotations

from typing import Any

from lamina.applications.building import check_top, image_input, pooled
from lamina.applications.weights import Weights, load_weights, torch_layout
from lamina.initializers import VarianceScaling
from lamina.layers import (
    AdaptiveAveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
    ReLU,
)
from lamina.models import Model

FILTERS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # in each block
UNITS, SIDE = 4096, 7


def VGG16(
    include_top: bool = True,
    weights: Weights = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    batch_normalization: bool = False,
    name: str = "vgg16",
) -> Model:
    """VGG-16: 13 convolutions in five blocks, each pooled, and three dense layers; 138,357,544 parameters.

    Args:
        include_top: whether the dense layers are there; else the output is the last block's, (N, H / 32, W / 32, 512).
        weights: None for random ones, or a safetensors file, or arrays by name, with Lamina's, Keras's or torchvision's
            names.
        input_shape: (H, W, C), from 32 x 32 pixels on; (224, 224, 3) by default.
        pooling: without the top: None, "avg" or "max" over the pixels.
        classes: how many, with the top.
        classifier_activation: of the last layer; None for logits.
        batch_normalization: whether every convolution is normalised, as in torchvision's vgg16_bn (138,365,992
            parameters and 8,448 moving statistics).
        name: the model's name.

    Returns:
        Model of images (N, H, W, C).

    Raises:
        ValueError: for images that are too small, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> lm.applications.VGG16(include_top=False, input_shape=(64, 64, 3)).output_shape
        (None, 2, 2, 512)

    Reference:
        Simonyan & Zisserman 2014, arXiv:1409.1556.
    """
    return _vgg(
        16, include_top, weights, input_shape, pooling, classes, classifier_activation, batch_normalization, name
    )


def VGG19(
    include_top: bool = True,
    weights: Weights = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    batch_normalization: bool = False,
    name: str = "vgg19",
) -> Model:
    """VGG-19: 16 convolutions in five blocks, each pooled, and three dense layers; 143,667,240 parameters.

    Args:
        include_top, weights, input_shape, pooling, classes, classifier_activation, name: see `VGG16`.
        batch_normalization: whether every convolution is normalised, as in torchvision's vgg19_bn (143,678,248
            parameters and 11,008 moving statistics).

    Returns:
        Model of images (N, H, W, C).

    Raises:
        ValueError: for images that are too small, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> lm.applications.VGG19(include_top=False, input_shape=(32, 32, 3)).count_params()
        20024384

    Reference:
        Simonyan & Zisserman 2014, arXiv:1409.1556.
    """
    return _vgg(
        19, include_top, weights, input_shape, pooling, classes, classifier_activation, batch_normalization, name
    )


def _vgg(
    depth: int, include_top: bool, weights: Any, input_shape: Any, pooling: str | None, classes: int,
    classifier_activation: Any, normalized: bool, name: str,
) -> Model:  # fmt: skip
    check_top(include_top, pooling, classes, name)
    x = inputs = image_input(input_shape, 32, name)
    modules: dict[str, Any] = {}  # layers by the names that torchvision counts them with
    place = 0
    for block, (filters, count) in enumerate(zip(FILTERS, CONVOLUTIONS[depth], strict=True), 1):
        for number in range(1, count + 1):
            here = f"block{block}_conv{number}"
            modules[f"features.{place}"] = convolution = convolve(filters, here, None if normalized else "relu")
            x = convolution(x)
            place += 2
            if normalized:
                modules[f"features.{place - 1}"] = norm = BatchNormalization(
                    epsilon=1e-5, momentum=0.9, name=f"block{block}_bn{number}"
                )
                x = ReLU(name=f"block{block}_relu{number}")(norm(x))
                place += 1
        x = MaxPooling2D(2, name=f"block{block}_pool")(x)
        place += 1
    flattened = {}
    if include_top:
        if x.shape[1:3] != (SIDE, SIDE):
            x = AdaptiveAveragePooling2D(SIDE, name="avg_pool")(x)
        flattened["classifier.0"] = (SIDE, SIDE, FILTERS[-1])
        x = Flatten(name="flatten")(x)
        for number, path in ((1, "classifier.0"), (2, "classifier.3")):
            modules[path] = dense = Dense(UNITS, activation="relu", name=f"fc{number}")
            x = Dropout(0.5, name=f"dropout{number}")(dense(x))
        modules["classifier.6"] = dense = Dense(classes, activation=classifier_activation, name="predictions")
        x = dense(x)
    else:
        x = pooled(x, pooling)
    model = Model(inputs, x, name=name)
    if weights is not None:
        layout = torch_layout(modules, flattened)
        load_weights(model, weights, {"torchvision": layout}, () if include_top else TOP)
    return model


TOP = ("classifier.", "fc1/", "fc2/", "predictions/", "dense")


def convolve(filters: int, name: str, activation: str | None = "relu", padding: int = 1) -> Conv2D:
    """One of VGG's 3x3 convolutions."""
    initializer = VarianceScaling(2.0, "fan_out", "untruncated_normal")
    return Conv2D(filters, 3, padding=padding, activation=activation, kernel_initializer=initializer, name=name)
