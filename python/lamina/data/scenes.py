"""Synthetic scenes with labelled objects: boxes, masks, classes and sentences, all exact, drawn in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.data.bundled import load_sample_images
from lamina.data.checks import height_and_width, not_negative, positive, seed_of
from lamina.data.digits import digits
from lamina.data.masks import boxes_of

Array = Any
Random = Callable[..., Any]  # Generator.random: floats from 0 up to 1

SHAPES = ("circle", "square", "triangle", "cross", "ring")
COLORS = {"red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 225), "yellow": (235, 215, 50),
          "purple": (165, 60, 190), "cyan": (60, 205, 215)}  # fmt: skip
# An object's height, as a share of the picture's shorter side: what is small and what is not never overlap.
SMALL, USUAL = (0.17, 0.23), (0.32, 0.44)
VISIBLE = 0.6  # the least share of an object that those nearer may leave
CLEAR = 0.06  # of the shorter side: the least difference between two objects' distances along x and y
ATTEMPTS = 30  # at finding a place; an object that finds none is left out


@dataclass(frozen=True)
class Scenes:
    """Pictures and what is in them: what `load_scenes` returns.

    Args:
        images: (N, H, W, 3), uint8.
        boxes: N arrays (n_i, 4), float32: x_min, y_min, x_max, y_max in pixels, the last two one past the object.
        labels: N arrays (n_i,), int64: classes.
        masks: N arrays (n_i, H, W), bool: where each object can be seen.
        semantic: (N, H, W), uint8: 0 is background, otherwise class + 1 of the nearest object.
        class_names: the classes' names.
        captions: N sentences.

    Example:
        >>> import lamina as lm
        >>> scenes = lm.data.load_scenes(count=2, size=(64, 64), seed=0)
        >>> len(scenes), isinstance(scenes, lm.data.Scenes)
        (2, True)
    """

    images: Array
    boxes: list[Array]
    labels: list[Array]
    masks: list[Array]
    semantic: Array
    class_names: tuple[str, ...]
    captions: list[str]

    def __len__(self) -> int:
        return len(self.images)


def load_scenes(
    count: int = 1000,
    size: tuple[int, int] = (96, 96),
    kind: str = "shapes",
    max_objects: int = 4,
    seed: int = 0,
    background: str | None = None,
    min_objects: int = 1,
    held_out: bool = False,
) -> Scenes:
    """Draws synthetic scenes: coloured shapes, or handwritten digits, on noise or on photographs.

    Objects come in six colours and two sizes (small: about a fifth of the shorter side; usual: about two fifths), may
    cover others of another colour, and stay at least 60 % visible. Boxes and masks are of the visible part.

    A caption can be read off the picture: usual objects before small ones, then by class, by colour, from left to
    right. Two objects are related by how their boxes' centres lie to one another, along the axis on which they are
    further apart: "a red circle above a small blue square". More are listed.

    Args:
        count: how many scenes, N.
        size: height and width in pixels, at least 32 each.
        kind: "shapes" (circle, square, triangle, cross, ring) or "digits" (0 to 9, scikit-learn's, scaled up and
            tinted).
        max_objects: the most objects in a scene; how many there are is drawn evenly.
        seed: of everything: the same seed gives the same bytes, and scene i is the same for any count.
        background: "noise", a grey texture, or "photographs": pieces of scikit-learn's two. None is noise behind
            shapes and photographs behind digits.
        min_objects: the fewest objects in a scene; 0 makes scenes without any.
        held_out: whether to draw other scenes from the same seed, with the digits that scenes without held_out never
            use: to test what was trained on those.

    Returns:
        Scenes.

    Raises:
        ImportError: without scikit-learn (digits, photographs) or Pillow (photographs).
        ValueError: for a size below 32, another kind or background, or counts below their least.

    Example:
        >>> import lamina as lm
        >>> scenes = lm.data.load_scenes(count=3, size=(64, 96), max_objects=2, seed=4)
        >>> scenes.images.shape, scenes.boxes[0].shape, scenes.masks[0].shape
        ((3, 64, 96, 3), (2, 4), (2, 64, 96))
        >>> scenes.captions[0]
        'a purple ring below a small green circle'
    """
    positive(count, "load_scenes: count")
    positive(max_objects, "load_scenes: max_objects")
    not_negative(min_objects, "load_scenes: min_objects")
    if min_objects > max_objects:
        raise ValueError(f"load_scenes: min_objects is {min_objects}, more than max_objects, {max_objects}")
    height, width = height_and_width(size, "load_scenes: size")
    if min(height, width) < 32:
        raise ValueError(f"load_scenes: size must be at least 32 x 32 pixels, got {height} x {width}")
    if kind not in ("shapes", "digits"):
        raise ValueError(f"load_scenes: kind must be 'shapes' or 'digits', got {kind!r}")
    background = background or ("noise" if kind == "shapes" else "photographs")
    if background not in ("noise", "photographs"):
        raise ValueError(f"load_scenes: background must be 'noise' or 'photographs', got {background!r}")
    names = SHAPES if kind == "shapes" else tuple("0123456789")
    draw = _shape if kind == "shapes" else _digit_drawer(held_out)
    photographs = None if background == "noise" else np.round(load_sample_images()[0] * 255).astype(np.uint8)

    scenes = Scenes(np.empty((count, height, width, 3), np.uint8), [], [], [],
                    np.empty((count, height, width), np.uint8), names, [])  # fmt: skip
    key = seed_of(seed, "load_scenes") & 0xFFFF_FFFF_FFFF_FFFF
    for i in range(count):
        # A counter-based generator: every scene has a stream of its own.
        random = np.random.Generator(np.random.Philox(key=[key, 2 * i + held_out])).random
        picture = _noise(random, height, width) if photographs is None else _piece(random, photographs, height, width)
        objects = min_objects + int(random() * (max_objects - min_objects + 1))
        _compose(scenes, i, random, picture, objects, draw)
    return scenes


def _compose(scenes: Scenes, i: int, random: Random, picture: Array, objects: int, draw: Callable[..., Any]) -> None:
    """Puts objects one before the other onto the picture, and notes what can be seen of each."""
    height, width = picture.shape[:2]
    masks: list[Array] = []
    labels: list[int] = []
    colors: list[int] = []
    small: list[bool] = []
    tints = np.array(list(COLORS.values()), np.float64)
    for _ in range(objects):
        label, color, little = (int(random() * n) for n in (len(scenes.class_names), len(tints), 2))
        low, high = SMALL if little else USUAL
        side = round((low + (high - low) * random()) * min(height, width))
        ink, touched = draw(random, label, side)  # how much of the colour each point takes, and what counts as object
        for _ in range(ATTEMPTS):
            y, x = (int(random() * (n - side + 1)) for n in (height, width))
            mask = np.zeros((height, width), bool)
            mask[y : y + side, x : x + side] = touched
            after = [(m & ~mask, full) for m, full in masks] + [(mask, mask.sum())]
            if _can_be_seen(masks, after, colors, color) and (objects != 2 or _relation_is_clear(after)):
                break
        else:
            continue
        masks = after
        tint = np.clip(tints[color] + 30 * (random(3) - 0.5), 0, 255)
        part = picture[y : y + side, x : x + side]
        part += ink[:, :, None] * (tint + 12 * (random(part.shape) - 0.5) - part)
        labels, colors, small = [*labels, label], [*colors, color], [*small, bool(little)]
    scenes.images[i] = np.clip(np.round(picture), 0, 255)
    scenes.masks.append(np.array([m for m, _ in masks], bool).reshape(-1, height, width))
    scenes.boxes.append(boxes_of(scenes.masks[i]))
    scenes.labels.append(np.array(labels, np.int64))
    scenes.semantic[i] = 0
    for (mask, _), label in zip(masks, labels, strict=True):
        scenes.semantic[i][mask] = label + 1
    scenes.captions.append(_caption(scenes.class_names, labels, colors, small, scenes.boxes[i]))


def _can_be_seen(before: list[Any], after: list[Any], colors: list[int], color: int) -> bool:
    """Whether enough of each object is left, and nothing covers what has its own colour."""
    for (old, full), (left, _), other in zip(before, after, colors, strict=False):
        seen, was = left.sum(), old.sum()
        if seen < VISIBLE * full or (seen < was and other == color):
            return False
    return True


def _relation_is_clear(masks: list[Any]) -> bool:
    """Whether one can see which of two objects' distances is greater, the upright or the level one."""
    if len(masks) < 2:
        return True
    one, other = boxes_of(np.array([m for m, _ in masks])).astype(np.float64)
    x, y = np.abs(one + one[[2, 3, 0, 1]] - other - other[[2, 3, 0, 1]])[:2] / 2
    return bool(abs(x - y) >= CLEAR * min(masks[0][0].shape))


