"""What the builders of image networks share: the input, checked, and the classifier at the end."""

from __future__ import annotations

from typing import Any

from lamina import layers
from lamina.layers.checks import positive
from lamina.layers.shapes import sample_shape

POOLINGS = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}


def image_input(input_shape: Any, smallest: int, owner: str, default: int = 224) -> Any:
    """The symbolic input of a network for images.

    Args:
        input_shape: (H, W, C), H and W None for images of any size; None for (default, default, 3).
        smallest: the least height and width that the network's strides leave something of.
        owner: the network's name, for errors.
        default: see above.

    Raises:
        ValueError: for another shape, or images that are too small.
        TypeError: if a size is no integer.
    """
    shape = (default, default, 3) if input_shape is None else tuple(sample_shape(input_shape, owner))
    if len(shape) != 3 or shape[2] is None:
        raise ValueError(f"{owner}: input_shape must be (height, width, channels), got {input_shape!r}")
    if any(n is not None and n < smallest for n in shape[:2]):
        raise ValueError(
            f"{owner}: images must be at least {smallest} x {smallest} pixels for its strides, got {shape}"
        )
    return layers.Input(shape)


def check_top(include_top: bool, pooling: str | None, classes: Any, owner: str) -> None:
    """Raises ValueError or TypeError for arguments about a network's end that do not fit."""
    positive(classes, owner, "classes")
    if pooling is not None and pooling not in POOLINGS:
        raise ValueError(f'{owner}: pooling must be None, "avg" or "max", got {pooling!r}')
    if include_top and pooling is not None:
        raise ValueError(f"{owner}: pooling is for include_top=False, got {pooling!r}")


def pooled(x: Any, pooling: str | None) -> Any:
    """What a network without its top gives: a map of features, or the mean or maximum of each."""
    return x if pooling is None else POOLINGS[pooling](name=f"{pooling}_pool")(x)
