"""PASCAL VOC's format: a folder of pictures, an XML file of boxes for each, and masks in PNG files with a palette."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from lamina.data import files
from lamina.data.images import PIXELS, _pillow
from lamina.data.labelled import UNLABELLED, LabelledImages, LazyList, checked_box, inside, picture

Array = Any

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
LARGEST_XML = 1 << 24  # bytes


def read_voc(
    folder: str | os.PathLike[str],
    split: str = "train",
    task: str = "detection",
    class_names: Sequence[str] = CLASSES,
    invalid: str = "raise",
) -> LabelledImages:
    """Pictures with boxes, classes and masks from a folder in VOC's format (VOCdevkit/VOC2012, say).

    Boxes are in Annotations/*.xml, counted from 1 with the last pixel inside; here they count from 0 and end one past
    it. Masks are in SegmentationClass/*.png and SegmentationObject/*.png, for the pictures of that task.

    Args:
        folder: the one that has Annotations, ImageSets and JPEGImages.
        split: "train", "val", "trainval", "test": the pictures that ImageSets names.
        task: "detection" reads ImageSets/Main, "segmentation" ImageSets/Segmentation.
        class_names: the classes, in the order of their numbers.
        invalid: "raise" refuses inverted boxes, those without area and those outside of their picture; "drop" leaves
            them out (with "segmentation", the masks keep the file's numbers).

    Returns:
        LabelledImages: pictures and masks are read when asked for; `crowd` is what is marked as difficult.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if one is malformed, declares entities, or does not fit the others; the message names it.
        ImportError: without Pillow, when pictures or masks are asked for.

    Example:
        >>> import lamina as lm, pathlib
        >>> for name in ("Annotations", "ImageSets/Main"):
        ...     pathlib.Path("VOC", name).mkdir(parents=True)
        >>> _ = pathlib.Path("VOC/ImageSets/Main/train.txt").write_text("a\\n")
        >>> _ = pathlib.Path("VOC/Annotations/a.xml").write_text(
        ...     "<annotation><filename>a.jpg</filename><size><width>9</width><height>8</height></size>"
        ...     "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>8</ymax></bndbox>"
        ...     "</object></annotation>")
        >>> cats = lm.data.read_voc("VOC")
        >>> cats.boxes[0].tolist(), cats.class_names[cats.labels[0][0]]
        ([[0.0, 1.0, 5.0, 8.0]], 'cat')

    Reference:
        Everingham et al. 2010, "The PASCAL Visual Object Classes (VOC) Challenge".
    """
    folder = Path(folder)
    sets = {"detection": "Main", "segmentation": "Segmentation"}
    if task not in sets:
        raise ValueError(f'read_voc: task must be "detection" or "segmentation", got {task!r}')
    if invalid not in ("raise", "drop"):
        raise ValueError(f'read_voc: invalid must be "raise" or "drop", got {invalid!r}')
    class_of = {name: label for label, name in enumerate(class_names)}
    if not 0 < len(class_of) == len(class_names) < UNLABELLED:
        raise ValueError("read_voc: class_names must be 1 to 254 different names")
    listed = inside(folder, f"ImageSets/{sets[task]}/{split}.txt", "read_voc")
    if not listed.is_file():
        raise FileNotFoundError(f"there is no file {listed}")
    stems = [
        line.split()[0] for line in listed.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
    ]
    if len(set(stems)) != len(stems):
        raise ValueError(f"{listed}: names a picture twice")
    entries = [_entry(inside(folder, f"Annotations/{stem}.xml", str(listed)), class_of, invalid) for stem in stems]
    sizes = [size for _, size, _, _, _, _ in entries]
    paths = [inside(folder / "JPEGImages", name, str(listed)) for name, *_ in entries]

    def mask_file(kind: str, i: int) -> Array:
        return _indices(folder / kind / f"{stems[i]}.png", sizes[i])

    def semantic_of(i: int) -> Array:
        classes = mask_file("SegmentationClass", i)
        wrong = (classes > len(class_of)) & (classes != UNLABELLED)
        if wrong.any():
            raise ValueError(f"{folder / 'SegmentationClass' / stems[i]}.png: there is no class {classes[wrong][0]}")
        return classes

    def masks_of(i: int) -> Array:
        numbers = mask_file("SegmentationObject", i)
        _, _, _, _, kept, objects = entries[i]
        most = int(numbers[numbers != UNLABELLED].max(initial=0))
        if most > objects:
            raise ValueError(f"{folder / 'SegmentationObject' / stems[i]}.png: has an object {most}, "
                             f"but the annotation has {objects}")  # fmt: skip
        return numbers == np.array(kept, np.int64).reshape(-1, 1, 1)

    return LabelledImages(
        images=LazyList(len(stems), lambda i: picture(paths[i], sizes[i])),
        boxes=[boxes for _, _, boxes, _, _, _ in entries],
        labels=[labels[:, 0] for _, _, _, labels, _, _ in entries],
        masks=LazyList(len(stems), masks_of),
        semantic=LazyList(len(stems), semantic_of),
        class_names=tuple(class_names),
        crowd=[labels[:, 1] == 1 for _, _, _, labels, _, _ in entries],
        paths=paths,
        sizes=sizes,
    )


def parse_xml(path: Path) -> ElementTree.Element:
    """The tree of an XML file that declares nothing: no entities, so that a small file cannot become a large one.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no XML, too large, or has a document type.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    files.check_size(path, "its annotations", path.stat().st_size, LARGEST_XML)

    def refuse(name: str, *_: Any) -> None:
        raise ValueError(f"{path}: declares a document type, {name!r}, which could hold entities; refused")

    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(path.read_bytes(), True)
        return builder.close()
    except expat.ExpatError as error:
        raise ValueError(f"{path}: is no XML, or cut short: {error}") from None


def _entry(
    path: Path, class_of: dict[str, int], invalid: str
) -> tuple[str, tuple[int, int], Array, Array, list[int], int]:
    """Name, size, boxes, (label, difficult), the numbers from 1 of the objects kept, and how many there are in all."""
    tree = parse_xml(path)
    if tree.tag != "annotation":
        raise ValueError(f"{path}: expected <annotation>, got <{tree.tag}>")
    size = int(_number(tree, "size/height", str(path))), int(_number(tree, "size/width", str(path)))
    if min(size) < 1:
        raise ValueError(f"{path}: height and width must be positive, got {size[0]} and {size[1]}")
    boxes, labels, kept = [], [], []
    objects = tree.findall("object")
    for number, found in enumerate(objects, 1):
        name = (found.findtext("name") or "").strip()
        where = f"{path}: object {number} ({name})"
        if name not in class_of:
            raise ValueError(f"{where}: there is no such class among {', '.join(class_of)}")
        x_min, y_min, x_max, y_max = (
            _number(found, f"bndbox/{side}", where) for side in ("xmin", "ymin", "xmax", "ymax")
        )
        try:
            boxes.append(checked_box([x_min - 1, y_min - 1, x_max, y_max], size, where))
        except ValueError:
            if invalid == "raise":
                raise
            continue
        labels.append((class_of[name], int((found.findtext("difficult") or "0").strip() == "1")))
        kept.append(number)
    name = (tree.findtext("filename") or f"{path.stem}.jpg").strip()
    arrays = np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64).reshape(-1, 2)
    return name, size, *arrays, kept, len(objects)


def _number(element: Any, name: str, where: str) -> float:
    text = element.findtext(name)
    try:
        number = float(text)
        if not -1e9 < number < 1e9:  # NaN as well
            raise ValueError(text)
        return number
    except (TypeError, ValueError):
        raise ValueError(f"{where}: expected a number in <{name.replace('/', '><')}>, got {text!r}") from None


def _indices(path: Path, size: tuple[int, int]) -> Array:
    """The numbers (not the colours) of a PNG with a palette, (H, W) uint8."""
    pillow = _pillow()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with pillow.open(path, formats=["PNG"]) as png:
            if (png.height, png.width) != size:
                raise ValueError(f"is {png.height}x{png.width} (height x width), its picture {size[0]}x{size[1]}")
            if png.mode not in ("P", "L", "1") or png.width * png.height > PIXELS:
                raise ValueError(f"expected a palette of up to 256 colours, got mode {png.mode}")
            return np.array(png, np.uint8)
    except (OSError, SyntaxError, ValueError, EOFError, pillow.DecompressionBombError) as error:
        raise ValueError(f"{path}: is no mask for its picture: {error}") from None
