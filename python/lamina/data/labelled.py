"""Pictures with labelled objects, in files: what the readers of COCO's and VOC's formats share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamina.data.images import read_image

Array = Any

CLOSE = 1.0  # pixels that a box may reach beyond its picture, by rounding: it is clipped
UNLABELLED = 255  # in a semantic mask: pixels that do not count


class LazyList(Sequence[Any]):
    """As many things as there are, each made when it is asked for, and not kept.

    Args:
        count: how many.
        make: takes a number from 0 to count - 1.
    """

    def __init__(self, count: int, make: Callable[[int], Any]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._make(i) for i in range(*index.indices(self._count))]
        number = index + self._count if index < 0 else index
        if not 0 <= number < self._count:
            raise IndexError(f"there are {self._count} pictures, got number {index}")
        return self._make(number)


@dataclass(frozen=True)
class LabelledImages:
    """Pictures and what is in them, in the shape of `load_scenes`; what `read_coco` and `read_voc` return.

    Pictures and masks are read when they are asked for (``images[3]``), and not kept.

    Args:
        images: N pictures (H, W, 3), uint8.
        boxes: N arrays (n_i, 4), float32: x_min, y_min, x_max, y_max in pixels, the last two one past the object.
        labels: N arrays (n_i,), int64: classes.
        masks: N arrays (n_i, H, W), bool: the pixels of each object.
        semantic: N arrays (H, W), uint8: 0 is background, otherwise class + 1; 255 does not count.
        class_names: the classes' names.
        crowd: N arrays (n_i,), bool: many objects in one (COCO), or hard to make out (VOC): those that detectors need
            not find.
        paths: N paths of pictures.
        sizes: N pairs (height, width).

    Example:
        >>> import lamina as lm
        >>> nothing = lm.data.LabelledImages([], [], [], [], [], ("cat",), [], [], [])
        >>> len(nothing)
        0
    """

    images: Sequence[Array]
    boxes: Sequence[Array]
    labels: Sequence[Array]
    masks: Sequence[Array]
    semantic: Sequence[Array]
    class_names: tuple[str, ...]
    crowd: Sequence[Array]
    paths: Sequence[Path]
    sizes: Sequence[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.paths)


def picture(path: Path, size: tuple[int, int]) -> Array:
    """A picture that must have the size that its annotation says.

    Raises:
        ValueError: if it has another.
    """
    image = read_image(path)
    if image.shape[:2] != size:
        raise ValueError(f"{path}: is {image.shape[0]}x{image.shape[1]} (height x width), "
                         f"but its annotation says {size[0]}x{size[1]}")  # fmt: skip
    return image


def checked_box(corners: Any, size: tuple[int, int], where: str) -> Array:
    """A box within its picture, (4,) float32.

    Args:
        corners: x_min, y_min, x_max, y_max.
        size: (height, width) of the picture.
        where: file and entry, for the error.

    Raises:
        ValueError: if it is inverted, has no area or reaches out of the picture by more than a pixel.
    """
    x_min, y_min, x_max, y_max = (float(c) for c in corners)  # plain numbers: files have a million boxes
    height, width = size
    left, top, right, bottom = max(x_min, 0.0), max(y_min, 0.0), min(x_max, width), min(y_max, height)
    beyond = max(left - x_min, top - y_min, x_max - right, y_max - bottom)
    if left < right and top < bottom and beyond <= CLOSE:
        return np.array((left, top, right, bottom), np.float32)
    said = f"the box {[round(c, 2) for c in (x_min, y_min, x_max, y_max)]} (x_min, y_min, x_max, y_max)"
    if not math.isfinite(x_min + y_min + x_max + y_max):
        raise ValueError(f"{where}: {said} is not finite")
    if x_max < x_min or y_max < y_min:
        raise ValueError(f"{where}: {said} is inverted")
    if x_max == x_min or y_max == y_min:
        raise ValueError(f"{where}: {said} has no area")
    raise ValueError(f"{where}: {said} lies outside of the picture of {width}x{height} (width x height)")


def inside(folder: Path, name: Any, where: str) -> Path:
    """A file's path below a folder.

    Raises:
        ValueError: if the name is none, or leads out of the folder.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"{where}: a picture's name must be a text, got {name!r}")
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{where}: the name {name!r} leads out of {folder}; refused")
    return path


def painted(masks: Array, labels: Array, crowd: Array, size: tuple[int, int]) -> Array:
    """The semantic mask of objects: smaller ones lie on larger ones; crowds do not count where nothing else is.

    Raises:
        ValueError: for a class whose number has no place in it.
    """
    if labels.max(initial=0) + 1 >= UNLABELLED:
        raise ValueError(
            f"semantic masks hold classes below {UNLABELLED - 1} ({UNLABELLED} does not count), there is class "
            f"{labels.max()}; masks and labels have all"
        )
    semantic = np.zeros(size, np.uint8)
    areas = masks.sum(axis=(1, 2))
    for i in sorted(range(len(masks)), key=lambda i: (not crowd[i], -areas[i])):
        semantic[masks[i]] = UNLABELLED if crowd[i] else labels[i] + 1
    return semantic
