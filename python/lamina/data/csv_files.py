"""Tables in CSV files."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina.data import files

Array = Any

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")


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
        dtype: of columns of numbers with a point.
        encoding: of the text.
        limit: refuse files of more bytes.

    Returns:
        {name: array (N,)}.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a line has too many or too few values, a value is missing, a column is unknown, or there is
            nothing; the line is named.

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
    if len(delimiter) != 1:
        raise ValueError(f"read_csv: delimiter must be one character, got {delimiter!r}")
    names, rows, lines = _rows(path, header, delimiter, encoding)
    chosen = range(len(names)) if columns is None else [_place(column, names, path) for column in columns]
    return {names[i]: _column([row[i] for row in rows], names[i], lines, missing, np.dtype(dtype), path)
            for i in chosen}  # fmt: skip


def _rows(path: Path, header: bool, delimiter: str, encoding: str) -> tuple[list[str], list[list[str]], list[int]]:
    """Names, rows, and the line of each row."""
    rows: list[list[str]] = []
    lines: list[int] = []
    names: list[str] | None = None
    try:
        with open(path, encoding=encoding, newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
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
    except (csv.Error, UnicodeError) as error:
        raise ValueError(f"{path}: is no {encoding} table: {error}") from None
    if names is None or not rows:
        raise ValueError(f"{path}: there are no rows")
    return names, rows, lines


def _place(column: str | int, names: list[str], path: Path) -> int:
    if isinstance(column, str) and column in names:
        return names.index(column)
    if isinstance(column, int) and not isinstance(column, bool) and 0 <= column < len(names):
        return column
    raise ValueError(f"{path}: there is no column {column!r}; there are {', '.join(names)}")


def _column(
    values: list[str], name: str, lines: list[int], missing: float | None, dtype: np.dtype[Any], path: Path
) -> Array:
    values = [value.strip() for value in values]
    absent = [value in MISSING for value in values]
    if any("_" in value for value in values):  # Python reads 1_2 as 12; in a table it is a name
        return np.array(values)
    try:
        numbers = [0.0 if gone else float(value) for gone, value in zip(absent, values, strict=True)]
    except ValueError:
        return np.array(values)
    if any(absent):
        if missing is None:
            line = lines[absent.index(True)]
            raise ValueError(f"{path}: line {line}: column {name!r} has no value; missing= says what to put there")
        return np.array([missing if gone else x for gone, x in zip(absent, numbers, strict=True)], dtype)
    try:
        return np.array([int(value) for value in values], np.int64)
    except (ValueError, OverflowError):
        return np.array(numbers, dtype)
