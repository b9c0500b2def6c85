"""Pictures and their objects as detectors take them: any sizes in, one padded batch out, and the answers' way back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from lamina import ops
from lamina.layers.checks import positive
from lamina.metrics.metric import array_of
from lamina.models.batches import permutation

Array = Any
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures
MULTIPLE = 32  # of the padded sizes: the network's largest stride between maps that are added


class Prepared(NamedTuple):
    """Pictures as a network takes them.

    Attributes:
        images: array (N, H, W, C), float32, zeros around each picture.
        sizes: height and width of each picture in it.
        originals: height and width of each picture before.
    """

    images: Array
    sizes: list[tuple[int, int]]
    originals: list[tuple[int, int]]


def picture_list(images: Any, channels: int | None, owner: str) -> list[Array]:
    """Pictures (H, W, C) of any sizes as float32 from 0 to 1: an array of them, or a list.

    Raises:
        ValueError: for no pictures, other shapes or channels, or floats beyond 0 and 1.
        TypeError: for another dtype than uint8 or one of floats.
    """
    pictures = [array_of(image) for image in images]
    if not pictures:
        raise ValueError(f"{owner}: there are no images")
    found = []
    for number, image in enumerate(pictures):
        if image.ndim != 3 or 0 in image.shape or channels not in (None, image.shape[2]):
            wanted = "channels" if channels is None else channels
            raise ValueError(f"{owner}: image {number} must have shape (height, width, {wanted}), got {image.shape}")
        if image.dtype == np.uint8:
            image = image.astype(np.float32) / np.float32(255)
        elif image.dtype.kind != "f":
            raise TypeError(f"{owner}: image {number} must be uint8, or floats from 0 to 1, got {image.dtype}")
        elif not (image.min() >= 0 and image.max() <= 1):
            raise ValueError(f"{owner}: image {number} must have values from 0 to 1 (or be uint8)")
        found.append(image.astype(np.float32))
    return found


def prepare(pictures: Sequence[Array], min_size: int, max_size: int, mean: Any, deviation: Any) -> Prepared:
    """Pictures normalised, resized and padded to one batch.

    The shorter side becomes min_size, unless the longer one would pass max_size; sizes round down. Bilinear, as
    torchvision.

    Args:
        pictures: arrays (H, W, C), float32 from 0 to 1.
        min_size, max_size: pixels.
        mean, deviation: of each channel.

    Returns:
        Prepared.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.detection_images import prepare
        >>> pictures = [np.ones((10, 20, 3), "float32"), np.ones((30, 20, 3), "float32")]
        >>> batch = prepare(pictures, 40, 70, (0, 0, 0), (1, 1, 1))
        >>> batch.images.shape, batch.sizes
        ((2, 64, 96, 3), [(35, 70), (60, 40)])
    """
    resized = []
    for image in pictures:
        height, width = image.shape[:2]
        scale = min(min_size / min(height, width), max_size / max(height, width))
        size = max(1, math.floor(height * scale)), max(1, math.floor(width * scale))
        normal = (image - np.asarray(mean, np.float32)) / np.asarray(deviation, np.float32)
        resized.append(normal if size == (height, width) else ops.resize(normal, size).numpy())
    sizes = [(image.shape[0], image.shape[1]) for image in resized]
    height, width = (-(-max(size[axis] for size in sizes) // MULTIPLE) * MULTIPLE for axis in (0, 1))
    batch = np.zeros((len(resized), height, width, resized[0].shape[2]), np.float32)
    for place, image in zip(batch, resized, strict=True):
        place[: image.shape[0], : image.shape[1]] = image
    return Prepared(batch, sizes, [(image.shape[0], image.shape[1]) for image in pictures])


def rescaled(boxes: Array, before: tuple[int, int], after: tuple[int, int]) -> Array:
    """Boxes (n, 4) of a picture of one size in a picture of another; sizes are heights and widths."""
    down, across = (np.float32(b) / np.float32(a) for a, b in zip(before, after, strict=True))
    return boxes * np.array([across, down, across, down], np.float32)


def target_list(targets: Any, pictures: Sequence[Array], classes: int, owner: str) -> list[dict[str, Array]]:
    """What is in each picture, checked: dictionaries of boxes (n, 4), labels (n,) and masks (n, H, W).

    Args:
        targets: a list of such dictionaries, as torchvision's; or one dictionary of lists.
        pictures: what they are about.
        classes: how many, background (0) included.
        owner: for errors.

    Raises:
        ValueError: for missing keys, shapes that do not fit, boxes that are inverted, empty or outside the picture, and
            labels that are no class, and masks that hold NaN.
        TypeError: for labels that are no integers, and targets that are no dictionaries.
    """
    keys = ("boxes", "labels", "masks")
    if isinstance(targets, dict):
        _need(targets, keys, f"{owner}: targets")
        counts = [len(targets[key]) for key in keys]
        if len(set(counts)) != 1:
            raise ValueError(f"{owner}: targets must hold as many boxes, labels and masks as images, got {counts}")
        targets = [dict(zip(keys, parts, strict=True)) for parts in zip(*(targets[k] for k in keys), strict=True)]
    if len(targets) != len(pictures):
        raise ValueError(f"{owner}: there are {len(pictures)} images and targets for {len(targets)}")
    found = []
    for number, (target, image) in enumerate(zip(targets, pictures, strict=True)):
        where = f"{owner}: target {number}"
        _need(target, keys, where)
        boxes, labels, masks = (array_of(target[k]) for k in keys)
        height, width = image.shape[:2]
        count = labels.size
        if not count:  # an empty list has no shape to speak of
            labels = np.zeros(0, np.int64)
            boxes = boxes if boxes.size else np.zeros((0, 4))
            masks = masks if masks.size else np.zeros((0, height, width), bool)
        if boxes.shape != (count, 4) or labels.shape != (count,):
            raise ValueError(f"{where}: boxes must have shape (n, 4), labels (n,), got {boxes.shape}, {labels.shape}")
        if masks.shape != (count, height, width):
            raise ValueError(f"{where}: masks must have shape {(count, height, width)}, got {masks.shape}")
        if (masks != masks).any():
            raise ValueError(f"{where}: masks hold NaN")
        if labels.dtype.kind not in "iu":
            raise TypeError(f"{where}: labels must be integers, got {labels.dtype}")
        if count and not 1 <= labels.min() <= labels.max() < classes:
            raise ValueError(
                f"{where}: labels must be from 1 to {classes - 1} (0 is background), got {labels.tolist()}"
            )
        for box in boxes:
            if not (box[0] < box[2] and box[1] < box[3]):
                raise ValueError(f"{where}: boxes must have x_min < x_max and y_min < y_max, got {box.tolist()}")
            if not (box[:2].min() >= 0 and box[2] <= width and box[3] <= height):
                raise ValueError(f"{where}: boxes must lie in the image of {height} x {width}, got {box.tolist()}")
        found.append({"boxes": boxes.astype(np.float32), "labels": labels.astype(np.int64), "masks": masks != 0})
    return found


def _need(target: Any, keys: Sequence[str], where: str) -> None:
    if not isinstance(target, dict):
        raise TypeError(f"{where} must be a dictionary of boxes, labels and masks, got {type(target).__name__}")
    missing = [key for key in keys if key not in target]
    if missing:
        raise ValueError(f"{where} must hold boxes, labels and masks; missing: {', '.join(missing)}")


def rescaled_targets(targets: Sequence[dict[str, Array]], batch: Prepared) -> list[dict[str, Array]]:
    """Checked targets in the pixels of the prepared pictures; masks by the nearest pixel."""
    found = []
    for target, size, before in zip(targets, batch.sizes, batch.originals, strict=True):
        rows, columns = (np.arange(n) * old // n for n, old in zip(size, before, strict=True))
        masks = target["masks"][:, rows[:, None], columns]
        found.append(target | {"boxes": rescaled(target["boxes"], before, size), "masks": masks})
    return found


def paste_masks(masks: Array, boxes: Array, size: tuple[int, int]) -> Array:
    """Small masks, each of its box, brought into the picture: bilinear, as torchvision.

    Args:
        masks: array (n, m, m), float32.
        boxes: array (n, 4), float32, in pixels of the picture.
        size: the picture's height and width.

    Returns:
        Array (n, height, width), float32.

    Example:
        >>> import numpy as np
        >>> from lamina.applications.detection_images import paste_masks
        >>> pasted = paste_masks(np.ones((1, 28, 28), "float32"), np.array([[2, 6, 30, 34]], "float32"), (40, 32))
        >>> rows, columns = np.nonzero(pasted[0] > 0.5)
        >>> int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())
        (6, 34, 2, 30)
    """
    pasted = np.zeros((len(masks), *size), np.float32)
    if not len(masks):
        return pasted
    side = masks.shape[1]
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1)))  # so that a mask fades out around its box
    half = np.float32(0.5)
    centre, reach = (boxes[:, 2:] + boxes[:, :2]) * half, (boxes[:, 2:] - boxes[:, :2]) * half
    reach = reach * np.float32((side + 2) / side)
    corners = np.concatenate([centre - reach, centre + reach], 1).astype(np.int64)
    for to, mask, (left, top, right, bottom) in zip(pasted, padded, corners.tolist(), strict=True):
        height, width = max(bottom - top + 1, 1), max(right - left + 1, 1)
        whole = ops.resize(mask[..., None], (height, width)).numpy()[..., 0]
        rows = slice(max(top, 0), min(top + height, size[0]))
        columns = slice(max(left, 0), min(left + width, size[1]))
        if rows.start < rows.stop and columns.start < columns.stop:
            to[rows, columns] = whole[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return pasted


class DetectionBatches:
    """Pictures and their objects in batches, for `fit`: (list of images, dictionary of lists).

    Args:
        images: N arrays (H, W, C), of any sizes.
        boxes: N arrays (n_i, 4): corners in pixels.
        labels: N arrays (n_i,): classes from 1 on; 0 is background.
        masks: N arrays (n_i, H, W).
        batch_size: pictures a batch; the last may be smaller.
        shuffle: whether each pass has a new order, by `lamina.set_seed`.

    Raises:
        ValueError: if the lengths differ, or there are no pictures.

    Example:
        >>> import lamina as lm
        >>> scenes = lm.data.load_scenes(5, (64, 64))
        >>> labels = [label + 1 for label in scenes.labels]
        >>> batches = lm.applications.DetectionBatches(scenes.images, scenes.boxes, labels, scenes.masks, 2)
        >>> [len(images) for images, targets in batches]
        [2, 2, 1]
    """

    def __init__(
        self, images: Any, boxes: Any, labels: Any, masks: Any, batch_size: int = 2, shuffle: bool = True
    ) -> None:
        counts = [len(part) for part in (images, boxes, labels, masks)]
        if len(set(counts)) != 1 or not counts[0]:
            raise ValueError(f"DetectionBatches: images, boxes, labels and masks must be as many, got {counts}")
        self.images, self.targets = images, {"boxes": boxes, "labels": labels, "masks": masks}
        self.batch_size = positive(batch_size, "DetectionBatches", "batch_size")
        self.shuffle = shuffle

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[list[Array], dict[str, list[Array]]]]:
        count = len(self.images)
        order = permutation(count) if self.shuffle else np.arange(count)
        for start in range(0, count, self.batch_size):
            part = order[start : start + self.batch_size].tolist()
            yield [self.images[i] for i in part], {k: [of[i] for i in part] for k, of in self.targets.items()}
