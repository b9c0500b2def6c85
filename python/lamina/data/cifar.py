"""CIFAR-10 and CIFAR-100, in the binary form, in the pickled form, and either in its archive."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lamina.data import files, plain_pickle

Array = Any
Parts = tuple[tuple[Array, Array], tuple[Array, Array]]

PIXELS = 3 * 32 * 32
LIMIT = 1 << 29  # bytes; the sets unpack to about 190 million
MEMBERS = 100


def read_cifar10(path: str | os.PathLike[str]) -> Parts:
    """CIFAR-10: small photographs of ten kinds of things.

    Args:
        path: cifar-10-binary.tar.gz or cifar-10-python.tar.gz as downloaded (read where it lies, never unpacked to
            the disk), or the folder that comes out of one: data_batch_1.bin or data_batch_1, and so on.

    Returns:
        (x, y), (x_test, y_test): pictures (N, 32, 32, 3), uint8, and classes (N,), int64.

    Raises:
        FileNotFoundError: if there is nothing, or parts are missing.
        ValueError: if a part is damaged. Pickles are read as data: one that asks to call anything is refused.

    Example:
        >>> import lamina as lm
        >>> lm.data.read_cifar10("nowhere")
        Traceback (most recent call last):
        FileNotFoundError: there is no file or folder nowhere

    Reference:
        Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
    """
    names = [f"data_batch_{i}" for i in range(1, 6)]
    return _read(Path(path), names, ["test_batch"], 1, 0, 10, ["labels"])


def read_cifar100(path: str | os.PathLike[str], label_mode: str = "fine") -> Parts:
    """CIFAR-100: small photographs of a hundred kinds of things, in twenty groups.

    Args:
        path: cifar-100-binary.tar.gz or cifar-100-python.tar.gz, or the folder that comes out of one.
        label_mode: "fine" for the 100 classes, "coarse" for the 20 groups.

    Returns:
        (x, y), (x_test, y_test): pictures (N, 32, 32, 3), uint8, and classes (N,), int64.

    Raises:
        FileNotFoundError: if there is nothing, or parts are missing.
        ValueError: if a part is damaged, or label_mode is something else.

    Example:
        >>> import lamina as lm
        >>> lm.data.read_cifar100("nowhere", label_mode="middling")
        Traceback (most recent call last):
        ValueError: read_cifar100: label_mode must be "fine" or "coarse", got 'middling'

    Reference:
        Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f'read_cifar100: label_mode must be "fine" or "coarse", got {label_mode!r}')
    fine = label_mode == "fine"
    return _read(Path(path), ["train"], ["test"], 2, int(fine), 100 if fine else 20, [f"{label_mode}_labels"])


def _read(
    path: Path, train: list[str], test: list[str], labels: int, column: int, classes: int, keys: list[str]
) -> Parts:
    """Args: labels is how many label bytes a record has, column which of them counts, keys what pickles call it."""
    found = _members(path, {*train, *test}) if not path.is_dir() else _folder(path, [*train, *test])
    parts = {}
    for name, data in found:
        place = path / name
        if name.removesuffix(".bin") in parts:
            raise ValueError(f"{place}: is there twice")
        if name.endswith(".bin"):
            parts[name[:-4]] = _binary(data, place, labels, column, classes)
        else:
            parts[name] = _pickled(data, place, classes, keys)
    missing = [name for name in [*train, *test] if name not in parts]
    if missing:
        raise FileNotFoundError(f"{path}: parts are missing: {', '.join(missing)} (or {missing[0]}.bin)")
    x, y = (np.concatenate([parts[name][i] for name in train]) for i in range(2))
    x_test, y_test = (np.concatenate([parts[name][i] for name in test]) for i in range(2))
    return (x, y), (x_test, y_test)


def _folder(path: Path, names: list[str]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        for candidate in (f"{name}.bin", name):
            place = path / candidate
            if place.is_file():
                files.check_size(place, "its contents", place.stat().st_size, LIMIT)
                yield candidate, place.read_bytes()
                break


def _members(path: Path, names: set[str]) -> Iterator[tuple[str, bytes]]:
    """The wanted members of a tar archive, packed by gzip or not, read as a stream."""
    import gzip  # here, as it takes long and few need it
    import tarfile

    if not path.is_file():
        raise FileNotFoundError(f"there is no file or folder {path}")
    try:
        with files.opened(path, LIMIT) as (stream, _, _, _):
            bounded: Any = files.Bounded(stream, LIMIT, path)
            with tarfile.open(fileobj=bounded, mode="r|") as archive:
                for count, member in enumerate(archive):
                    files.safe_name(member.name.rstrip("/"), path)
                    if count >= MEMBERS:
                        raise ValueError(f"{path}: the archive has more than {MEMBERS} members")
                    if not (member.isreg() or member.isdir()) or member.issparse():
                        raise ValueError(
                            f"{path}: the archive holds {member.name!r}, a link, a device or a file with holes; refused"
                        )
                    files.check_size(path, f"the contents of {member.name!r}", member.size, LIMIT)
                    name = member.name.rsplit("/", 1)[-1]
                    contents = archive.extractfile(member)
                    if contents is not None and name.removesuffix(".bin") in names:
                        yield name, files.read_exactly(contents, member.size, path, repr(member.name))
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: is no whole tar archive: {error}") from None


def _binary(data: bytes, path: Path, labels: int, column: int, classes: int) -> tuple[Array, Array]:
    record = labels + PIXELS
    if not data or len(data) % record:
        raise ValueError(f"{path}: expected records of {record} bytes, got {len(data)} bytes: cut short or too long")
    rows = np.frombuffer(data, np.uint8).reshape(-1, record)
    return _pictures(rows[:, labels:]), _labels(rows[:, column], len(rows), classes, path)


def _pickled(data: bytes, path: Path, classes: int, keys: list[str]) -> tuple[Array, Array]:
    contents = {k.decode("latin-1") if isinstance(k, bytes) else k: v for k, v in plain_pickle.read(data, path).items()}
    rows = contents.get("data")
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != PIXELS:
        came = f"{rows.shape}, {rows.dtype}" if isinstance(rows, np.ndarray) else type(rows).__name__
        raise ValueError(f"{path}: expected data of shape (N, {PIXELS}), uint8, got {came}")
    labels = contents.get(keys[0])
    if not isinstance(labels, list | np.ndarray):
        raise ValueError(f"{path}: there are no {keys[0]}")
    return _pictures(rows), _labels(labels, len(rows), classes, path)


def _pictures(rows: Array) -> Array:
    """Red, green and blue planes one after the other, as pictures (N, 32, 32, 3)."""
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def _labels(labels: Any, count: int, classes: int, path: Path) -> Array:
    if isinstance(labels, list) and not all(type(value) is int for value in labels):
        raise ValueError(f"{path}: labels must be integers")
    array = np.asarray(labels, np.int64)
    if array.shape != (count,):
        raise ValueError(f"{path}: expected {count} labels, got {array.shape}")
    wrong = np.flatnonzero((array < 0) | (array >= classes))
    if len(wrong):
        raise ValueError(
            f"{path}: label {array[wrong[0]]} of picture {wrong[0]} is outside 0 to {classes - 1}: the file is damaged"
        )
    return array
