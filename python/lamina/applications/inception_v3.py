"""Inception v3: wide kernels taken apart into rows, columns and 3x3 ones.

Paper: Szegedy et al. 2015, "Rethinking the Inception Architecture for Computer Vision", arXiv:1512.00567. Its claim:
5x5 convolutions as two 3x3, 7x7 as 1x7 and 7x1, and pooling side by side with strided convolutions buy accuracy for
little; so do normalised auxiliary classifiers and smoothed labels (``CategoricalCrossentropy(label_smoothing=0.1)``).

Differs from the paper in: the network is that of the authors' later code and of torchvision's inception_v3, which this
one agrees with: eleven blocks rather than the paper's table, and means of pools count the zeros at the edges.
"""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.applications.building import check_top, image_input, pooled
from lamina.applications.inception import convolve
from lamina.applications.weights import Weights, load_weights, torch_names
from lamina.layers import (
    AveragePooling2D,
    Concatenate,
    Dense,
    Dropout,
    GlobalAveragePooling2D,
    MaxPooling2D,
)
from lamina.models import Model


def InceptionV3(
    include_top: bool = True,
    weights: Weights = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    auxiliary: bool = False,
    name: str = "inception_v3",
) -> Model:
    """Inception v3: eleven blocks; 23,834,568 parameters, 27,161,264 with the auxiliary classifier.

    Args:
        include_top: whether the mean over pixels and the dense layer are there; else the output is the last block's,
            (N, 8, 8, 2048) for images of 299 x 299 pixels.
        weights: None for random ones, or a safetensors file, or arrays by name, with Lamina's or torchvision's names,
            with the auxiliary classifier or without.
        input_shape: (H, W, C), from 75 x 75 pixels on; (299, 299, 3) by default.
        pooling: without the top: None, "avg" or "max" over the pixels.
        classes: how many, with the top.
        classifier_activation: of the last layers; None for logits.
        auxiliary: whether the outputs are two: the classifier's, and that of the auxiliary one behind block 6e. Train
            them with ``loss_weights=[1, 0.4]``; the first predicts. It needs images from 299 x 299 pixels on.
        name: the model's name.

    Returns:
        Model of images (N, H, W, C).

    Raises:
        ValueError: for images that are too small, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> lm.applications.InceptionV3(include_top=False, input_shape=(75, 75, 3)).output_shape
        (None, 1, 1, 2048)

    Reference:
        Szegedy et al. 2015, arXiv:1512.00567.
    """
    check_top(include_top, pooling, classes, name)
    if auxiliary and not include_top:
        raise ValueError(f"{name}: the auxiliary classifier needs include_top=True")
    x = inputs = image_input(input_shape, 299 if auxiliary else 75, name, 299)
    x = convolve(x, 32, 3, "Conv2d_1a_3x3", 2)
    x = convolve(convolve(x, 32, 3, "Conv2d_2a_3x3"), 64, 3, "Conv2d_2b_3x3", padding=1)
    x = MaxPooling2D(3, 2, name="maxpool1")(x)
    x = convolve(convolve(x, 80, 1, "Conv2d_3b_1x1"), 192, 3, "Conv2d_4a_3x3")
    x = MaxPooling2D(3, 2, name="maxpool2")(x)
    for block, behind_pool in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        x = _side_by_side(x, behind_pool, block)
    x = _smaller_to_17(x, "Mixed_6a")
    for block, inner in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        x = _rows_and_columns(x, inner, block)
    outputs = [_auxiliary(x, classes, classifier_activation)] if auxiliary else []
    x = _smaller_to_8(x, "Mixed_7a")
    for block in ("Mixed_7b", "Mixed_7c"):
        x = _spread(x, block)
    if include_top:
        x = Dropout(0.5, name="dropout")(GlobalAveragePooling2D(name="avgpool")(x))
        x = Dense(classes, activation=classifier_activation, name="fc")(x)
    else:
        x = pooled(x, pooling)
    model = Model(inputs, [x, *outputs] if auxiliary else x, name=name)
    if weights is not None:
        ignored = () if auxiliary else ("AuxLogits.",)
        skipped = ignored if include_top else (*ignored, "fc.", "dense/")
        load_weights(model, weights, {"torchvision": torch_names(model)}, skipped)
    return model


def _chain(x: Any, name: str, *steps: tuple[str, int, Any, Any, int]) -> Any:
    """Convolutions one after the other: what follows the name, filters, kernel size, padding, strides."""
    for last, filters, size, padding, strides in steps:
        x = convolve(x, filters, size, f"{name}.{last}", strides, padding)
    return x


def _mean_branch(x: Any, filters: int, name: str) -> Any:
    x = ops.avg_pool2d(x, 3, 1, 1, count_padding=True)  # the layer's means are Keras's, of the image alone
    return convolve(x, filters, 1, f"{name}.branch_pool")


