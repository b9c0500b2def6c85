"""Text from files and bytes: UTF-8, and where it is broken."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lamina.data import files


def read_text(path: str | os.PathLike[str], errors: str = "strict", limit: int = files.LIMIT) -> str:
    """The text of a file in UTF-8, with or without a byte order mark; ends of lines become "\\n".

    Args:
        path: the file.
        errors: "strict" refuses bytes that are no UTF-8; "replace" puts U+FFFD in their place.
        limit: refuse files of more bytes.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for bytes that are no UTF-8: the file and the place are named. For another `errors`; too large a
            file.

    Example:
        >>> import lamina as lm, pathlib
        >>> _ = pathlib.Path("a.txt").write_bytes(b"\\xc3\\xa9t\\xc3\\xa9 \\xff")
        >>> lm.data.read_text("a.txt", errors="replace")
        'été \\ufffd'
        >>> lm.data.read_text("a.txt")
        Traceback (most recent call last):
        ValueError: a.txt: byte 0xff at offset 6 is no UTF-8 (invalid start byte); errors="replace" reads it as U+FFFD
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    files.check_size(path, "its contents", path.stat().st_size, limit)
    text = decoded(path.read_bytes(), str(path), errors).removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decoded(text: Any, who: str, errors: str = "strict") -> str:
    """A string, of a string or of bytes in UTF-8. Half a surrogate pair in a string counts as broken.

    Raises:
        TypeError: for anything else.
        ValueError: where it is broken, by name and offset, unless errors="replace"; for another `errors`.
    """
    if errors not in ("strict", "replace"):
        raise ValueError(f'{who}: errors must be "strict" or "replace", got {errors!r}')
    if isinstance(text, str):
        if text.isascii():
            return text
        try:
            text.encode()
        except UnicodeEncodeError as error:
            if errors == "strict":
                raise ValueError(
                    f"{who}: character {error.start}, U+{ord(text[error.start]):04X}, is half a surrogate pair, no "
                    'text; errors="replace" reads it as U+FFFD'
                ) from None
            return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
        return str(text)
    if not isinstance(text, bytes | bytearray | memoryview):
        raise TypeError(f"{who}: expected a string, or bytes in UTF-8, got {type(text).__name__}")
    text = bytes(text)
    try:
        return text.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{who}: byte 0x{text[error.start]:02x} at offset {error.start} is no UTF-8 ({error.reason}); "
            'errors="replace" reads it as U+FFFD'
        ) from None


def decoded_all(texts: Any, who: str, errors: str = "strict") -> Iterator[str]:
    """Each of several texts, or the one there is, as a string.

    Raises:
        TypeError, ValueError: as `decoded`, with the number of the text.
    """
    if isinstance(texts, str | bytes | bytearray):
        yield decoded(texts, who, errors)
        return
    if not isinstance(texts, Iterable):
        raise TypeError(f"{who}: expected texts, or one, got {type(texts).__name__}")
    for i, text in enumerate(texts):
        yield decoded(text, f"{who}: text {i}", errors)
