"""Pictures seen through affine maps. Plain NumPy of + - * / alone, so that bits do not depend on the machine."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
AFFINE = ("nearest", "bilinear")
PART = 1 << 18  # output elements that are worked on at a time: their coordinates stay in the cache


def sin_cos(turns: Array) -> tuple[Array, Array]:
    """Sine and cosine of an angle in full turns: quarters taken off exactly, the rest by its series to 1e-16."""
    turns = np.asarray(turns, np.float64)
    quarters = np.rint(turns * 4)
    x = (turns - quarters / 4) * (2 * np.pi)  # at most an eighth of a turn
    square = x * x
    sine, cosine = np.ones_like(x), np.ones_like(x)  # Horner: from the smallest term up
    for n in range(16, 0, -2):
        sine = 1.0 - square / (n * (n + 1)) * sine
        cosine = 1.0 - square / ((n - 1) * n) * cosine
    sine = x * sine
    turn = quarters.astype(np.int64) % 4
    return np.choose(turn, [sine, cosine, -sine, -cosine]), np.choose(turn, [cosine, -sine, -cosine, sine])


def affine(
    images: Array,
    matrices: Array,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
) -> Array:
    """Each picture seen through a map of its own: y[row, column] = x at (row', column').

    column' = a0 column + a1 row + a2 and row' = b0 column + b1 row + b2, in points of the picture, (0, 0) the middle of
    the first.

    Args:
        images: array (N, H, W, C), float32 or float64.
        matrices: array (N, 6): a0, a1, a2, b0, b1, b2 for each.
        interpolation: "bilinear", between the four points around, or "nearest".
        fill_mode: what lies outside: "constant" (fill_value), "nearest" (the edge), "reflect" (d c b a | a b c d |
            d c b a), "wrap" (the other side).
        fill_value: see above.

    Returns:
        Array of the shape and dtype of images.
    """
    images = np.ascontiguousarray(images)
    count, height, width, channels = images.shape
    y = np.empty_like(images)
    points = max(height * width * max(channels, 1), 1)
    step = max(PART // points, 1)
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        _affine(images[part], np.asarray(matrices[part], np.float64), interpolation, fill_mode, fill_value, y[part])
    return y


def _affine(images: Array, matrices: Array, interpolation: str, fill_mode: str, fill_value: float, y: Array) -> None:
    _, height, width, _ = images.shape
    rows, columns = np.arange(height, dtype=np.float64)[:, None], np.arange(width, dtype=np.float64)
    a0, a1, a2, b0, b1, b2 = (matrices[:, i, None, None] for i in range(6))
    places = [b1 * rows + b0 * columns + b2, a1 * rows + a0 * columns + a2]
    sizes = (height, width)
    if interpolation == "nearest":
        nodes = [[(np.rint(place), None)] for place in places]
    else:
        lower = [np.floor(place) for place in places]
        upper = [(place - low).astype(images.dtype) for place, low in zip(places, lower, strict=True)]
        nodes = [[(low, 1 - up), (low + 1, up)] for low, up in zip(lower, upper, strict=True)]
    fixed = [
        [(*_inside(index, size, fill_mode), weight) for index, weight in axis]
        for axis, size in zip(nodes, sizes, strict=True)
    ]
    batch = np.arange(len(images))[:, None, None]
    total: Array = None
    for row, row_valid, row_weight in fixed[0]:
        for column, column_valid, column_weight in fixed[1]:
            value = images[batch, row, column]
            if row_valid is not None:
                value[~(row_valid & column_valid)] = fill_value
            if row_weight is not None:
                value *= (row_weight * column_weight)[..., None]
            total = value if total is None else np.add(total, value, out=total)
    y[...] = total


def _inside(index: Array, size: int, fill_mode: str) -> tuple[Array, Array]:
    """Indices brought into the picture, and (for "constant") which of them were."""
    index = np.clip(index, -(2.0**40), 2.0**40).astype(np.int64)  # no further out than int64 can count
    if fill_mode == "wrap":
        return index % size, None
    if fill_mode == "reflect":
        index = index % (2 * size)
        return np.minimum(index, 2 * size - 1 - index), None
    clipped = np.clip(index, 0, size - 1)
    return clipped, (clipped == index if fill_mode == "constant" else None)


def rotations(turns: Array, height: int, width: int) -> Array:
    """Maps for `affine` that turn pictures about their middle, counterclockwise, by angles in full turns."""
    sine, cosine = sin_cos(turns)
    x, y = (width - 1) / 2, (height - 1) / 2
    return np.stack([cosine, -sine, x - x * cosine + y * sine, sine, cosine, y - x * sine - y * cosine], axis=-1)


def translations(down: Array, right: Array) -> Array:
    """Maps for `affine` that move pictures by points."""
    one, zero = np.ones_like(down), np.zeros_like(down)
    return np.stack([one, zero, -right, zero, one, -down], axis=-1)


def zooms(vertical: Array, horizontal: Array, height: int, width: int) -> Array:
    """Maps for `affine` about the middle: of 2 show pictures at half their size, of 1/2 at twice."""
    zero = np.zeros_like(vertical)
    x, y = (width - 1) / 2 * (1 - horizontal), (height - 1) / 2 * (1 - vertical)
    return np.stack([horizontal, zero, x, zero, vertical, y], axis=-1)


def shears(horizontal: Array, vertical: Array) -> Array:
    """Maps for `affine` that slant pictures."""
    one, zero = np.ones_like(horizontal), np.zeros_like(horizontal)
    return np.stack([one, horizontal, zero, vertical, one, zero], axis=-1)
