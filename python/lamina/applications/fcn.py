"""Fully convolutional networks: FCN-32s, FCN-16s and FCN-8s on VGG-16, and the one on ResNet-50.

Paper: Long, Shelhamer & Darrell 2015, "Fully Convolutional Networks for Semantic Segmentation", arXiv:1411.4038. Its
claim: a classifier whose dense layers are seen as convolutions gives a class for every patch of an image of any size;
transposed convolutions, learnt from bilinear interpolation, bring that back to pixels, and scores from earlier pools
sharpen it.

Differs from the paper in: weights that are not given are He et al.'s rather than a classifier's; the finest scores of
FCN-8s and FCN-16s are trained at once rather than after those of FCN-32s; all transposed convolutions are trained.
`FCNResNet50` is torchvision's fcn_resnet50: dilated instead of strided, a head of its own, no transposed convolutions.
"""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.applications.building import image_input
from lamina.applications.networks import check_softmax
from lamina.applications.resnet import normalized, resnet_stages
from lamina.applications.vgg import CONVOLUTIONS, FILTERS, UNITS, convolve
from lamina.applications.weights import Weights, load_weights, torch_names
from lamina.initializers import VarianceScaling
from lamina.layers import Activation, Add, Conv2D, Conv2DTranspose, Dropout, Layer, MaxPooling2D, ReLU
from lamina.layers.checks import positive
from lamina.layers.layer import register
from lamina.models import Model

BORDER = 100  # zeros around the image: what 7x7 at a stride of 32 needs, so that any image gives a score


def FCN32s(
    classes: int = 21,
    weights: Weights = None,
    input_shape: Any = None,
    classifier_activation: Any = "softmax",
    name: str = "fcn32s",
) -> Model:
    """FCN-32s: VGG-16 as convolutions, its scores enlarged 32 times at once; 136,152,917 parameters for 21 classes.

    Args:
        classes: how many, the background among them; 1 with a sigmoid: a softmax of one class is refused.
        weights: None for random ones, or a safetensors file, or arrays by name, with Lamina's names, or the layers'
            (conv1_1, fc6, score_fr, upscore) with Keras's or PyTorch's layouts.
        input_shape: (H, W, C), of any size, None for H and W that may change; (224, 224, 3) by default.
        classifier_activation: over the classes of each pixel; None for logits.
        name: the model's name.

    Returns:
        Model of images (N, H, W, C), which gives (N, H, W, classes).

    Raises:
        ValueError: for another input_shape, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> lm.applications.FCN32s(classes=3, input_shape=(20, 30, 3)).output_shape
        (None, 20, 30, 3)

    Reference:
        Long et al. 2015, arXiv:1411.4038.
    """
    return _fcn(32, classes, weights, input_shape, classifier_activation, name)


def FCN16s(
    classes: int = 21,
    weights: Weights = None,
    input_shape: Any = None,
    classifier_activation: Any = "softmax",
    name: str = "fcn16s",
) -> Model:
    """FCN-16s: scores of pool4 join in at a stride of 16; 134,815,994 parameters for 21 classes.

    Args:
        classes, weights, input_shape, classifier_activation, name: see `FCN32s`.

    Returns:
        Model of images (N, H, W, C), which gives (N, H, W, classes).

    Raises:
        ValueError: for another input_shape, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> lm.applications.FCN16s(classes=3, input_shape=(20, 30, 3)).output_shape
        (None, 20, 30, 3)

    Reference:
        Long et al. 2015, arXiv:1411.4038.
    """
    return _fcn(16, classes, weights, input_shape, classifier_activation, name)


def FCN8s(
    classes: int = 21,
    weights: Weights = None,
    input_shape: Any = None,
    classifier_activation: Any = "softmax",
    name: str = "fcn8s",
) -> Model:
    """FCN-8s: scores of pool4 and pool3 join in at strides of 16 and 8; 134,489,759 parameters for 21 classes.

    Args:
        classes, weights, input_shape, classifier_activation, name: see `FCN32s`.

    Returns:
        Model of images (N, H, W, C), which gives (N, H, W, classes).

    Raises:
        ValueError: for another input_shape, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> lm.applications.FCN8s(classes=3, input_shape=(20, 30, 3)).output_shape
        (None, 20, 30, 3)

    Reference:
        Long et al. 2015, arXiv:1411.4038.
    """
    return _fcn(8, classes, weights, input_shape, classifier_activation, name)


def FCNResNet50(
    classes: int = 21,
    weights: Weights = None,
    input_shape: Any = None,
    classifier_activation: Any = "softmax",
    auxiliary: bool = False,
    name: str = "fcn_resnet50",
) -> Model:
    """torchvision's fcn_resnet50: 32,957,013 parameters for 21 classes, 35,322,218 with the auxiliary head.

    The last two stages of ResNet-50 are dilated instead of strided; a head gives scores at a stride of 8, which are
    enlarged bilinearly.

    Args:
        classes: how many, the background among them; 1 with a sigmoid: a softmax of one class is refused.
        weights: None for random ones, or a safetensors file, or arrays by name, with Lamina's or torchvision's names,
            with the auxiliary head or without.
        input_shape: (H, W, C), from 8 x 8 pixels on, None for H and W that may change; (224, 224, 3) by default.
        classifier_activation: over the classes of each pixel; None for logits.
        auxiliary: whether the outputs are two: the head's, and that of a second head behind the third stage. Train them
            with ``loss_weights=[1, 0.5]``; the first predicts.
        name: the model's name.

    Returns:
        Model of images (N, H, W, C), which gives (N, H, W, classes).

    Raises:
        ValueError: for another input_shape, and weights that do not fit.

    Example:
        >>> import lamina as lm
        >>> lm.applications.FCNResNet50(classes=3, input_shape=(32, 32, 3)).output_shape
        (None, 32, 32, 3)

    Reference:
        Long et al. 2015, arXiv:1411.4038; He et al. 2015, arXiv:1512.03385.
    """
    positive(classes, name, "classes")
    check_softmax(classes, classifier_activation, name)
    inputs = image_input(input_shape, 8, name)
    stages = resnet_stages(inputs, 50, "backbone.", dilated=(False, True, True))
    outputs = [_head(stages[3], 512, classes, "classifier")]
    if auxiliary:
        outputs.append(_head(stages[2], 256, classes, "aux_classifier"))
    outputs = [
        Activation(classifier_activation, name=f"{part}.activation")(
            ResizeLike(name=f"{part}.resize")([scores, inputs])
        )
        for part, scores in zip(("classifier", "aux_classifier"), outputs, strict=False)
    ]
    model = Model(inputs, outputs if auxiliary else outputs[0], name=name)
    if weights is not None:
        load_weights(model, weights, {"torchvision": torch_names(model)}, () if auxiliary else ("aux_classifier.",))
    return model


