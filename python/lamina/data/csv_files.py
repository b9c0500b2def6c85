"""Tables in CSV files."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina.data import files

Array = Any

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
INTEGERS = np.iinfo(np.int64)


def read_csv(
    path: str | os.PathLike[str],
    columns: Sequence[str | int] | None = None,
    header: bool = True,
    delimiter: str = ",",
    missing: float | None = None,
    dtype: Any = "float32",
    encoding: str = "utf-8-sig",
    limit: int = files.LIMIT,
) -> dict[str, Array]:
    """The columns of a table.

    A column of whole numbers becomes int64, one of numbers `dtype`, any other one strings. Values count as missing if
    nothing stands there, or one of NA, N/A, NaN, nan, null, NULL, None, ?.

    Args:
        path: the file.
        columns: names, or numbers from 0 on, of those to read, in that order; all by default.
        header: whether the first line holds the names. Without, they are "0", "1", ...
        delimiter: what stands between values.
        missing: what to put where a value of a column of numbers is missing; None refuses such files.
        dtype: of columns of numbers with a point: "float32" or "float64".
        encoding: of the text.
        limit: refuse files, and columns, of more bytes.

    Returns:
        {name: array (N,)}.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a line has too many or too few values, a value is missing, a column is unknown or asked for
            twice, there is nothing, or the file is no text of that encoding; the line is named where there is one.
        TypeError: for another dtype.

    Example:
        >>> import lamina as lm, pathlib
        >>> _ = pathlib.Path("a.csv").write_text("width,kind\\n1.5,cat\\n2,dog\\n")
        >>> table = lm.data.read_csv("a.csv")
        >>> table["width"].tolist(), table["kind"].tolist()
        ([1.5, 2.0], ['cat', 'dog'])
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    files.check_size(path, "its contents", path.stat().st_size, limit)
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"\0':
        raise ValueError(f"read_csv: delimiter must be one character, no quote and no end of line, got {delimiter!r}")
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise TypeError(f'read_csv: dtype must be "float32" or "float64", got {dtype!r}')
    if isinstance(columns, str):
        raise TypeError(f"read_csv: columns must be a list of names or numbers, got {columns!r}")
    names, rows, lines = _rows(path, header, delimiter, encoding)
    chosen = range(len(names)) if columns is None else [_place(column, names, path) for column in columns]
    if len(set(chosen)) != len(chosen):
        raise ValueError(f"read_csv: columns names one twice: {columns!r}")
    return {names[i]: _column([row[i].strip() for row in rows], names[i], lines, missing, kind, path, limit)
            for i in chosen}  # fmt: skip


def _rows(path: Path, header: bool, delimiter: str, encoding: str) -> tuple[list[str], list[list[str]], list[int]]:
    """Names, rows, and the line of each row."""
    rows: list[list[str]] = []
    lines: list[int] = []
    names: list[str] | None = None
    try:
        with open(path, encoding=encoding, newline="") as file:
            reader = csv.reader(_text(file, path), delimiter=delimiter, strict=True)
            for row in reader:
                if not row:
                    continue
                if names is None:
                    names = [name.strip() for name in row] if header else [str(i) for i in range(len(row))]
                    if len(set(names)) != len(names):
                        raise ValueError(f"{path}: line {reader.line_num}: two columns have one name: {names}")
                    if header:
                        continue
                if len(row) != len(names):
                    raise ValueError(f"{path}: line {reader.line_num}: expected {len(names)} values, got {len(row)}")
                rows.append(row)
                lines.append(reader.line_num)
    except (csv.Error, UnicodeError, LookupError) as error:
        raise ValueError(f"{path}: is no {encoding} table: {error}") from None
    if names is None or not rows:
        raise ValueError(f"{path}: there are no rows")
    return names, rows, lines


def _text(lines: Iterable[str], path: Path) -> Iterator[str]:
    """The lines of a text. One of two bytes a letter, read as one of one, is full of NULs."""
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise ValueError(f"{path}: line {number} holds a NUL: the file is no text, or of another encoding")
        yield line


def _place(column: str | int, names: list[str], path: Path) -> int:
    if isinstance(column, str) and column in names:
        return names.index(column)
    if isinstance(column, int) and not isinstance(column, bool) and 0 <= column < len(names):
        return column
    raise ValueError(f"{path}: there is no column {column!r}; there are {', '.join(names)}")


def _column(
    values: list[str], name: str, lines: list[int], missing: float | None, dtype: np.dtype[Any], path: Path, limit: int
) -> Array:
    numbers = _numbers(values)
    if numbers is None:
        # NumPy gives every string the room of the longest
        size = len(values) * max(map(len, values)) * np.dtype("U1").itemsize
        files.check_size(path, f"the strings of column {name!r}", size, limit)
        return np.array(values)
    if None in numbers:
        if missing is None:
            line = lines[numbers.index(None)]
            raise ValueError(f"{path}: line {line}: column {name!r} has no value; missing= says what to put there")
        return np.array([missing if number is None else number for number in numbers], dtype)
    try:
        whole = [int(value) for value in values]
    except ValueError:
        whole = []
    if whole and INTEGERS.min <= min(whole) and max(whole) <= INTEGERS.max:
        return np.array(whole, np.int64)
    return np.array(numbers, dtype)


def _numbers(values: list[str]) -> list[float | None] | None:
    """The values as numbers, None where one is missing; nothing if one is no number."""
    if any("_" in value for value in values):  # Python reads 1_2 as 12; in a table it is a name
        return None
    try:
        numbers = [None if value in MISSING else float(value) for value in values]
    except ValueError:
        return None
    return [None if number is None or math.isnan(number) else number for number in numbers]  # -nan, NAN, ...
