"""Patches of scikit-learn's two photographs: real pictures of any number and size."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.data.bundled import load_sample_images

Array = Any


def load_patches(count: int = 1000, size: int = 32, color: bool = False, seed: int = 0) -> tuple[Array, Array]:
    """Square patches of the two photographs that come with scikit-learn, from places drawn at random.

    Those to learn from come from the left three quarters of both photographs, those to be tested on from the right
    quarter: no pixel is in both.

    Args:
        count: how many to learn from; a quarter as many are there to be tested on.
        size: height and width in pixels, at most 160.
        color: whether they have three channels, or one: 0.299 red + 0.587 green + 0.114 blue.
        seed: of the places.

    Returns:
        x (count, size, size, C) and x_test (count // 4, size, size, C): float32 from 0 to 1.

    Raises:
        ValueError: for a count below 4 or a size that is not from 1 to 160.
        ImportError: without scikit-learn and Pillow: pip install "lamina[demo,images]".

    Example:
        >>> import lamina as lm
        >>> x, x_test = lm.data.load_patches(100, size=16)
        >>> x.shape, x_test.shape
        ((100, 16, 16, 1), (25, 16, 16, 1))

    Reference:
        See `load_sample_images`.
    """
    if count < 4:
        raise ValueError(f"load_patches: count must be at least 4, got {count}")
    if not 1 <= size <= 160:
        raise ValueError(f"load_patches: size must be from 1 to 160, got {size}")
    photographs, _ = load_sample_images()
    if not color:
        photographs = (photographs @ np.array([0.299, 0.587, 0.114], "float32"))[..., None]
    draw = np.random.default_rng(seed)
    edge = photographs.shape[2] * 3 // 4

    def cut(number: int, left: int, right: int) -> Array:
        which = draw.integers(len(photographs), size=number)
        top = draw.integers(photographs.shape[1] - size + 1, size=number)
        start = draw.integers(left, right - size + 1, size=number)
        rows, columns = top[:, None] + np.arange(size), start[:, None] + np.arange(size)
        return photographs[which[:, None, None], rows[:, :, None], columns[:, None, :]]

    return cut(count, 0, edge), cut(count // 4, edge, photographs.shape[2])
