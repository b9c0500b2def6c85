"""Garments, drawn: synthetic pictures of ten kinds of clothes, in the form of Fashion-MNIST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = Any

GARMENTS = (
    "t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
STYLES = ("mixed", "plain", "striped")
STRIPES = 10  # from top to bottom, half of them dark
FINE = 2  # points a pixel and axis


class Garments(NamedTuple):
    """Drawn garments. Synthetic: no photograph is among them.

    Attributes:
        images: (N, size, size, 1), uint8: 0 is the background.
        labels: (N,), int64: places in class_names.
        class_names: the ten kinds, in the order of Fashion-MNIST's classes.

    Example:
        >>> import lamina as lm
        >>> garments = lm.data.load_garments(20)
        >>> garments.class_names[int(garments.labels[3])]
        'dress'
    """

    images: Array
    labels: Array
    class_names: tuple[str, ...]


def load_garments(count: int = 1000, size: int = 28, style: str = "mixed", seed: int = 0) -> Garments:
    """Draws garments: outlines of ten kinds whose cut, place and shade vary. Synthetic, in Fashion-MNIST's form.

    Fashion-MNIST itself is read by `lamina.data.read_mnist` from a folder with its files.

    Args:
        count: how many; the kinds take turns, so each is there as often.
        size: height and width in pixels, from 8 to 128.
        style: "plain": one shade; "striped": dark stripes; "mixed": some of both. The same seed gives the same cuts
            and places in every style.
        seed: the same seed gives the same bytes.

    Returns:
        Garments(images, labels, class_names).

    Raises:
        ValueError: for another style, a count below 1, or a size outside of 8 to 128.

    Example:
        >>> import lamina as lm
        >>> images, labels, names = lm.data.load_garments(20)
        >>> images.shape, images.dtype.name, labels[:3].tolist()
        ((20, 28, 28, 1), 'uint8', [0, 1, 2])

    Reference:
        The classes are those of Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST", arXiv:1708.07747.
    """
    if style not in STYLES:
        raise ValueError(f"load_garments: style must be one of {STYLES}, got {style!r}")
    if count < 1:
        raise ValueError(f"load_garments: count must be at least 1, got {count}")
    if not 8 <= size <= 128:
        raise ValueError(f"load_garments: size must be from 8 to 128, got {size}")
    labels = np.arange(count) % len(GARMENTS)
    draw = np.random.default_rng(seed)
    cut: Array = draw.uniform(-1, 1, (count, 6))  # what varies in a garment of a kind
    place: Array = draw.normal(0, 1, (count, 3)) * np.array([0.02, 0.02, 0.03])
    shade = draw.uniform(0.55, 1.0, count)
    depth: Array = draw.uniform(0.5, 0.7, count)  # of the stripes
    striped: Array = {"plain": np.zeros(count), "striped": np.ones(count), "mixed": draw.random(count) < 0.3}[style]
    images = np.empty((count, size, size, 1), np.uint8)
    step = np.arange(size * FINE) + 0.5
    y, x = np.meshgrid(step / (size * FINE), step / (size * FINE), indexing="ij")
    for number, drawn in enumerate(DRAWERS):
        for start in range(number, count, len(GARMENTS) * 64):
            rows = np.arange(start, min(count, start + len(GARMENTS) * 64), len(GARMENTS))
            grow = 1 + place[rows, 2, None, None]
            px = (x - 0.5 - place[rows, 0, None, None]) / grow  # from the middle, in shares of the picture
            py = (y - 0.5 - place[rows, 1, None, None]) / grow
            light: Array = drawn(px, py, cut[rows].T[:, :, None]) * shade[rows, None, None]
            dark: Array = np.sin(2 * np.pi * STRIPES * py) > 0
            light = light * (1 - (striped * depth)[rows, None, None] * dark)
            light = light.reshape(len(rows), size, FINE, size, FINE).mean((2, 4))
            images[rows, :, :, 0] = np.round(light * 255)
    return Garments(images, labels, GARMENTS)


def polygon(px: Array, py: Array, points: list[tuple[Any, Any]]) -> Array:
    """Where points (N, H, W) lie inside of outlines: pairs (x, y) of numbers or (N, 1) arrays. By crossings."""
    inside = np.zeros(px.shape, bool)
    corners = [tuple(np.asarray(c, float).reshape(-1, 1, 1) for c in point) for point in points]
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        crosses = (y0 > py) != (y1 > py)
        rise = np.where(y1 == y0, 1, y1 - y0)
        inside ^= crosses & (px < (x1 - x0) * (py - y0) / rise + x0)
    return inside


def _mirrored(px: Array, py: Array, half: list[tuple[Any, Any]]) -> Array:
    """A symmetric outline by its right half, from top to bottom."""
    return polygon(np.abs(px), py, [(0, half[0][1]), *half, (0, half[-1][1])])


def _top(px: Array, py: Array, cut: Array, sleeve: float, length: float, width: float) -> Array:
    """Body, sleeves that hang down by their length, a neckline."""
    shoulder, hem = 0.2 + 0.02 * cut[0], length + 0.03 * cut[1]
    half = width + 0.025 * cut[2]
    cuff, reach = -0.3 + sleeve, shoulder + 0.12 + 0.1 * sleeve + 0.03 * cut[3]
    body = _mirrored(px, py, [(shoulder, -0.36), (half, -0.18), (half + 0.02 * cut[4], hem)])
    arm = [(shoulder - 0.02, -0.36), (reach, cuff), (reach - 0.1, cuff + 0.05), (half - 0.01, -0.15)]
    arms = polygon(np.abs(px), py, arm)
    neck = (np.abs(px) / 0.09) ** 2 + ((py + 0.37) / (0.06 + 0.02 * cut[5][..., None])) ** 2 < 1
    return (body | arms) & ~neck


def _t_shirt(px: Array, py: Array, cut: Array) -> Array:
    return 0.9 * _top(px, py, cut, 0.18, 0.34, 0.2)


def _trousers(px: Array, py: Array, cut: Array) -> Array:
    waist, hem, gap = 0.13 + 0.015 * cut[0], 0.16 + 0.03 * cut[1], 0.05 + 0.02 * cut[2]
    crotch, length = -0.12 + 0.04 * cut[3], 0.4 + 0.03 * cut[4]
    legs = [(0, -0.4), (waist, -0.4), (waist + 0.02, -0.2), (hem, length), (gap, length), (0, crotch)]
    drawn = polygon(np.abs(px), py, legs)
    return 0.9 * drawn - 0.25 * (drawn & (py < -0.36))


def _pullover(px: Array, py: Array, cut: Array) -> Array:
    body = _top(px, py, cut, 0.55, 0.3, 0.19)
    return 0.85 * body - 0.2 * (body & (py > 0.24))


def _dress(px: Array, py: Array, cut: Array) -> Array:
    top, waist, hem = 0.12 + 0.02 * cut[0], 0.085 + 0.015 * cut[1], 0.2 + 0.06 * cut[2]
    middle, length = -0.1 + 0.04 * cut[3], 0.41 + 0.03 * cut[4]
    body = _mirrored(px, py, [(top, -0.4), (top, -0.28), (waist, middle), (hem, length)])
    neck = (np.abs(px) / 0.06) ** 2 + ((py + 0.41) / 0.08) ** 2 < 1
    return 0.9 * (body & ~neck)


def _coat(px: Array, py: Array, cut: Array) -> Array:
    body = _top(px, py, cut, 0.6, 0.4, 0.2)
    return body * np.where(np.abs(px) < 0.018, 0.25, 0.8) * np.where(np.abs(np.abs(px) - 0.06) + py < -0.2, 0.6, 1)


def _shirt(px: Array, py: Array, cut: Array) -> Array:
    body = _top(px, py, cut, 0.5, 0.35, 0.17)
    button = (np.abs(px) < 0.014) & (np.sin(py * 70) > 0.3)
    collar = polygon(np.abs(px), py, [(0.02, -0.3), (0.12, -0.4), (0.16, -0.34), (0.06, -0.24)])
    return np.where(collar, 1.0, 0.75 * body * np.where(button, 0.2, 1))


def _sole(px: Array, py: Array, heel: Array, thick: Array) -> Array:
    """A sole from toe (left) to heel, thicker there."""
    return polygon(px, py, [(-0.42, 0.2 - thick), (0.4, 0.2 - thick - heel), (0.4, 0.2), (0.3 - heel, 0.2),
                            (0.2 - heel, 0.2 - heel * 0.7), (-0.1, 0.2), (-0.42, 0.2)])  # fmt: skip


def _sandal(px: Array, py: Array, cut: Array) -> Array:
    heel = 0.08 + 0.07 * cut[0]
    picture = 0.8 * _sole(px, py, heel, 0.05 + 0.01 * cut[1])
    for middle, lean in ((-0.2 + 0.05 * cut[2], 0.35), (0.12 + 0.05 * cut[3], -0.3)):
        x = px - middle[..., None] - lean * (py - 0.1)
        strap = (np.abs(x) < 0.045) & (py > (-0.08 - 0.05 * cut[4])[..., None]) & (py < 0.17)
        picture = np.maximum(picture, 0.95 * strap)
    return picture


def _sneaker(px: Array, py: Array, cut: Array) -> Array:
    ankle, throat = -0.12 - 0.03 * cut[0], 0.02 + 0.05 * cut[1]
    upper = polygon(px, py, [(-0.43, 0.14), (-0.4, 0.05 + 0.02 * cut[2]), (-0.2, 0.0), (throat, ankle),
                             (0.15, ankle + 0.03), (0.38, ankle - 0.02), (0.41, 0.14)])  # fmt: skip
    sole = (np.abs(px) < 0.43) & (py > 0.12) & (py < (0.19 + 0.015 * cut[3])[..., None])
    laces = (np.abs(px + 0.1 - 0.9 * (py + 0.05)) < 0.07) & (np.sin(py * 110) > 0.2) & (py < 0.06)
    return np.where(sole, 1.0, np.where(laces & upper, 0.35, 0.7 * upper))


def _bag(px: Array, py: Array, cut: Array) -> Array:
    wide, slant, top = 0.33 + 0.06 * cut[0], 0.04 * cut[1], -0.1 + 0.06 * cut[2]
    body = _mirrored(px, py, [(wide - slant, top), (wide + slant, 0.33 + 0.03 * cut[3])])
    radius = np.hypot(px / (0.17 + 0.04 * cut[4])[..., None], (py - top[..., None]) / (0.22 + 0.05 * cut[5])[..., None])
    handle = (np.abs(radius - 0.9) < 0.13) & (py < top[..., None])
    flap = body & (py < (top + 0.12)[..., None])
    return np.maximum(0.85 * body - 0.2 * flap, 0.6 * handle)


def _ankle_boot(px: Array, py: Array, cut: Array) -> Array:
    shaft, heel = -0.32 - 0.05 * cut[0], 0.06 + 0.04 * cut[1]
    upper = polygon(px, py, [(-0.42, 0.19), (-0.39, 0.07 + 0.02 * cut[2]), (-0.1, -0.01), (0.02 + 0.03 * cut[3], -0.1),
                             (0.02 + 0.03 * cut[4], shaft), (0.36, shaft), (0.38, 0.19)])  # fmt: skip
    sole = polygon(px, py, [(-0.43, 0.19), (0.39, 0.17), (0.39, 0.19 + heel), (0.24, 0.19 + heel), (0.2, 0.23),
                            (-0.43, 0.23)])  # fmt: skip
    return np.where(sole, 1.0, 0.75 * upper - 0.3 * (upper & (np.abs(px - 0.12) < 0.03) & (py < 0)))


DRAWERS: tuple[Callable[[Array, Array, Array], Array], ...] = (
    _t_shirt, _trousers, _pullover, _dress, _coat, _sandal, _shirt, _sneaker, _bag, _ankle_boot,
)  # fmt: skip
