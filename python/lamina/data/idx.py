"""IDX files: MNIST, Fashion-MNIST and their kin. A header of types and sizes, then the numbers, high bytes first."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

from lamina.data import files

Array = Any

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str], limit: int = files.LIMIT) -> Array:
    """The array of an IDX file, packed by gzip or not.

    Args:
        path: the file.
        limit: refuse files whose array would take more bytes.

    Returns:
        Array of the shape and type that the file says, in native byte order.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no IDX file, cut short, has bytes after its end, or would be larger than the limit. Sizes
            are held against the file's before memory is taken.

    Example:
        >>> import lamina as lm, pathlib
        >>> header = bytes([0, 0, 8, 2]) + (2).to_bytes(4) + (3).to_bytes(4)
        >>> _ = pathlib.Path("a.idx").write_bytes(header + bytes(range(6)))
        >>> lm.data.read_idx("a.idx").tolist()
        [[0, 1, 2], [3, 4, 5]]

    Reference:
        LeCun, Cortes & Burges 1998, "The MNIST database of handwritten digits" (the format is described there).
    """
    with files.opened(path, limit) as (stream, path, size, most):
        magic = files.read_exactly(stream, 4, path, "magic number")
        if magic[:2] != b"\0\0" or magic[2] not in TYPES:
            raise ValueError(f"{path}: is no IDX file: it begins with {magic.hex(' ')}")
        if not 1 <= magic[3] <= 8:
            raise ValueError(f"{path}: expected 1 to 8 dimensions, got {magic[3]}")
        header = files.read_exactly(stream, 4 * magic[3], path, "sizes")
        shape = struct.unpack(f">{magic[3]}I", header)
        dtype = np.dtype(TYPES[magic[2]])
        data = files.product(shape) * dtype.itemsize
        files.check_size(path, f"the {shape} elements that it declares", data, limit)
        start = 4 + len(header)
        if (size is not None and size != start + data) or start + data > most:
            found = f"{size - start}" if size is not None else f"at most {most - start}"
            raise ValueError(f"{path}: expected {data} bytes of data for shape {shape}, the file has {found}")
        array = files.read_array(stream, shape, dtype, path)
        files.check_end(stream, path)
        return array


def read_mnist(folder: str | os.PathLike[str]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """MNIST, Fashion-MNIST or another set of that form from a folder with its four files.

    They are named train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte;
    ".gz" may follow, and "." may stand for the second "-".

    Args:
        folder: where they are.

    Returns:
        (x, y), (x_test, y_test): pictures (N, H, W, 1), uint8 from 0 to 255, and labels (N,), int64.

    Raises:
        FileNotFoundError: if one of the files is missing.
        ValueError: if one is damaged, or there are not as many labels as pictures.

    Example:
        >>> import lamina as lm
        >>> lm.data.read_mnist("nowhere")
        Traceback (most recent call last):
        FileNotFoundError: nowhere: there is no train-images-idx3-ubyte or train-images-idx3-ubyte.gz

    Reference:
        LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition"; Xiao, Rasul & Vollgraf 2017,
        "Fashion-MNIST", arXiv:1708.07747.
    """
    parts = []
    for part in ("train", "t10k"):
        places = _find(Path(folder), f"{part}-images-idx3-ubyte"), _find(Path(folder), f"{part}-labels-idx1-ubyte")
        x, y = (read_idx(place) for place in places)
        if x.ndim != 3 or x.dtype != np.uint8:
            raise ValueError(f"{places[0]}: expected pictures (N, H, W) of bytes, got {x.shape}, {x.dtype}")
        if y.shape != x.shape[:1] or y.dtype != np.uint8:
            raise ValueError(f"{places[1]}: expected {len(x)} labels of one byte, got {y.shape}, {y.dtype}")
        parts.append((x[..., None], y.astype(np.int64)))
    return parts[0], parts[1]


def _find(folder: Path, name: str) -> Path:
    for candidate in (name, f"{name}.gz", name.replace("-idx", ".idx"), f"{name.replace('-idx', '.idx')}.gz"):
        if (folder / candidate).is_file():
            return folder / candidate
    raise FileNotFoundError(f"{folder}: there is no {name} or {name}.gz")
