"""U-Net: a class for each pixel, from little data.

A contracting path of convolutions and poolings sees what there is; an expanding path of transposed convolutions says
where, as each of its levels also reads the contracting path's features of the same level.

Paper: Ronneberger, Fischer & Brox 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
arXiv:1505.04597. Its claim: trained on a few annotated pictures from end to end, it segments cells better than a
network that slides a window, in less than a second a picture of 512x512.

Differs from the paper in: channels are last; dropout at the end of the contracting path is off unless asked for (the
paper has it, without its rate); the loss and the optimizer are any of Lamina's. `border_weights` are the paper's
weights between touching objects, `predict_tiles` its overlapping tiles. With ``padding="same"`` and
``batch_normalization=True`` it is the form that most use today: as large at its end as at its start, each convolution
without bias before a BatchNormalization.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.applications.networks import check_softmax
from lamina.kinds import is_integer
from lamina.layers import (
    Activation,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Cropping2D,
    Dropout,
    Input,
    MaxPooling2D,
)
from lamina.models.model import Model

Array = Any

FAR = 6.0  # standard deviations beyond which a border's weight is 0 (the last float32 digit of 10)


def UNet(
    input_shape: tuple[int | None, int | None, int] = (572, 572, 1),
    classes: int = 2,
    filters: int = 64,
    depth: int = 4,
    padding: str = "valid",
    batch_normalization: bool = False,
    dropout: float = 0.0,
    classifier_activation: str | None = "softmax",
    name: str = "unet",
) -> Model:
    """U-Net: pictures to class probabilities for each pixel.

    The defaults are the paper's network: 572x572 pixels of 1 channel to 388x388 of 2 classes, 31,030,658 parameters.
    ``UNet((256, 256, 3), 1, padding="same", batch_normalization=True, classifier_activation="sigmoid")`` is the padded
    one with batch normalisation, 31,037,633 parameters.

    Args:
        input_shape: (height, width, channels). With padding "same" height and width may be None: any that 2**depth
            divides.
        classes: how many there are, background included; 1 with a sigmoid for one mask (a softmax of one class would
            be 1 everywhere, and is refused).
        filters: channels of the first level; each level down has twice as many.
        depth: how often it pools.
        padding: "valid" loses a pixel at each side in every convolution, crops, and gives less than it was given, for
            pixels whose whole surroundings were seen; "same" pads with zeros and gives the size that it was given.
        batch_normalization: after each 3x3 convolution, which then has no bias.
        dropout: the share dropped at the end of the contracting path, in training.
        classifier_activation: of the last layer: "softmax", "sigmoid", or None for logits.
        name: of the model.

    Returns:
        Model of (N, height, width, channels) to (N, height', width', classes).

    Raises:
        TypeError: if sizes are no integers.
        ValueError: for a size that does not halve evenly at every level (the message says the nearest ones that do), or
            another padding, and for a softmax of one class.

    Example:
        >>> import lamina as lm, numpy as np
        >>> model = lm.applications.UNet((32, 48, 3), classes=4, filters=4, depth=2, padding="same")
        >>> model.predict(np.zeros((1, 32, 48, 3), "float32"), verbose=0).shape
        (1, 32, 48, 4)
        >>> lm.applications.UNet((100, 100, 3))
        Traceback (most recent call last):
        ValueError: UNet: height 100 does not halve evenly 4 times with padding "valid"; the nearest that do: 188

    Reference:
        Ronneberger, Fischer & Brox 2015, arXiv:1505.04597.
    """
    _check(input_shape, classes, filters, depth, padding)
    check_softmax(classes, classifier_activation, "UNet")

    def convolutions(x: Any, channels: int, at: str) -> Any:
        for number in (1, 2):
            conv = Conv2D(
                channels,
                3,
                padding=padding,
                activation=None if batch_normalization else "relu",
                use_bias=not batch_normalization,
                kernel_initializer="he_normal",  # the paper's: standard deviation sqrt(2 / inputs)
                name=f"{at}_conv{number}",
            )
            x = conv(x)
            if batch_normalization:
                x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{at}_norm{number}")(x)
                x = Activation("relu", name=f"{at}_relu{number}")(x)
        return x

    inputs = x = Input(shape=input_shape, name="image")
    levels = []
    for level in range(depth):
        x = convolutions(x, filters << level, f"down{level + 1}")
        levels.append(x)
        if dropout and level == depth - 1:
            x = Dropout(dropout, name=f"down{level + 1}_dropout")(x)
        x = MaxPooling2D(2, name=f"down{level + 1}_pool")(x)
    x = convolutions(x, filters << depth, "bottom")
    if dropout:
        x = Dropout(dropout, name="bottom_dropout")(x)
    for level in reversed(range(depth)):
        at = f"up{level + 1}"
        x = Conv2DTranspose(filters << level, 2, strides=2, kernel_initializer="he_normal", name=f"{at}_transpose")(x)
        skipped = levels[level]
        if padding == "valid":
            sides = [((s - n) // 2, (s - n) // 2) for s, n in zip(skipped.shape[1:3], x.shape[1:3], strict=True)]
            skipped = Cropping2D(sides, name=f"{at}_crop")(skipped)
        x = Concatenate(name=f"{at}_concatenate")([skipped, x])
        x = convolutions(x, filters << level, at)
    outputs = Conv2D(classes, 1, activation=classifier_activation, name="classes")(x)
    return Model(inputs, outputs, name=name)


def output_size(size: int, depth: int = 4, padding: str = "valid") -> int | None:
    """How many pixels along an axis `UNet` gives for so many, or None if they do not halve evenly at every level.

    Args:
        size: pixels that go in.
        depth: how often the network pools.
        padding: "valid" or "same".

    Returns:
        Pixels that come out, at least 1; or None.

    Example:
        >>> from lamina.applications.unet import output_size
        >>> output_size(572), output_size(571), output_size(96, padding="same")
        (388, None, 96)
    """
    lost = 4 if padding == "valid" else 0  # by two convolutions
    for _ in range(depth):
        size -= lost
        if size < 2 or size % 2:
            return None
        size //= 2
    for _ in range(depth):
        size = (size - lost) * 2
    size -= lost
    return size if size > 0 else None


def border_weights(objects: Any, w0: float = 10.0, sigma: float = 5.0, balance: bool = True) -> Array:
    """Weights of pixels, large in the narrow background between objects: so that touching cells are told apart.

    w(x) = w_c(x) + w0 exp(-(d1(x) + d2(x))^2 / (2 sigma^2)) on the background: d1, d2 the distances to the nearest
    object and the next; w_c evens out how often objects and background occur.

    Args:
        objects: (H, W), 0 for the background, a number for each object.
        w0: the most that is added.
        sigma: in pixels.
        balance: whether there is w_c: the mean over both kinds of pixels of its weight is 1; otherwise it is 1.

    Returns:
        Array (H, W) of float32: ``sample_weight`` for `fit`, a picture a row.

    Raises:
        ValueError: if objects have another number of axes, or sigma is not positive.

    Example:
        >>> from lamina.applications.unet import border_weights
        >>> border_weights([[1, 0, 2]], sigma=2.0, balance=False).round(2).tolist()
        [[1.0, 7.070000171661377, 1.0]]

    Reference:
        Ronneberger, Fischer & Brox 2015, arXiv:1505.04597, equation 2.
    """
    numbers = np.asarray(objects)
    if numbers.ndim != 2:
        raise ValueError(f"border_weights: objects must have shape (H, W), got {numbers.shape}")
    if not sigma > 0:
        raise ValueError(f"border_weights: sigma must be positive, got {sigma}")
    weights = np.ones(numbers.shape)
    inside = numbers != 0
    if balance and inside.any() and not inside.all():
        weights[inside] = 0.5 / inside.mean()
        weights[~inside] = 0.5 / (~inside).mean()
    far = FAR * sigma
    nearest = np.full((2, *numbers.shape), far)
    for number in np.unique(numbers[inside]):
        distance = _distances(numbers == number, far)
        nearest = np.sort(np.concatenate([nearest, distance[None]]), axis=0)[:2]
    total = nearest.sum(axis=0)
    added = np.where(~inside & (total < far), w0 * np.exp(-(total**2) / (2 * sigma**2)), 0)
    return (weights + added).astype(np.float32)


def _distances(mask: Array, far: float) -> Array:
    """How far each pixel is from the nearest one of a mask, up to `far`: first down the columns, then across."""
    down = np.where(mask, 0.0, far)
    for row in range(1, len(down)):
        down[row] = np.minimum(down[row], down[row - 1] + 1)
    for row in range(len(down) - 2, -1, -1):
        down[row] = np.minimum(down[row], down[row + 1] + 1)
    squares = down**2
    best = squares.copy()
    for across in range(1, min(int(far) + 1, mask.shape[1])):
        best[:, across:] = np.minimum(best[:, across:], squares[:, :-across] + across**2)
        best[:, :-across] = np.minimum(best[:, :-across], squares[:, across:] + across**2)
    return np.minimum(np.sqrt(best), far)


def predict_tiles(model: Model, images: Any, batch_size: int = 8) -> Array:
    """Pictures of any size through an unpadded `UNet`, tile by tile: the paper's overlap-tile strategy.

    Each tile sees its whole surroundings; beyond the picture's edges they are its mirror image.

    Args:
        model: a `UNet` with padding "valid".
        images: (N, H, W, C), of any height and width.
        batch_size: tiles at once.

    Returns:
        Array (N, H, W, classes).

    Raises:
        ValueError: if the model gives as much as it is given, or pictures have another number of axes.

    Example:
        >>> import lamina as lm, numpy as np
        >>> from lamina.applications.unet import predict_tiles
        >>> model = lm.applications.UNet((44, 44, 1), filters=2, depth=2)  # gives 4x4 pixels
        >>> predict_tiles(model, np.zeros((1, 10, 13, 1), "float32")).shape
        (1, 10, 13, 2)
    """
    pictures = np.asarray(images)
    seen, given = model.input_shape[1:3], model.output_shape[1:3]
    if None in seen or tuple(seen) == tuple(given):
        raise ValueError(
            f'predict_tiles: model must be a UNet with padding "valid", got one of {seen} to {given} pixels'
        )
    if pictures.ndim != 4:
        raise ValueError(f"predict_tiles: images must have shape (N, H, W, C), got {pictures.shape}")
    stride = 1 << sum(isinstance(layer, MaxPooling2D) for layer in model.layers)
    steps = [max(n - n % stride, n % stride) for n in given]  # in step with the poolings: as if seen at once
    sides = []
    for size, step, n, m in zip(pictures.shape[1:3], steps, seen, given, strict=True):
        border = (n - m) // 2
        sides.append((border, border + -(-size // step) * step - size + m - step))
    padded = np.pad(pictures, ((0, 0), *sides, (0, 0)), mode="symmetric")
    answers = np.empty((*pictures.shape[:3], model.output_shape[3]), np.float32)
    places = [(y, x) for y in range(0, pictures.shape[1], steps[0]) for x in range(0, pictures.shape[2], steps[1])]
    for y, x in places:
        tiles = padded[:, y : y + seen[0], x : x + seen[1]]
        part = answers[:, y : y + steps[0], x : x + steps[1]]
        part[...] = model.predict(tiles, batch_size, verbose=0)[:, : part.shape[1], : part.shape[2]]
    return answers


def _check(input_shape: Any, classes: Any, filters: Any, depth: Any, padding: Any) -> None:
    for what, value in (("classes", classes), ("filters", filters), ("depth", depth)):
        if not is_integer(value):
            raise TypeError(f"UNet: {what} must be an integer, got {value!r}")
        if value < 1:
            raise ValueError(f"UNet: {what} must be at least 1, got {value}")
    if depth > 10:
        raise ValueError(f"UNet: depth must be at most 10, got {depth}")
    if padding not in ("valid", "same"):
        raise ValueError(f'UNet: padding must be "valid" or "same", got {padding!r}')
    if not isinstance(input_shape, tuple | list) or len(input_shape) != 3:
        raise ValueError(f"UNet: input_shape must be (height, width, channels), got {input_shape!r}")
    for what, size in zip(("height", "width", "channels"), input_shape, strict=True):
        if size is None and padding == "same" and what != "channels":
            continue
        if not is_integer(size):
            either = ' (None with padding "same")' if what != "channels" else ""
            raise TypeError(f"UNet: {what} must be an integer{either}, got {size!r}")
        if size < 1:
            raise ValueError(f"UNet: {what} must be at least 1, got {size}")
        if what != "channels" and output_size(size, depth, padding) is None:
            raise ValueError(
                f'UNet: {what} {size} does not halve evenly {depth} times with padding "{padding}"; '
                f"the nearest that do: {_nearest(size, depth, padding)}"
            )


def _nearest(size: int, depth: int, padding: str) -> str:
    """The next smaller and the next larger size that fit, in words."""
    below = next((n for n in range(size - 1, 0, -1) if output_size(n, depth, padding)), None)
    above = next(n for n in range(size + 1, size + (1 << depth) * 16) if output_size(n, depth, padding))
    return str(above) if below is None else f"{below} and {above}"
