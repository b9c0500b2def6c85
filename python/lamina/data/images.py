"""Pictures in files: one, or folders of them with a folder a class. Needs Pillow: pip install "lamina[images]"."""

from __future__ import annotations

import importlib
import os
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lamina.data import files

Array = Any

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".gif": "GIF", ".ppm": "PPM", ".pgm": "PPM",
           ".webp": "WEBP"}  # fmt: skip
MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
FILTERS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
PIXELS = 1 << 28  # in one picture


def read_image(
    path: str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    color_mode: str = "rgb",
    interpolation: str = "bilinear",
    max_pixels: int = PIXELS,
) -> Array:
    """A picture from a PNG, JPEG, BMP, GIF (the first frame), PPM or WebP file.

    Args:
        path: the file.
        size: (height, width) to resize it to (antialiased); None leaves it.
        color_mode: "grayscale", "rgb" or "rgba".
        interpolation: "nearest", "bilinear", "bicubic", "lanczos", "box" or "hamming".
        max_pixels: refuse larger pictures, by what they declare, before they are unpacked.

    Returns:
        Array (H, W, C), uint8, C = 1, 3 or 4.

    Raises:
        ImportError: without Pillow.
        FileNotFoundError: if there is no such file.
        PermissionError: if it may not be read.
        ValueError: if it is no such picture, damaged, cut short or too large.

    Example:
        >>> import lamina as lm, numpy as np
        >>> from PIL import Image
        >>> Image.fromarray(np.full((4, 6, 3), 7, np.uint8)).save("a.png")
        >>> lm.data.read_image("a.png").shape, lm.data.read_image("a.png", size=(2, 2), color_mode="grayscale").shape
        ((4, 6, 3), (2, 2, 1))
    """
    mode = _mode(color_mode, "read_image")
    _check_how(size, interpolation, "read_image")
    return _decode(Path(path), size, mode, interpolation, max_pixels)


def read_image_folder(
    folder: str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    color_mode: str = "rgb",
    interpolation: str = "bilinear",
    limit: int = files.LIMIT,
) -> tuple[Array, Array, list[str]]:
    """All pictures of a folder that has a folder for each class.

    Classes, and pictures within a class, come in the order of their names. Other files, and names that begin with ".",
    are passed over. Links that lead out of the folder are refused.

    Args:
        folder: the folder of the classes.
        size: (height, width) to resize all to; None needs pictures that are all of one size.
        color_mode: "grayscale", "rgb" or "rgba".
        interpolation: see `read_image`.
        limit: refuse folders whose pictures would take more bytes together.

    Returns:
        x: array (N, H, W, C), uint8.
        y: array (N,), int64: the number of the class.
        The names of the classes.

    Raises:
        ImportError: without Pillow.
        FileNotFoundError: if there is no such folder.
        ValueError: if there are no pictures, one is damaged, sizes differ, or they would be larger than the limit.

    Example:
        >>> import lamina as lm, numpy as np, pathlib
        >>> from PIL import Image
        >>> for kind in ("cat", "dog"):
        ...     pathlib.Path("pets", kind).mkdir(parents=True)
        ...     Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(f"pets/{kind}/1.png")
        >>> x, y, classes = lm.data.read_image_folder("pets")
        >>> x.shape, y.tolist(), classes
        ((2, 4, 4, 3), [0, 1], ['cat', 'dog'])
    """
    mode = _mode(color_mode, "read_image_folder")
    _check_how(size, interpolation, "read_image_folder")
    paths, labels, classes = list_image_folder(folder)
    if size is None:
        size = _decode(Path(paths[0]), None, mode, interpolation, PIXELS).shape[:2]
        resize = None
    else:
        resize = size
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    height, width = (int(n) for n in size)
    files.check_size(Path(folder), f"{len(paths)} pictures", len(paths) * height * width * channels, limit)
    x = np.empty((len(paths), height, width, channels), np.uint8)
    for i, path in enumerate(paths):
        picture = _decode(Path(path), resize, mode, interpolation, PIXELS)
        if picture.shape != x.shape[1:]:
            raise ValueError(
                f"{path}: is {picture.shape[:2]}, but {paths[0]} is {x.shape[1:3]}; give size=(height, width)"
            )
        x[i] = picture
    return x, labels, classes