def _caption(names: tuple[str, ...], labels: list[int], colors: list[int], small: list[bool], boxes: Array) -> str:
    palette = list(COLORS)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    order = sorted(range(len(labels)), key=lambda k: (small[k], labels[k], colors[k], *centers[k]))
    said = [f"a {'small ' if small[k] else ''}{palette[colors[k]]} {names[labels[k]]}" for k in order]
    if not said:
        return "nothing"
    if len(said) == 2:
        x, y = centers[order[1]] - centers[order[0]]
        relation = ("above" if y > 0 else "below") if abs(y) > abs(x) else ("left of" if x > 0 else "right of")
        return f"{said[0]} {relation} {said[1]}"
    return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else said[0]


def _shape(random: Random, label: int, side: int) -> tuple[Array, Array]:
    """A shape that fills a square of this side: no sine, so that every machine draws the same points."""
    y, x = np.mgrid[:side, :side] + 0.5
    half = side / 2
    squared = (x - half) ** 2 + (y - half) ** 2
    inside = {
        "circle": squared <= half**2,
        "square": np.ones((side, side), bool),
        "triangle": 2 * np.abs(x - half) <= y,
        "cross": np.minimum(np.abs(x - half), np.abs(y - half)) <= side / 6,
        "ring": (squared <= half**2) & (squared >= (0.55 * half) ** 2),
    }[SHAPES[label]]
    return inside.astype(np.float64), inside


