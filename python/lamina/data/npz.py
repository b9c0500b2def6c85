"""NumPy's .npz archives, read as data: no pickles, and no more memory than the file deserves."""

from __future__ import annotations

import os
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lamina.data import files

Array = Any

KINDS = "biufcSUMm"


def read_npz(path: str | os.PathLike[str], limit: int = files.LIMIT) -> dict[str, Array]:
    """The arrays of an .npz file.

    Args:
        path: the file.
        limit: refuse files whose arrays would take more bytes together.

    Returns:
        {name: array}, in native byte order.

    Raises:
        FileNotFoundError: if there is no such file.
        PermissionError: if it may not be read.
        ValueError: if it is no .npz file or damaged, an array holds Python objects (pickles are never read), sizes do
            not agree, or the arrays would be larger than the limit.

    Example:
        >>> import lamina as lm, numpy as np
        >>> np.savez("a.npz", x=np.arange(3), y=np.ones(2))
        >>> lm.data.read_npz("a.npz")["x"].tolist()
        [0, 1, 2]
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with open(path, "rb") as file:  # outside of `try`: that it may not be read is no damage
        return _arrays(file, path, limit)


def _arrays(file: BinaryIO, path: Path, limit: int) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = [files.safe_name(member.filename, path) for member in members]
            if len(set(names)) != len(names):
                raise ValueError(f"{path}: the archive holds two arrays of one name")
            files.check_size(path, "its arrays", sum(member.file_size for member in members), limit)
            for member in members:
                if member.file_size > member.compress_size * files.DEFLATE + 64:
                    raise ValueError(f"{path}: {member.filename} claims to unpack to {member.file_size} bytes, "
                                     f"more than {member.compress_size} packed bytes can hold")  # fmt: skip
            return {member.filename.removesuffix(".npy"): _member(archive, member, path) for member in members}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, KeyError,
            OverflowError) as error:  # fmt: skip
        raise ValueError(f"{path}: is no whole .npz file: {error}") from None


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Array:
    place = Path(f"{path}[{member.filename}]")
    if not member.filename.endswith(".npy"):
        raise ValueError(f"{place}: expected arrays (.npy) only")
    with archive.open(member) as stream:
        header = files.read_exactly(stream, 8, place, "header")
        if header[:6] != b"\x93NUMPY" or header[6] not in (1, 2, 3) or header[7]:
            raise ValueError(f"{place}: is no .npy array: it begins with {header.hex(' ')}")
        shape, fortran, dtype = _header(stream, header[6], place)
        if dtype.hasobject or dtype.kind not in KINDS or dtype.fields is not None:
            raise ValueError(f"{place}: holds {dtype}; only numbers and strings are read, never Python objects")
        data = files.product(shape) * dtype.itemsize
        left = member.file_size - stream.tell()
        if data != left:
            raise ValueError(f"{place}: expected {data} bytes of data for shape {shape}, {dtype}, got {left}")
        if dtype.itemsize == 0:  # strings of no letters: a file of no size may claim any number
            if files.product(shape) > files.CHUNK:
                raise ValueError(f"{place}: an array cannot have shape {shape}: it would be of empty strings alone")
            array = files.empty(shape, dtype, place)
            array.fill("")
            return array
        array = files.read_array(stream, shape[::-1] if fortran else shape, dtype, place)
        files.check_end(stream, place)
        return array.T if fortran else array


def _header(stream: Any, version: int, path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    reader = np.lib.format.read_array_header_1_0 if version == 1 else np.lib.format.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            shape, fortran, dtype = reader(stream)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, tokenize.TokenError, UserWarning) as error:
        raise ValueError(f"{path}: the header of the array is damaged: {error}") from None
    if any(n < 0 for n in shape) or len(shape) > 32:
        raise ValueError(f"{path}: an array cannot have shape {shape}")
    return shape, fortran, dtype
