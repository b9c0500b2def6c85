"""Colours of classes, and masks of classes as colours over a picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.data.checks import positive

Array = Any


def palette(count: int = 256) -> Array:
    """A colour for each class number, as PASCAL VOC has them: neighbours differ, 0 is black.

    A number's bits go to red, green and blue in turn, the lowest to the highest bit of each.

    Args:
        count: how many, up to 256.

    Returns:
        Array (count, 3) of uint8: red, green, blue.

    Raises:
        ValueError: if there are none, or more than 256.

    Example:
        >>> import lamina as lm
        >>> lm.data.palette(4).tolist()
        [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]

    Reference:
        Everingham et al. 2010, "The PASCAL Visual Object Classes (VOC) Challenge" (its development kit's colours).
    """
    if positive(count, "palette: count") > 256:
        raise ValueError(f"palette: count must be at most 256, got {count}")
    numbers = np.arange(count)[:, None]
    colours = np.zeros((count, 3), np.int64)
    for bit in range(8):
        colours |= (numbers >> (np.arange(3) + 3 * bit) & 1) << (7 - bit)
    return colours.astype(np.uint8)


def overlay(image: Any, mask: Any, alpha: float = 0.6, colors: Any = None, background: int | None = 0) -> Array:
    """A picture with the classes of its pixels as colours over it.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3); uint8, or floating from 0 to 1.
        mask: (H, W) class numbers from 0 to 255.
        alpha: how much of the colour, from 0 to 1.
        colors: (classes, 3) of uint8, or None for `palette`.
        background: the class that stays as it is; None colours all.

    Returns:
        Array (H, W, 3) of uint8.

    Raises:
        ValueError: if the mask has another size than the picture, a class has no colour, or alpha is out of range.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.data.overlay(np.full((1, 2, 3), 100, np.uint8), np.array([[0, 1]]), alpha=0.5).tolist()
        [[[100, 100, 100], [114, 50, 50]]]
    """
    pictures, classes = np.asarray(image), np.asarray(mask)
    if pictures.ndim == 2:
        pictures = pictures[..., None]
    if pictures.ndim != 3 or pictures.shape[2] not in (1, 3):
        raise ValueError(f"overlay: image must have shape (H, W), (H, W, 1) or (H, W, 3), got {np.shape(image)}")
    if classes.shape != pictures.shape[:2]:
        raise ValueError(f"overlay: mask must have the picture's size, {pictures.shape[:2]}, got {classes.shape}")
    if not 0 <= alpha <= 1:
        raise ValueError(f"overlay: alpha must be from 0 to 1, got {alpha!r}")
    if classes.dtype.kind not in "uib":
        raise TypeError(f"overlay: mask must hold whole numbers, got {classes.dtype}")
    table = palette() if colors is None else np.asarray(colors)
    if table.ndim != 2 or table.shape[1] != 3:
        raise ValueError(f"overlay: colors must have shape (classes, 3), got {table.shape}")
    wrong = (classes < 0) | (classes >= len(table))
    if wrong.any():
        raise ValueError(f"overlay: mask must hold class numbers in [0, {len(table)}), got {classes[wrong].flat[0]}")
    seen = pictures.astype(np.float64) * (255.0 if pictures.dtype.kind == "f" else 1.0)
    coloured = (1 - alpha) * seen + alpha * table[classes.astype(np.int64)]
    if background is not None:
        coloured = np.where((classes == background)[..., None], seen, coloured)
    return np.rint(coloured).clip(0, 255).astype(np.uint8)
