"""Instances in COCO's format: a JSON file of pictures, classes, boxes and masks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lamina.data import files
from lamina.data.images import PIXELS
from lamina.data.labelled import LabelledImages, LazyList, checked_box, inside, painted, picture
from lamina.data.masks import decode_rle, polygon_mask

Array = Any


def read_coco(
    path: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    invalid: str = "raise",
    limit: int = files.LIMIT,
) -> LabelledImages:
    """Pictures with boxes, classes and masks from a file in COCO's format (instances_*.json).

    Classes are numbered from 0 on by their order of id. Pictures without objects have empty arrays. Polygons, runs of
    pixels and packed runs become the masks that COCO's own tools make of them.

    Args:
        path: the JSON file, packed by gzip or not.
        images: the folder of the pictures; None for the file's own folder.
        invalid: "raise" refuses the file for an annotation whose box is inverted, without area or outside of its
            picture, or whose mask has another size; "drop" leaves such annotations out (COCO's own files have a few).
        limit: refuse larger files.

    Returns:
        LabelledImages: pictures and masks are read when asked for.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file; the message names the entry.

    Example:
        >>> import lamina as lm, json, pathlib
        >>> content = {
        ...     "images": [{"id": 1, "file_name": "a.png", "height": 4, "width": 6}],
        ...     "categories": [{"id": 18, "name": "dog"}],
        ...     "annotations": [{"id": 5, "image_id": 1, "category_id": 18, "iscrowd": 0, "bbox": [1, 0, 2, 3],
        ...                      "segmentation": [[1, 0, 3, 0, 3, 3, 1, 3]]}],
        ... }
        >>> _ = pathlib.Path("instances.json").write_text(json.dumps(content))
        >>> pets = lm.data.read_coco("instances.json")
        >>> pets.class_names, pets.boxes[0].tolist(), int(pets.masks[0].sum())
        (('dog',), [[1.0, 0.0, 3.0, 3.0]], 6)

    Reference:
        Lin et al. 2014, "Microsoft COCO: Common Objects in Context", arXiv:1405.0312.
    """
    if invalid not in ("raise", "drop"):
        raise ValueError(f'read_coco: invalid must be "raise" or "drop", got {invalid!r}')
    path = Path(path)
    content = _content(path, limit)
    folder = path.parent if images is None else Path(images)
    pictures, sizes, paths = _pictures(content["images"], path, folder)
    classes = _by_id(content["categories"], path, "categories")
    names = [_name(classes[number], path, number) for number in sorted(classes)]
    class_of = {number: label for label, number in enumerate(sorted(classes))}
    rows: list[list[tuple[Array, int, bool, Any]]] = [[] for _ in paths]
    seen: set[int] = set()
    for place, entry in enumerate(content["annotations"]):
        where = _where(path, place, entry)
        if not isinstance(entry, dict):
            raise ValueError(f"{where}: expected an object, got {entry!r}")
        if "id" in entry:
            if type(entry["id"]) is not int or entry["id"] in seen:
                raise ValueError(f"{where}: the id must be an integer that comes once, got {entry['id']!r}")
            seen.add(entry["id"])
        for key, known in (("image_id", pictures), ("category_id", class_of)):
            if type(entry.get(key)) is not int or entry[key] not in known:
                raise ValueError(f"{where}: there is no {key} {entry.get(key)!r}")
        number = pictures[entry["image_id"]]
        try:
            box = checked_box(_corners(entry.get("bbox"), where), sizes[number], where)
            mask = _mask_maker(entry.get("segmentation"), sizes[number], where)
        except ValueError:
            if invalid == "raise":
                raise
            continue
        rows[number].append((box, class_of[entry["category_id"]], bool(entry.get("iscrowd", 0)), mask))

    def masks_of(i: int) -> Array:
        return np.array([mask() for *_, mask in rows[i]], bool).reshape(-1, *sizes[i])

    labels = [np.array([label for _, label, _, _ in row], np.int64) for row in rows]
    crowd = [np.array([many for _, _, many, _ in row], bool) for row in rows]
    return LabelledImages(
        images=LazyList(len(paths), lambda i: picture(paths[i], sizes[i])),
        boxes=[np.array([box for box, *_ in row], np.float32).reshape(-1, 4) for row in rows],
        labels=labels,
        masks=LazyList(len(paths), masks_of),
        semantic=LazyList(len(paths), lambda i: painted(masks_of(i), labels[i], crowd[i], sizes[i])),
        class_names=tuple(names),
        crowd=crowd,
        paths=paths,
        sizes=sizes,
    )


def _content(path: Path, limit: int) -> dict[str, list[Any]]:
    with files.opened(path, limit) as (stream, _, _, _):
        text = files.Bounded(stream, limit, path).read()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: is no JSON, or cut short: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected an object with images, annotations and categories")
    missing = [key for key in ("images", "annotations", "categories") if not isinstance(content.get(key), list)]
    if missing:
        raise ValueError(f"{path}: expected lists of images, annotations and categories, there is none of "
                         f"{', '.join(missing)}")  # fmt: skip
    return content


def _by_id(entries: list[Any], path: Path, what: str) -> dict[int, Any]:
    """The entries by their ids, which must be integers that come once."""
    found: dict[int, Any] = {}
    for place, entry in enumerate(entries):
        number = entry.get("id") if isinstance(entry, dict) else None
        if type(number) is not int:
            raise ValueError(f"{path}: {what}[{place}]: expected an object with an integer id, got {entry!r:.80}")
        if number in found:
            raise ValueError(f"{path}: {what}[{place}]: the id {number} comes twice")
        found[number] = entry
    return found


def _pictures(entries: list[Any], path: Path, folder: Path) -> tuple[dict[int, int], list[tuple[int, int]], list[Path]]:
    """The place of each id, and the pictures' sizes and paths."""
    by_id = _by_id(entries, path, "images")
    sizes, paths = [], []
    for number, entry in by_id.items():
        size = entry.get("height"), entry.get("width")
        if any(type(n) is not int or n < 1 for n in size):
            raise ValueError(f"{path}: image {number}: height and width must be positive integers, got {size}")
        files.check_size(path, f"the pixels of image {number}", size[0] * size[1], PIXELS)
        sizes.append(size)
        paths.append(inside(folder, entry.get("file_name"), f"{path}: image {number}"))
    return {number: place for place, number in enumerate(by_id)}, sizes, paths


def _name(entry: Any, path: Path, number: int) -> str:
    if not isinstance(entry.get("name"), str):
        raise ValueError(f"{path}: category {number}: the name must be a text, got {entry.get('name')!r}")
    return str(entry["name"])


def _where(path: Path, place: int, entry: Any) -> str:
    number = entry.get("id") if isinstance(entry, dict) else None
    return f"{path}: annotations[{place}]" + (f" (id {number})" if number is not None else "")


def _corners(box: Any, where: str) -> list[float]:
    """x_min, y_min, x_max, y_max of a box that is written as corner, width and height."""
    numbers = isinstance(box, list) and len(box) == 4 and all(type(n) in (int, float) for n in box)
    if not numbers:
        raise ValueError(f"{where}: bbox must be [x, y, width, height], got {box!r}")
    if not all(-1e9 < n < 1e9 for n in box):  # NaN as well
        raise ValueError(f"{where}: bbox must hold numbers of a picture's size, got {box!r:.80}")
    x, y, width, height = box
    return [x, y, x + width, y + height]


def _mask_maker(segmentation: Any, size: tuple[int, int], where: str) -> Callable[[], Array]:
    """What makes the mask when it is asked for; what can be checked without is checked now."""
    if isinstance(segmentation, dict) and list(size) != segmentation.get("size"):
        raise ValueError(f"{where}: the mask's size is {segmentation.get('size')}, the picture's {list(size)}")

    def make() -> Array:
        if segmentation is None:
            raise ValueError(f"{where}: has no segmentation")
        try:
            return decode_rle(segmentation) if isinstance(segmentation, dict) else polygon_mask(segmentation, *size)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None

    return make