def list_image_folder(folder: str | os.PathLike[str]) -> tuple[list[str], Array, list[str]]:
    """The pictures of a folder that has a folder for each class, unread: for data that do not fit in memory.

    Args:
        folder: the folder of the classes.

    Returns:
        The paths, their classes (N,) int64, and the names of the classes; ordered by name.

    Raises:
        FileNotFoundError: if there is no such folder.
        PermissionError: if a folder in it may not be read.
        ValueError: if there are no pictures, or a link leads out of the folder.

    Example:
        >>> import lamina as lm, pathlib
        >>> pathlib.Path("fish/cod").mkdir(parents=True)
        >>> _ = pathlib.Path("fish/cod/1.png").write_bytes(b"")
        >>> paths, y, classes = lm.data.list_image_folder("fish")
        >>> data = lm.data.Dataset.from_arrays((paths, y)).map(lambda path, y: (lm.data.read_image(path), y), threads=2)
        >>> len(data), classes
        (1, ['cod'])
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    root = folder.resolve()
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        for path in _files(folder / name):
            if path.suffix.lower() not in FORMATS or path.name.startswith(".") or not path.is_file():
                continue
            if not path.resolve().is_relative_to(root):
                raise ValueError(f"{path}: is a link that leads out of {folder}; refused")
            paths.append(str(path))
            labels.append(label)
    if not paths:
        raise ValueError(f"{folder}: there are no pictures in folders of classes (of {', '.join(FORMATS)})")
    return paths, np.array(labels, np.int64), classes


def _files(folder: Path) -> list[Path]:
    """All files below a folder, by name. Unlike `rglob` it says so where a folder may not be read."""

    def refuse(error: OSError) -> None:
        raise error

    found = os.walk(folder, onerror=refuse)
    return sorted(Path(place, name) for place, _, names in found for name in names)


def _mode(color_mode: str, who: str) -> str:
    if color_mode not in MODES:
        raise ValueError(f'{who}: color_mode must be "grayscale", "rgb" or "rgba", got {color_mode!r}')
    return MODES[color_mode]


def _check_how(size: Any, interpolation: str, who: str) -> None:
    if interpolation not in FILTERS:
        raise ValueError(f"{who}: interpolation must be one of {', '.join(FILTERS)}, got {interpolation!r}")
    if size is None:
        return
    if not isinstance(size, tuple | list) or len(size) != 2 or any(
            isinstance(n, bool) or not hasattr(n, "__index__") or n < 1 for n in size):  # fmt: skip
        raise ValueError(f"{who}: size must be two positive integers, (height, width), got {size!r}")


def _pillow() -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ImportError as error:
        raise ImportError('pictures need Pillow: pip install "lamina[images]"') from error


def _decode(path: Path, size: tuple[int, int] | None, mode: str, interpolation: str, max_pixels: int) -> Array:
    _pillow()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{path}: expected a file of {', '.join(FORMATS)}")
    with open(path, "rb") as file:  # outside of `try`: that it may not be read is no damage
        return _picture(file, path, size, mode, interpolation, max_pixels)


def _picture(
    file: BinaryIO, path: Path, size: tuple[int, int] | None, mode: str, interpolation: str, max_pixels: int
) -> Array:
    pillow = _pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pillow.DecompressionBombWarning)  # max_pixels is checked below
            with pillow.open(file, formats=sorted(set(FORMATS.values()))) as picture:
                if picture.width * picture.height > max_pixels:
                    raise ValueError(f"{picture.width}x{picture.height} pixels, more than the limit of {max_pixels}")
                if picture.mode.startswith("I"):  # 16 bits a pixel, which Pillow would cut off at 255
                    wide = np.asarray(picture, np.int64)
                    picture = pillow.fromarray((wide.clip(0, 65535) >> 8).astype(np.uint8))
                picture = picture.convert(mode)
                if size is not None:
                    height, width = size
                    picture = picture.resize((width, height), getattr(pillow.Resampling, interpolation.upper()))
                array = np.array(picture, np.uint8)
    except (OSError, SyntaxError, ValueError, EOFError, pillow.DecompressionBombError) as error:
        raise ValueError(f"{path}: is no whole picture, or too large: {error}") from None
    return array if array.ndim == 3 else array[..., None]