def _head(x: Any, filters: int, classes: int, name: str) -> Any:
    x = ReLU(name=f"{name}.2")(normalized(x, filters, 3, 1, f"{name}.0", f"{name}.1"))
    return Conv2D(classes, 1, name=f"{name}.4")(Dropout(0.1, name=f"{name}.3")(x))


def _fcn(stride: int, classes: int, weights: Any, input_shape: Any, activation: Any, name: str) -> Model:
    positive(classes, name, "classes")
    check_softmax(classes, activation, name)
    x = inputs = image_input(input_shape, 1, name)
    pools = []
    for block, (filters, count) in enumerate(zip(FILTERS, CONVOLUTIONS[16], strict=True), 1):
        for number in range(1, count + 1):
            padding = BORDER if block == number == 1 else 1
            x = convolve(filters, f"conv{block}_{number}", padding=padding)(x)
        x = MaxPooling2D(2, padding="same", name=f"pool{block}")(x)
        pools.append(x)
    initializer = VarianceScaling(2.0, "fan_in", "untruncated_normal")
    for number, size in ((6, 7), (7, 1)):
        x = Conv2D(UNITS, size, activation="relu", kernel_initializer=initializer, name=f"fc{number}")(x)
        x = Dropout(0.5, name=f"drop{number}")(x)
    scores = Conv2D(classes, 1, kernel_initializer="zeros", name="score_fr")(x)
    if stride < 32:
        scores = _joined(_enlarged(scores, 2, "upscore2"), pools[3], 5, "score_pool4")
    if stride < 16:
        scores = _joined(_enlarged(scores, 2, "upscore_pool4"), pools[2], 9, "score_pool3")
    offset, last = {32: (19, "upscore"), 16: (27, "upscore16"), 8: (31, "upscore8")}[stride]
    scores = CropLike(offset, name="score")([_enlarged(scores, stride, last), inputs])
    model = Model(inputs, Activation(activation, name="activation")(scores), name=name)
    if weights is not None:
        load_weights(model, weights, {"PyTorch": torch_names(model)})
    return model


def _enlarged(scores: Any, factor: int, name: str) -> Any:
    """A transposed convolution that begins as bilinear interpolation, class by class."""
    return Conv2DTranspose(
        scores.shape[-1], 2 * factor, factor, use_bias=False, kernel_initializer="bilinear", name=name
    )(scores)


def _joined(scores: Any, pool: Any, offset: int, name: str) -> Any:
    """The scores plus those of a pool, cut to fit."""
    finer = Conv2D(scores.shape[-1], 1, kernel_initializer="zeros", name=name)(pool)
    return Add(name=f"fuse_{name}")([scores, CropLike(offset, name=f"{name}c")([finer, scores])])


@register
class CropLike(Layer):
    """The part of a map that another covers: out of [x, like], x[:, offset : offset + H, offset : offset + W].

    Args:
        offset: how many pixels are cut off above and on the left.
        **kwargs: name, trainable, dtype: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> from lamina.applications.fcn import CropLike
        >>> CropLike(1)([np.zeros((1, 9, 9, 5), "float32"), np.zeros((1, 4, 6, 3), "float32")]).shape
        (1, 4, 6, 5)
    """

    def __init__(self, offset: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.offset = int(offset)

    def call(self, x: Any) -> Any:
        x, like = x
        sides = [slice(self.offset, self.offset + n) for n in like.shape[1:3]]
        if any(side.stop > n for side, n in zip(sides, x.shape[1:3], strict=True)):
            raise ValueError(f"{self.name}: {like.shape[1:3]} pixels from {self.offset} on do not fit in {x.shape}")
        return x[(slice(None), *sides)]

    def compute_output_shape(self, input_shape: Any) -> Any:
        x, like = input_shape
        return (x[0], *like[1:3], x[3])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "offset": self.offset}


@register
class ResizeLike(Layer):
    """A map in the size of another, bilinearly: out of [x, like], x resized to like's height and width.

    Args:
        **kwargs: name, trainable, dtype: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> from lamina.applications.fcn import ResizeLike
        >>> ResizeLike()([np.zeros((1, 2, 2, 5), "float32"), np.zeros((1, 4, 6, 3), "float32")]).shape
        (1, 4, 6, 5)
    """

    def call(self, x: Any) -> Any:
        x, like = x
        return ops.resize(x, like.shape[1:3])

    def compute_output_shape(self, input_shape: Any) -> Any:
        x, like = input_shape
        return (x[0], *like[1:3], x[3])