ROW, COLUMN = ((1, 7), ((0, 0), (3, 3))), ((7, 1), ((3, 3), (0, 0)))  # kernel size and padding
SHORT_ROW, SHORT_COLUMN = ((1, 3), ((0, 0), (1, 1))), ((3, 1), ((1, 1), (0, 0)))


def _side_by_side(x: Any, behind_pool: int, name: str) -> Any:
    """Branches of 1x1, 5x5, twice 3x3, and a mean."""
    triple = ("branch3x3dbl_1", 64, 1, 0, 1), ("branch3x3dbl_2", 96, 3, 1, 1), ("branch3x3dbl_3", 96, 3, 1, 1)
    branches = [
        convolve(x, 64, 1, f"{name}.branch1x1"),
        _chain(x, name, ("branch5x5_1", 48, 1, 0, 1), ("branch5x5_2", 64, 5, 2, 1)),
        _chain(x, name, *triple),
        _mean_branch(x, behind_pool, name),
    ]
    return Concatenate(name=f"{name}.concat")(branches)


def _smaller_to_17(x: Any, name: str) -> Any:
    triple = ("branch3x3dbl_1", 64, 1, 0, 1), ("branch3x3dbl_2", 96, 3, 1, 1), ("branch3x3dbl_3", 96, 3, 0, 2)
    branches = [
        convolve(x, 384, 3, f"{name}.branch3x3", 2),
        _chain(x, name, *triple),
        MaxPooling2D(3, 2, name=f"{name}.pool")(x),
    ]
    return Concatenate(name=f"{name}.concat")(branches)


def _rows_and_columns(x: Any, inner: int, name: str) -> Any:
    """Branches of 1x1, 7x7 and twice 7x7 as rows and columns, and a mean."""
    once = ("branch7x7_1", inner, 1, 0, 1), ("branch7x7_2", inner, *ROW, 1), ("branch7x7_3", 192, *COLUMN, 1)
    twice = (
        ("branch7x7dbl_1", inner, 1, 0, 1),
        ("branch7x7dbl_2", inner, *COLUMN, 1),
        ("branch7x7dbl_3", inner, *ROW, 1),
        ("branch7x7dbl_4", inner, *COLUMN, 1),
        ("branch7x7dbl_5", 192, *ROW, 1),
    )
    branches = [
        convolve(x, 192, 1, f"{name}.branch1x1"),
        _chain(x, name, *once),
        _chain(x, name, *twice),
        _mean_branch(x, 192, name),
    ]
    return Concatenate(name=f"{name}.concat")(branches)


def _smaller_to_8(x: Any, name: str) -> Any:
    wide = (
        ("branch7x7x3_1", 192, 1, 0, 1),
        ("branch7x7x3_2", 192, *ROW, 1),
        ("branch7x7x3_3", 192, *COLUMN, 1),
        ("branch7x7x3_4", 192, 3, 0, 2),
    )
    branches = [
        _chain(x, name, ("branch3x3_1", 192, 1, 0, 1), ("branch3x3_2", 320, 3, 0, 2)),
        _chain(x, name, *wide),
        MaxPooling2D(3, 2, name=f"{name}.pool")(x),
    ]
    return Concatenate(name=f"{name}.concat")(branches)


def _spread(x: Any, name: str) -> Any:
    """Rows and columns side by side rather than one after the other."""
    three = convolve(x, 384, 1, f"{name}.branch3x3_1")
    double = _chain(x, name, ("branch3x3dbl_1", 448, 1, 0, 1), ("branch3x3dbl_2", 384, 3, 1, 1))
    branches = [
        convolve(x, 320, 1, f"{name}.branch1x1"),
        _chain(three, name, ("branch3x3_2a", 384, *SHORT_ROW, 1)),
        _chain(three, name, ("branch3x3_2b", 384, *SHORT_COLUMN, 1)),
        _chain(double, name, ("branch3x3dbl_3a", 384, *SHORT_ROW, 1)),
        _chain(double, name, ("branch3x3dbl_3b", 384, *SHORT_COLUMN, 1)),
        _mean_branch(x, 192, name),
    ]
    return Concatenate(name=f"{name}.concat")(branches)


def _auxiliary(x: Any, classes: int, activation: Any) -> Any:
    x = AveragePooling2D(5, 3, name="AuxLogits.pool")(x)
    x = convolve(convolve(x, 128, 1, "AuxLogits.conv0"), 768, 5, "AuxLogits.conv1")
    return Dense(classes, activation=activation, name="AuxLogits.fc")(GlobalAveragePooling2D(name="AuxLogits.mean")(x))