def _digit_drawer(held_out: bool) -> Callable[[Random, int, int], tuple[Array, Array]]:
    (x, y), (x_test, y_test) = digits()
    pictures, labels = (x_test, y_test) if held_out else (x, y)
    by_class = [pictures[labels == k, :, :, 0].astype(np.float64) for k in range(10)]

    def draw(random: Random, label: int, side: int) -> tuple[Array, Array]:
        picture = by_class[label][int(random() * len(by_class[label]))]
        picture = picture[:, picture.any(axis=0)]  # the margins' columns are empty
        ink = _stretch(_stretch(picture, side).T, side * picture.shape[1] // 8).T
        left = (side - ink.shape[1]) // 2
        ink = np.clip(np.pad(ink, ((0, 0), (left, side - ink.shape[1] - left))) * 2 - 0.4, 0, 1)  # firmer edges
        return ink, ink > 0.5

    return draw


def _stretch(picture: Array, length: int) -> Array:
    """Rows interpolated linearly to another number of them, points standing for their middles."""
    n = len(picture)
    place = np.clip((np.arange(length) + 0.5) * n / length - 0.5, 0, n - 1)
    low = np.minimum(place.astype(np.int64), max(n - 2, 0))
    share = (place - low)[:, None]
    return picture[low] * (1 - share) + picture[np.minimum(low + 1, n - 1)] * share


def _noise(random: Random, height: int, width: int) -> Array:
    """Grey clouds, coarse and fine, with a touch of colour."""
    picture = np.full((height, width, 3), 70 + 80 * random()) + 24 * (random(3) - 0.5)
    for cell, strength in ((32, 60), (8, 30), (1, 16)):
        grid = random((height // cell + 2, width // cell + 2))
        clouds = _stretch(_stretch(grid, height).T, width).T if cell > 1 else grid[:height, :width]
        picture += strength * (clouds - 0.5)[:, :, None]
    return picture


def _piece(random: Random, photographs: Array, height: int, width: int) -> Array:
    """A piece of a photograph, of its own size or up to half of it (enlarged where the photograph is too small)."""
    photograph = photographs[int(random() * len(photographs))]
    step = min(1 + random(), photograph.shape[0] / height, photograph.shape[1] / width)
    y, x = (int(random() * (n - m * step)) for n, m in zip(photograph.shape, (height, width), strict=False))
    rows, columns = (
        np.minimum(start + (np.arange(m) * step).astype(np.int64), n - 1)
        for start, m, n in zip((y, x), (height, width), photograph.shape, strict=False)
    )
    return photograph[rows][:, columns].astype(np.float64)
