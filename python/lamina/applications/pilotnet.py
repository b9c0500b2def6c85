"""PilotNet: from a camera's picture to how to steer, learned from what a driver did.

Paper: Bojarski et al. 2016, "End to End Learning for Self-Driving Cars", arXiv:1604.07316. Its claim: a network of 9
layers and 250 thousand parameters, trained on pictures and steering angles alone, learns by itself what of a road
matters, and keeps a car on roads with and without lane markings.

Differs from the paper in: the activation, which the paper does not name, is a relu; a second output, throttle, may be
asked for. The paper's figure has 1,164 neurons before the fully connected layers, but its convolutions give 1,152
values: those are taken as they are, and 252,219 parameters come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.kinds import is_integer
from lamina.layers import Conv2D, Dense, Flatten, Input, Rescaling
from lamina.models.model import Model

CONVOLUTIONS = ((24, 5, 2), (36, 5, 2), (48, 5, 2), (64, 3, 1), (64, 3, 1))  # filters, kernel, strides
LEAST = 61  # rows or columns that leave one after all of them


def PilotNet(
    input_shape: tuple[int, int, int] = (66, 200, 3),
    outputs: Sequence[str] = ("steering",),
    activation: str = "relu",
    name: str = "pilotnet",
) -> Model:
    """PilotNet: pictures of the road to steering, and throttle if asked for.

    Values are brought from 0..255 to -1..1 by the first layer, which learns nothing; five convolutions see, three fully
    connected layers decide. 252,219 parameters for one output of 66x200 pixels, 252,230 for two.

    Args:
        input_shape: (height, width, channels) of the pictures, at least 61x61; YUV in the paper: see
            `lamina.applications.pilotnet.preprocess_input`.
        outputs: what to say: names, each a number without bounds, (N, 1).
        activation: of all layers but the last.
        name: of the model.

    Returns:
        Model of (N, height, width, channels), values from 0 to 255, to (N, 1), or a list of one for each output.

    Raises:
        TypeError: if sizes are no integers, or outputs no names.
        ValueError: if pictures are too small, or a name comes twice.

    Example:
        >>> import lamina as lm
        >>> lm.applications.PilotNet().count_params()
        252219
        >>> model = lm.applications.PilotNet(outputs=("steering", "throttle"))
        >>> model.compile("adam", "mse", loss_weights={"steering": 1.0, "throttle": 0.2})

    Reference:
        Bojarski et al. 2016, arXiv:1604.07316.
    """
    if not isinstance(input_shape, tuple | list) or len(input_shape) != 3:
        raise ValueError(f"PilotNet: input_shape must be (height, width, channels), got {input_shape!r}")
    for what, size, least in zip(("height", "width", "channels"), input_shape, (LEAST, LEAST, 1), strict=True):
        if not is_integer(size):
            raise TypeError(f"PilotNet: {what} must be an integer, got {size!r}")
        if size < least:
            raise ValueError(f"PilotNet: {what} must be at least {least}, got {size}")
    if isinstance(outputs, str) or not outputs or not all(isinstance(output, str) for output in outputs):
        raise TypeError(f'PilotNet: outputs must be names, as ("steering", "throttle"), got {outputs!r}')
    if len(set(outputs)) != len(outputs):
        raise ValueError(f"PilotNet: outputs must have different names, got {tuple(outputs)}")
    inputs = Input(shape=input_shape, name="picture")
    x = Rescaling(1 / 127.5, offset=-1.0, name="normalization")(inputs)
    for number, (filters, kernel, strides) in enumerate(CONVOLUTIONS, 1):
        conv = Conv2D(filters, kernel, strides=strides, activation=activation, name=f"conv{number}")
        x = conv(x)
    x = Flatten(name="flatten")(x)
    for number, units in enumerate((100, 50, 10), 1):
        x = Dense(units, activation=activation, name=f"dense{number}")(x)
    says = [Dense(1, name=output)(x) for output in outputs]
    return Model(inputs, says[0] if len(says) == 1 else says, name=name)


def preprocess_input(images: Any) -> Any:
    """Pictures as the paper's network sees them: luma and two differences of colour (YUV, BT.601) from 0 to 255.

    Y = 0.299 R + 0.587 G + 0.114 B, U = 128 + 0.564 (B - Y), V = 128 + 0.713 (R - Y).

    Args:
        images: (..., 3), red, green and blue from 0 to 255.

    Returns:
        Array (..., 3) of float32.

    Raises:
        ValueError: if there are not three channels.

    Example:
        >>> from lamina.applications.pilotnet import preprocess_input
        >>> preprocess_input([[100, 100, 100], [255, 0, 0]]).round().tolist()
        [[100.0, 128.0, 128.0], [76.0, 85.0, 255.0]]
    """
    x = np.asarray(images, np.float32)
    if x.ndim < 1 or x.shape[-1] != 3:
        raise ValueError(f"preprocess_input: images must have 3 channels, got shape {x.shape}")
    red, green, blue = (x[..., i] for i in range(3))
    luma = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    differences = (np.float32(0.564) * (blue - luma), np.float32(0.713) * (red - luma))
    return np.stack([luma, *(np.clip(d + np.float32(128), 0, 255) for d in differences)], -1)
