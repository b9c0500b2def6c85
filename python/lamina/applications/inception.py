"""GoogLeNet, Inception v1: convolutions of several sizes side by side, made cheap by 1x1 convolutions.

Paper: Szegedy et al. 2014, "Going Deeper with Convolutions", arXiv:1409.4842. Its claim: a 1x1 convolution that first
makes few channels of many (Lin et al. 2013, "Network In Network", arXiv:1312.4400) pays for several kernel sizes in
every layer: 22 layers with a twelfth of AlexNet's weights, and better. Two auxiliary classifiers in the middle help
gradients down.

Differs from the paper in what torchvision's googlenet, which this one agrees with, does: batch normalisation after each
convolution, in place of local response normalisation and biases; the branch that the paper convolves 5x5 is 3x3; one
auxiliary dense layer drops 70 %, and pools to 4x4 whatever the image's size.
"""

from __future__ import annotations

from typing import Any

from lamina.applications.building import check_top, image_input, pooled
from lamina.applications.weights import Weights, load_weights, torch_names
from lamina.initializers import TruncatedNormal
from lamina.layers import (
    AdaptiveAveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    ReLU,
)
from lamina.models import Model

# Channels of each block: 1x1; 1x1 before 3x3, 3x3; 1x1 before the second 3x3, 3x3; 1x1 behind the pool.
BLOCKS = {
    "inception3a": (64, 96, 128, 16, 32, 32),
    "inception3b": (128, 128, 192, 32, 96, 64),
    "inception4a": (192, 96, 208, 16, 48, 64),
    "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64),
    "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128),
    "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}
AUXILIARY = {"inception4a": "aux1", "inception4d": "aux2"}
AFTER = ((0, 1), (0, 1))  # windows of 3 with strides of 2 may reach over the edge: as many outputs as half the inputs


def InceptionV1(
    include_top: bool = True,
    weights: Weights = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    auxiliary: bool = False,
    name: str = "googlenet",
) -> Model:
    """GoogLeNet: nine blocks of four branches; 6,624,904 parameters, 13,004,888 with both auxiliary classifiers.

    Args:
        include_top: whether the mean over pixels and the dense layer are there; else the output is the last block's,
            (N, H / 32, W / 32, 1024).
        weights: None for random ones, or a safetensors file, or arrays by name, with Lamina's or torchvision's names,
            with auxiliary classifiers or without.
        input_shape: (H, W, C), from 32 x 32 pixels on; (224, 224, 3) by default.
        pooling: without the top: None, "avg" or "max" over the pixels.
        classes: how many, with the top.
        classifier_activation: of the last layers; None for logits.
        auxiliary: whether the outputs are three: the classifier's, that of the auxiliary one behind block 4d, and that
            of the one behind block 4a. Train them all with ``loss_weights=[1, 0.3, 0.3]``; the first predicts.
        name: the model's name.

    Returns:
        Model of images (N, H, W, C).

    Raises:
        ValueError: for images that are too small, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> model = lm.applications.InceptionV1(classes=10, input_shape=(32, 32, 3), auxiliary=True)
        >>> model.output_shape
        [(None, 10), (None, 10), (None, 10)]

    Reference:
        Szegedy et al. 2014, arXiv:1409.4842.
    """
    check_top(include_top, pooling, classes, name)
    if auxiliary and not include_top:
        raise ValueError(f"{name}: auxiliary classifiers need include_top=True")
    x = inputs = image_input(input_shape, 32, name)
    x = _pooled(convolve(x, 64, 7, "conv1", 2, 3), "maxpool1")
    x = _pooled(convolve(convolve(x, 64, 1, "conv2"), 192, 3, "conv3", 1, 1), "maxpool2")
    outputs = []
    for block, channels in BLOCKS.items():
        if block == "inception4a":
            x = _pooled(x, "maxpool3")
        elif block == "inception5a":
            x = MaxPooling2D(2, 2, padding="same", name="maxpool4")(x)
        x = _block(x, channels, block)
        if auxiliary and block in AUXILIARY:
            outputs.append(_auxiliary(x, classes, classifier_activation, AUXILIARY[block]))
    if include_top:
        x = Dropout(0.2, name="dropout")(GlobalAveragePooling2D(name="avgpool")(x))
        x = Dense(classes, activation=classifier_activation, name="fc")(x)
    else:
        x = pooled(x, pooling)
    model = Model(inputs, [x, *reversed(outputs)] if auxiliary else x, name=name)
    if weights is not None:
        layout = torch_names(model, {f"{aux}.fc1": (4, 4, 128) for aux in AUXILIARY.values()} if auxiliary else None)
        ignored = () if auxiliary else ("aux1.", "aux2.")
        load_weights(model, weights, {"torchvision": layout}, ignored if include_top else (*ignored, "fc.", "dense/"))
    return model


def convolve(
    x: Any, filters: int, size: Any, name: str, strides: int = 1, padding: Any = 0, normalization: str = "bn"
) -> Any:
    """relu of a normalised convolution; torchvision calls the two name.conv and name.bn."""
    initializer = TruncatedNormal(stddev=0.01)
    x = Conv2D(filters, size, strides, padding, use_bias=False, kernel_initializer=initializer, name=f"{name}.conv")(x)
    x = BatchNormalization(epsilon=1e-3, momentum=0.9, name=f"{name}.{normalization}")(x)
    return ReLU(name=f"{name}.relu")(x)


def _block(x: Any, channels: tuple[int, ...], name: str) -> Any:
    one, before_three, three, before_last, last, behind_pool = channels
    branches = [
        convolve(x, one, 1, f"{name}.branch1"),
        convolve(convolve(x, before_three, 1, f"{name}.branch2.0"), three, 3, f"{name}.branch2.1", 1, 1),
        convolve(convolve(x, before_last, 1, f"{name}.branch3.0"), last, 3, f"{name}.branch3.1", 1, 1),
        convolve(MaxPooling2D(3, 1, padding=1, name=f"{name}.branch4.0")(x), behind_pool, 1, f"{name}.branch4.1"),
    ]
    return Concatenate(name=f"{name}.concat")(branches)


def _auxiliary(x: Any, classes: int, activation: Any, name: str) -> Any:
    x = convolve(AdaptiveAveragePooling2D(4, name=f"{name}.pool")(x), 128, 1, f"{name}.conv")
    x = Dense(1024, activation="relu", name=f"{name}.fc1")(Flatten(name=f"{name}.flatten")(x))
    return Dense(classes, activation=activation, name=f"{name}.fc2")(Dropout(0.7, name=f"{name}.dropout")(x))


def _pooled(x: Any, name: str) -> Any:
    return MaxPooling2D(3, 2, padding=AFTER, name=name)(x)
