"""Pictures changed together with their boxes and masks: flipped, cropped, moved, turned, zoomed, recoloured."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lamina.data import element, resample
from lamina.data.checks import positive, seed_of
from lamina.data.labelled import checked_box
from lamina.data.masks import boxes_of
from lamina.data.sampling import generator

Array = Any

LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class LabelledImage:
    """A picture and what is in it, as one; each method gives a changed one.

    Objects that a change moves out of the picture are dropped with their labels and masks: those of which less than
    `min_visible` is left. Boxes are those around the masks where there are masks; otherwise around the moved corners,
    cut at the picture's edges.

    Args:
        image: (H, W, C), uint8, or floating from 0 to 1.
        boxes: (n, 4): x_min, y_min, x_max, y_max in pixels, the last two one past the object; or None.
        labels: (n,) classes, or None.
        masks: (n, H, W) of bool, or None.
        semantic: (H, W) class numbers, or None. What comes in from outside of the picture is 0.
        crowd: (n,) of bool, or None.

    Raises:
        ValueError: if the parts do not fit together, a box is inverted, has no area or lies outside, classes are no
            whole numbers, or masks hold NaN.

    Example:
        >>> import lamina as lm, numpy as np
        >>> image = np.zeros((8, 10, 3), np.uint8)
        >>> seen = lm.data.LabelledImage(image, boxes=[[1, 2, 4, 6]], labels=[3])
        >>> seen.flip("horizontal").boxes.tolist()
        [[6.0, 2.0, 9.0, 6.0]]
        >>> seen.translate(down=1, right=-3, min_visible=0.5).boxes.tolist()  # a third of it is left
        []
        >>> seen.crop(top=2, left=0, height=4, width=5).boxes.tolist()
        [[1.0, 0.0, 4.0, 4.0]]
    """

    image: Array
    boxes: Array = None
    labels: Array = None
    masks: Array = None
    semantic: Array = None
    crowd: Array = None

    def __post_init__(self) -> None:
        image = np.asarray(self.image)
        if image.ndim != 3 or 0 in image.shape or not (image.dtype == np.uint8 or image.dtype.kind == "f"):
            raise ValueError(f"LabelledImage: image must have shape (H, W, C), uint8 or floating, "
                             f"got {image.shape} of {image.dtype}")  # fmt: skip
        size = image.shape[:2]
        parts: dict[str, Any] = {"image": image}
        if self.boxes is not None:
            boxes = np.asarray(self.boxes, np.float32)
            if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4):
                raise ValueError(f"LabelledImage: boxes must have shape (n, 4), got {boxes.shape}")
            parts["boxes"] = np.array(
                [checked_box(box, size, f"LabelledImage: box {i}") for i, box in enumerate(boxes)], np.float32
            ).reshape(-1, 4)
        if self.masks is not None:
            given = np.asarray(self.masks)
            if (given != given).any():
                raise ValueError("LabelledImage: masks hold NaN")
            parts["masks"] = masks = given.astype(bool, copy=False)
            if masks.ndim != 3 or masks.shape[1:] != size:
                raise ValueError(f"LabelledImage: masks must have shape (n, {size[0]}, {size[1]}), the picture's size, "
                                 f"got {masks.shape}")  # fmt: skip
        if self.labels is not None:
            parts["labels"] = _whole(self.labels, "labels").astype(np.int64, copy=False).reshape(-1)
        if self.crowd is not None:
            parts["crowd"] = np.asarray(self.crowd, bool).reshape(-1)
        counts = {name: len(part) for name, part in parts.items() if name != "image"}
        if len(set(counts.values())) > 1:
            raise ValueError(f"LabelledImage: expected as many of each, got {counts}")
        if self.semantic is not None:
            parts["semantic"] = _whole(self.semantic, "semantic")
            if parts["semantic"].shape != size:
                raise ValueError(f"LabelledImage: semantic must have the picture's size, {size}, "
                                 f"got {parts['semantic'].shape}")  # fmt: skip
        for name, part in parts.items():
            object.__setattr__(self, name, part)

    def flip(self, mode: str = "horizontal") -> LabelledImage:
        """Left and right change places ("horizontal"), or top and bottom ("vertical")."""
        if mode not in ("horizontal", "vertical"):
            raise ValueError(f'flip: mode must be "horizontal" or "vertical", got {mode!r}')
        along = 1 if mode == "horizontal" else 0
        changed: dict[str, Any] = {"image": np.flip(self.image, along)}
        if self.masks is not None:
            changed["masks"] = np.flip(self.masks, along + 1)
        if self.semantic is not None:
            changed["semantic"] = np.flip(self.semantic, along)
        if self.boxes is not None:
            least, most = (0, 2) if along else (1, 3)
            changed["boxes"] = boxes = self.boxes.copy()
            boxes[:, [least, most]] = self.image.shape[along] - self.boxes[:, [most, least]]
        return replace(self, **{name: np.ascontiguousarray(part) for name, part in changed.items()})

    def crop(self, top: int, left: int, height: int, width: int, min_visible: float = 0.25) -> LabelledImage:
        """The part of the picture from a row and a column on."""
        full = self.image.shape
        positive(height, "crop: height")
        positive(width, "crop: width")
        if not (0 <= top <= full[0] - height and 0 <= left <= full[1] - width):
            raise ValueError(f"crop: {height}x{width} pixels from row {top} and column {left} on "
                             f"do not lie in a picture of {full[0]}x{full[1]}")  # fmt: skip
        rows, columns = slice(top, top + height), slice(left, left + width)
        boxes = None if self.boxes is None else self.boxes - np.array([left, top] * 2, np.float32)
        masks = None if self.masks is None else self.masks[:, rows, columns]
        semantic = None if self.semantic is None else self.semantic[rows, columns]
        return self._with(self.image[rows, columns], boxes, masks, semantic, 1.0, min_visible)

    def translate(self, down: float = 0.0, right: float = 0.0, **how: Any) -> LabelledImage:
        """Moved by pixels; `how` as for `transform`."""
        return self.transform(resample.translations(np.float64(down), np.float64(right)), **how)

    def rotate(self, turns: float, **how: Any) -> LabelledImage:
        """Turned about its middle, counterclockwise, by full turns; `how` as for `transform`."""
        return self.transform(resample.rotations(np.float64(turns), *self.image.shape[:2]), **how)

    def zoom(self, factor: float, **how: Any) -> LabelledImage:
        """Shown larger (of 2: twice) or smaller about its middle; `how` as for `transform`."""
        if not factor > 0:
            raise ValueError(f"zoom: factor must be positive, got {factor}")
        inverse = np.float64(1 / factor)
        return self.transform(resample.zooms(inverse, inverse, *self.image.shape[:2]), **how)

    def transform(self, matrix: Any, fill: float = 0.0, min_visible: float = 0.25) -> LabelledImage:
        """Seen through an affine map: y[row, column] = x[b0 column + b1 row + b2, a0 column + a1 row + a2].

        Args:
            matrix: (6,): a0, a1, a2, b0, b1, b2, as `lamina.ops.affine_transform` takes them.
            fill: the value of the picture that comes in from outside.
            min_visible: the least share of an object that must be left, from 0 to 1.

        Raises:
            ValueError: if the map has no inverse.
        """
        a = np.asarray(matrix, np.float64)
        if a.shape != (6,) or not np.isfinite(a).all():
            raise ValueError(f"transform: matrix must be 6 finite numbers, got shape {a.shape}")
        scale = a[0] * a[4] - a[1] * a[3]
        if scale == 0:
            raise ValueError("transform: the map has no inverse")

        def seen(layers: Array, interpolation: str, value: float) -> Array:
            """(n, H, W, C) through the map."""
            maps = np.broadcast_to(a, (len(layers), 6))
            return resample.affine(layers.astype(np.float32), maps, interpolation, "constant", value)

        image = seen(self.image[None], "bilinear", fill)[0]
        if self.image.dtype == np.uint8:
            image = np.rint(image).clip(0, 255)
        masks, semantic = self.masks, self.semantic
        if masks is not None:
            masks = seen(masks[..., None], "nearest", 0.0)[..., 0] > 0.5
        if semantic is not None:
            semantic = seen(semantic[None, ..., None], "nearest", 0.0)[0, ..., 0].astype(semantic.dtype)
        boxes = None if self.boxes is None else _corners_moved(self.boxes, a)
        return self._with(image.astype(self.image.dtype), boxes, masks, semantic, 1 / abs(scale), min_visible)

    def recolor(self, brightness: float = 0.0, contrast: float = 1.0, saturation: float = 1.0) -> LabelledImage:
        """Other colours at the same places: values v become (v - mean) contrast + mean + brightness, cut to the range.

        Args:
            brightness: in ranges of values: 0.1 adds a tenth of white.
            contrast: 1 leaves them.
            saturation: 0 is grey, 1 leaves them; for pictures of three channels.

        Raises:
            ValueError: for numbers that are not finite.
        """
        if not math.isfinite(brightness + contrast + saturation):
            raise ValueError(
                "recolor: brightness, contrast and saturation must be finite, got "
                f"{brightness}, {contrast} and {saturation}"
            )
        most = 255.0 if self.image.dtype == np.uint8 else 1.0
        values = self.image.astype(np.float64)
        if saturation != 1.0 and values.shape[2] == 3:
            grey = LUMA[0] * values[..., :1] + LUMA[1] * values[..., 1:2] + LUMA[2] * values[..., 2:]
            values = grey + saturation * (values - grey)
        mean = values.mean()
        values = ((values - mean) * contrast + mean + brightness * most).clip(0, most)
        return replace(self, image=(np.rint(values) if most == 255 else values).astype(self.image.dtype))

    def _with(
        self, image: Array, boxes: Array, masks: Array, semantic: Array, scale: float, min_visible: float
    ) -> LabelledImage:
        """The moved parts, without the objects of which too little is left; areas have grown by `scale`."""
        if not 0 <= min_visible <= 1:
            raise ValueError(f"LabelledImage: min_visible must be from 0 to 1, got {min_visible}")
        height, width = image.shape[:2]
        kept = None
        if masks is not None:
            before = self.masks.sum(axis=(1, 2)) * scale
            left = masks.sum(axis=(1, 2))
            kept = (left > 0) & (left >= min_visible * before)
            masks, boxes = masks[kept], None if boxes is None else boxes_of(masks)
        elif boxes is not None:
            clipped = np.clip(boxes, 0, np.array([width, height] * 2, np.float32))
            kept = (_areas(clipped) >= 1) & (_areas(clipped) >= min_visible * _areas(boxes))
            boxes = clipped
        if kept is None:
            return replace(self, image=image, semantic=semantic)
        labels, crowd = (None if part is None else part[kept] for part in (self.labels, self.crowd))
        return LabelledImage(image, None if boxes is None else boxes[kept], labels, masks, semantic, crowd)


class Augment:
    """Changes a `LabelledImage` at random: flips, zooms, moves and turns it at once, and recolours it.

    Within `Dataset.map` the draws go by the element, the same for any number of threads; otherwise by the seed and the
    number of the call.

    Args:
        flip: the share of pictures that change left and right.
        flip_vertical: the share that change top and bottom.
        zoom: (least, most): 1.25 shows them a quarter larger.
        shift: how far they move, in heights and widths, either way.
        rotation: how far they turn, in full turns, either way.
        brightness: how far values move, in ranges of values, either way.
        contrast: (least, most).
        saturation: (least, most), for pictures of three channels.
        fill: of what comes in from outside.
        min_visible: objects of which less is left are dropped.
        seed: of the draws.

    Example:
        >>> import lamina as lm, numpy as np
        >>> scenes = lm.data.load_scenes(count=1, size=(64, 64))
        >>> seen = lm.data.LabelledImage(scenes.images[0], scenes.boxes[0], scenes.labels[0], scenes.masks[0])
        >>> augment = lm.data.Augment(rotation=0.05, seed=1)
        >>> changed = augment(seen)
        >>> changed.image.shape, len(changed.boxes) == len(changed.labels) == len(changed.masks)
        ((64, 64, 3), True)
    """

    def __init__(
        self,
        flip: float = 0.5,
        flip_vertical: float = 0.0,
        zoom: tuple[float, float] = (0.8, 1.25),
        shift: float = 0.1,
        rotation: float = 0.0,
        brightness: float = 0.1,
        contrast: tuple[float, float] = (0.8, 1.25),
        saturation: tuple[float, float] = (0.8, 1.25),
        fill: float = 0.0,
        min_visible: float = 0.25,
        seed: int = 0,
    ) -> None:
        shares = {"flip": flip, "flip_vertical": flip_vertical, "min_visible": min_visible}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"Augment: {name} must be from 0 to 1, got {share!r}")
        for name, pair, least in (("zoom", zoom, 1e-3), ("contrast", contrast, 0), ("saturation", saturation, 0)):
            if not isinstance(pair, tuple | list) or len(pair) != 2 or not least <= pair[0] <= pair[1] < math.inf:
                raise ValueError(f"Augment: {name} must be (least, most), at least {least:g}, finite, got {pair!r}")
        for name, value in (("shift", shift), ("rotation", rotation), ("brightness", brightness)):
            if not 0 <= value <= 1:
                raise ValueError(f"Augment: {name} must be from 0 to 1, got {value!r}")
        if not math.isfinite(fill):
            raise ValueError(f"Augment: fill must be finite, got {fill!r}")
        self.flip, self.flip_vertical = flip, flip_vertical
        self.zoom, self.contrast, self.saturation = tuple(zoom), tuple(contrast), tuple(saturation)
        self.shift, self.rotation, self.brightness = shift, rotation, brightness
        self.fill, self.min_visible, self.seed = fill, min_visible, seed_of(seed, "Augment")
        self._calls = 0

    def __call__(self, seen: LabelledImage) -> LabelledImage:
        if not isinstance(seen, LabelledImage):
            raise TypeError(f"Augment: expected a LabelledImage, got {type(seen).__name__}")
        draw = self._generator()
        chances = draw.random(9)
        zoom, contrast, saturation = (
            low + share * (high - low)
            for share, (low, high) in zip(chances[2:5], (self.zoom, self.contrast, self.saturation), strict=True)
        )
        down, right, turns, brightness = (
            (2 * share - 1) * most
            for share, most in zip(chances[5:], (self.shift, self.shift, self.rotation, self.brightness), strict=True)
        )
        for mode, chance, share in zip(
            ("horizontal", "vertical"), chances, (self.flip, self.flip_vertical), strict=False
        ):
            seen = seen.flip(mode) if chance < share else seen
        height, width = seen.image.shape[:2]
        inverse = np.float64(1 / zoom)
        maps = (
            resample.translations(np.float64(down * height), np.float64(right * width)),
            resample.rotations(np.float64(turns), height, width),
            resample.zooms(inverse, inverse, height, width),
        )
        whole = _after(_after(maps[0], maps[1]), maps[2])
        if (whole != (1, 0, 0, 0, 1, 0)).any():
            seen = seen.transform(whole, self.fill, self.min_visible)
        return seen.recolor(brightness, contrast, saturation)

    def _generator(self) -> np.random.Generator:
        place = element.next_draw()
        if place is not None:
            return generator(element.mixed(place[0], self.seed), place[1])
        self._calls += 1
        return generator(self.seed, self._calls)


def _whole(values: Any, name: str) -> Array:
    """Classes as an array; ValueError for other numbers than whole ones."""
    array = np.asarray(values)
    if array.dtype.kind not in "biu" and (array.dtype.kind != "f" or not (array == np.floor(array)).all()):
        raise ValueError(f"LabelledImage: {name} must hold whole numbers, classes, got {array.dtype}: {values!r:.100}")
    return array


def _after(first: Array, second: Array) -> Array:
    """The map that looks through the first, and from there through the second."""
    a0, a1, a2, b0, b1, b2 = first
    c0, c1, c2, d0, d1, d2 = second
    return np.array([
        c0 * a0 + c1 * b0, c0 * a1 + c1 * b1, c0 * a2 + c1 * b2 + c2,
        d0 * a0 + d1 * b0, d0 * a1 + d1 * b1, d0 * a2 + d1 * b2 + d2,
    ])  # fmt: skip


def _corners_moved(boxes: Array, a: Array) -> Array:
    """The smallest boxes around the corners, where the inverse of the map puts them; not clipped."""
    scale = a[0] * a[4] - a[1] * a[3]
    x = boxes[:, [0, 2, 0, 2]].astype(np.float64) - 0.5 - a[2]  # a pixel's middle is at a whole number in the map
    y = boxes[:, [1, 1, 3, 3]].astype(np.float64) - 0.5 - a[5]
    u, v = (a[4] * x - a[1] * y) / scale + 0.5, (a[0] * y - a[3] * x) / scale + 0.5
    return np.stack([u.min(axis=1), v.min(axis=1), u.max(axis=1), v.max(axis=1)], 1).astype(np.float32)


def _areas(boxes: Array) -> Array:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
