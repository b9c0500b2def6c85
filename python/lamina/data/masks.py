"""Masks as COCO writes them: runs of pixels, packed or not, and polygons; bit for bit what its own tools make."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

Array = Any

FINER = 5  # a polygon is drawn on a grid so many times finer
LONGEST = 1 << 26  # points of that grid along a polygon's border


def encode_rle(mask: Any) -> dict[str, Any]:
    """A mask as runs of pixels, down the columns: how many are off, on, off, ...

    Args:
        mask: (H, W), of bool or 0 and 1.

    Returns:
        {"size": [H, W], "counts": [...]}, what COCO writes for crowds.

    Raises:
        ValueError: if the mask has another number of axes.

    Example:
        >>> import lamina as lm
        >>> lm.data.encode_rle([[0, 1], [1, 1]])
        {'size': [2, 2], 'counts': [1, 3]}
    """
    array = np.asarray(mask)
    if array.ndim != 2:
        raise ValueError(f"encode_rle: mask must have shape (H, W), got {array.shape}")
    flat = array.T.reshape(-1) != 0
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])) if flat.size else np.zeros(1, np.int64)
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]
    return {"size": [int(n) for n in array.shape], "counts": [int(n) for n in counts]}


def decode_rle(rle: Any) -> Array:
    """The mask that runs of pixels stand for.

    Args:
        rle: {"size": [H, W], "counts": a list of runs, or the same packed into a string}.

    Returns:
        Array (H, W) of bool.

    Raises:
        ValueError: if runs are negative or do not add up to the size, or the string is no such packing.

    Example:
        >>> import lamina as lm
        >>> lm.data.decode_rle({"size": [2, 2], "counts": [1, 3]}).astype(int).tolist()
        [[0, 1], [1, 1]]
        >>> lm.data.decode_rle({"size": [2, 2], "counts": "13"}).astype(int).tolist()
        [[0, 1], [1, 1]]
    """
    if not isinstance(rle, dict) or "size" not in rle or "counts" not in rle:
        raise ValueError(f"decode_rle: expected a dictionary of size and counts, got {_short(rle)}")
    size, counts = rle["size"], rle["counts"]
    whole = isinstance(size, list | tuple) and len(size) == 2 and all(type(n) is int and n >= 0 for n in size)
    if not whole:
        raise ValueError(f"decode_rle: size must be [height, width], got {_short(size)}")
    height, width = size
    if isinstance(counts, str | bytes):
        counts = unpack_counts(counts)
    if not isinstance(counts, list | tuple) or any(type(n) is not int or n < 0 for n in counts):
        raise ValueError(f"decode_rle: counts must be whole numbers from 0 on, or a string, got {_short(counts)}")
    if sum(counts) != height * width:
        raise ValueError(f"decode_rle: counts add up to {sum(counts)} pixels, but size is {height}x{width}")
    on = np.arange(len(counts)) % 2 == 1
    return np.repeat(on, counts).reshape(width, height).T.copy()


def pack_counts(counts: Any) -> str:
    """Runs as COCO packs them into a string: each less the one two before, 5 bits a character, the lowest first."""
    text = []
    for i, count in enumerate(counts):
        rest = int(count) - (int(counts[i - 2]) if i > 2 else 0)
        while True:
            bits, rest = rest & 31, rest >> 5
            done = rest == (-1 if bits & 16 else 0)
            text.append(chr(48 + (bits if done else bits | 32)))
            if done:
                break
    return "".join(text)


def unpack_counts(text: str | bytes) -> list[int]:
    """What `pack_counts` packed.

    Raises:
        ValueError: if there are other characters, or it ends within a number.
    """
    data = text.encode("utf-8") if isinstance(text, str) else bytes(text)
    counts: list[int] = []
    value = place = 0
    for byte in data:
        digit = byte - 48
        if not 0 <= digit < 64 or place > 55:
            raise ValueError(f"decode_rle: counts hold a byte or number that no packing has, {chr(byte)!r}")
        value |= (digit & 31) << place
        place += 5
        if digit & 32:
            continue
        if digit & 16:
            value -= 1 << place
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = place = 0
    if place:
        raise ValueError("decode_rle: counts are cut short within a number")
    return counts


def polygon_mask(polygons: Any, height: int, width: int) -> Array:
    """The pixels inside of polygons, their union.

    The border is walked on a grid five times finer; where it crosses the middle of a column, the pixels below it change
    sides: an even number of crossings above a pixel leaves it outside.

    Args:
        polygons: a list of [x0, y0, x1, y1, ...], at least three points each, in pixels; (0, 0) the upper left corner.
        height, width: of the picture.

    Returns:
        Array (height, width) of bool.

    Raises:
        ValueError: if a polygon has fewer points, an odd number of numbers, or such that are not finite or far off.

    Example:
        >>> import lamina as lm
        >>> lm.data.polygon_mask([[0, 0, 2, 0, 2, 2, 0, 2]], 3, 3).astype(int).tolist()
        [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    """
    if not isinstance(polygons, list | tuple) or not polygons:
        raise ValueError(f"polygon_mask: expected a list of polygons, got {_short(polygons)}")
    mask = np.zeros((height, width), bool)
    for polygon in polygons:
        try:
            points = np.asarray(polygon, np.float64)
        except (TypeError, ValueError):
            points = np.zeros(0)
        if points.ndim != 1 or len(points) < 6 or len(points) % 2:
            raise ValueError(f"polygon_mask: a polygon must be [x0, y0, x1, y1, ...] of 3 points or more, "
                             f"got {_short(polygon)}")  # fmt: skip
        if not (np.abs(points) <= 1e6).all():  # NaN as well
            raise ValueError(f"polygon_mask: a polygon's points must be finite and near the picture, "
                             f"got {_short(polygon)}")  # fmt: skip
        mask |= _inside(points.reshape(-1, 2), height, width)
    return mask


def _inside(points: Array, height: int, width: int) -> Array:
    corners = np.trunc(FINER * points + 0.5).astype(np.int64)
    if np.abs(np.diff(corners, axis=0, append=corners[:1])).max(axis=1).sum() > LONGEST:
        raise ValueError("polygon_mask: a polygon's border is longer than any picture's could be")
    u, v = _border(np.concatenate([corners, corners[:1]]))
    step = np.flatnonzero(np.diff(u))  # where the border goes from one fine column to the next
    left = np.minimum(u[step], u[step + 1])
    column, odd = np.divmod(left - FINER // 2, FINER)  # a pixel's middle lies FINER // 2 into it
    crossing = (odd == 0) & (column >= 0) & (column < width)
    top = np.minimum(v[step], v[step + 1])[crossing]
    row = np.ceil(((top + 0.5) / FINER - 0.5).clip(0, height)).astype(np.int64)
    changes = np.bincount(column[crossing] * height + row, minlength=height * width + 1)[: height * width]
    return (np.cumsum(changes) % 2 == 1).reshape(width, height).T


def _border(corners: Array) -> tuple[Array, Array]:
    """All points of the fine grid along the border, each edge walked along its longer side."""
    parts_u, parts_v = [], []
    for (x0, y0), (x1, y1) in pairwise(corners):
        wide, high = abs(int(x1 - x0)), abs(int(y1 - y0))
        flat = wide >= high
        flipped = x0 > x1 if flat else y0 > y1  # an edge gives the same points in either direction
        if flipped:
            x0, y0, x1, y1 = x1, y1, x0, y0
        along = np.arange(max(wide, high) + 1)
        if flipped:
            along = along[::-1]
        if flat:
            slope = (y1 - y0) / wide if wide else 0.0
            parts_u.append(along + x0)
            parts_v.append(np.trunc(y0 + slope * along + 0.5).astype(np.int64))
        else:
            parts_v.append(along + y0)
            parts_u.append(np.trunc(x0 + (x1 - x0) / high * along + 0.5).astype(np.int64))
    return np.concatenate(parts_u), np.concatenate(parts_v)


def boxes_of(masks: Array) -> Array:
    """The smallest box around each of masks (n, H, W), (n, 4) float32: the last two one past; 0s for an empty mask."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for mask, box in zip(masks, boxes, strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(rows):
            box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
