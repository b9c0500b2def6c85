"""Reading files that may be anything: what every reader here checks before it believes a word of one."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

Array = Any

LIMIT = 1 << 32  # bytes that a reader makes of one file unless its caller says otherwise
DEFLATE = 1032  # deflate packs at most so many bytes into one
CHUNK = 1 << 20


class Bounded:
    """A stream that ends the reading with an error after `limit` bytes: what a packed file unpacks to cannot be known.

    Args:
        stream: where the bytes come from.
        limit: how many may come.
        path: the file, for the error.
    """

    def __init__(self, stream: Any, limit: int, path: Path) -> None:
        self.stream, self.left, self.limit, self.path = stream, limit, limit, path

    def read(self, size: int = -1) -> bytes:
        block = self.stream.read(size if 0 <= size <= self.left else self.left + 1)
        self.left -= len(block)
        if self.left < 0:
            raise ValueError(f"{self.path}: unpacks to more than the limit of {self.limit} bytes")
        return block


@contextmanager
def opened(path: str | os.PathLike[str], limit: int) -> Iterator[tuple[BinaryIO, Path, int | None, int]]:
    """A file, unpacked on the way if it is packed by gzip.

    Yields:
        The stream; the path; how many bytes it holds (None if packed: nobody knows before the end); how many bytes it
        can hold at most.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a packed file is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            yield file, path, size, size
            return
        import gzip  # here, as it takes long and few need it

        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
                yield unpacked, path, None, size * DEFLATE  # type: ignore[misc]
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path}: is packed by gzip, but damaged or cut short: {error}") from None


def check_size(path: Path, what: str, size: int, limit: int) -> None:
    """Raises ValueError if `what` would take more than `limit` bytes."""
    if size > limit:
        raise ValueError(f"{path}: {what} take {size} bytes, more than the limit of {limit}")


def read_exactly(stream: Any, size: int, path: Path, what: str) -> bytes:
    """The next `size` bytes (a few).

    Raises:
        ValueError: if the file ends before.
    """
    data = stream.read(size)
    if len(data) != size:
        raise ValueError(f"{path}: cut short: expected {size} bytes of {what}, got {len(data)}")
    return bytes(data)


def empty(shape: tuple[int, ...], dtype: Any, path: Path) -> Array:
    """An array to be filled. Raises ValueError if none can have the shape: (0, 2**62, 2**62) takes no bytes."""
    try:
        return np.empty(shape, dtype)
    except ValueError as error:
        raise ValueError(f"{path}: an array cannot have shape {shape}: {error}") from None


def read_array(stream: Any, shape: tuple[int, ...], dtype: Any, path: Path) -> Array:
    """The next elements of a stream as an array in native byte order. The caller has checked that it may be so large.

    Raises:
        ValueError: if the file ends before, or no array can have the shape.
    """
    array = empty(shape, dtype, path)
    view = memoryview(array.reshape(-1).view(np.uint8).data) if array.size else memoryview(b"")
    done = 0
    while done < len(view):
        block = stream.read(min(CHUNK, len(view) - done))
        if not block:
            raise ValueError(f"{path}: cut short: expected {len(view)} bytes of data for shape {shape}, got {done}")
        view[done : done + len(block)] = block
        done += len(block)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def check_end(stream: Any, path: Path) -> None:
    """Raises ValueError if anything follows."""
    if stream.read(1):
        raise ValueError(f"{path}: there are bytes after the end of the data")


def safe_name(name: str, path: Path) -> str:
    """The name of an archive's member, which must lie inside of it.

    Raises:
        ValueError: for absolute names and those with "..", backslashes or NUL.
    """
    parts = name.split("/")
    if not name or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or ":" in parts[0]:
        raise ValueError(f"{path}: the archive holds an unsafe name, {name!r}")
    return name


def product(sizes: Any) -> int:
    """The product of sizes, without overflow."""
    return math.prod(int(n) for n in sizes)
