"""What byte-pair encoding as GPT-2's works on: a text in parts by one pattern; bytes as printable characters."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Iterator

SPACES = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"

_printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
_others = [byte for byte in range(256) if byte not in _printable]
BYTE_CHARACTERS: dict[int, str] = {  # which character stands for each byte
    **{byte: chr(byte) for byte in _printable},
    **{byte: chr(256 + i) for i, byte in enumerate(_others)},
}
BYTES = {character: byte for byte, character in BYTE_CHARACTERS.items()}


def _pattern(letters: str, numbers: str) -> re.Pattern[str]:
    """Contractions; a run of letters, of numbers or of other marks, with the space before it; spaces."""
    return re.compile(
        rf"'s|'t|'re|'ve|'m|'ll|'d| ?[{letters}]+| ?[{numbers}]+| ?[^{SPACES}{letters}{numbers}]+"
        rf"|[{SPACES}]+(?![^{SPACES}])|[{SPACES}]+"
    )


_plain = _pattern("A-Za-z", "0-9")


@functools.cache
def _of_all_scripts() -> re.Pattern[str]:
    """The pattern with all letters and numbers of Unicode; it takes a moment to make."""
    runs: dict[str, list[list[int]]] = {"L": [], "N": []}
    for code in range(sys.maxunicode + 1):
        ranges = runs.get(unicodedata.category(chr(code))[0])
        if ranges is None:
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    letters, numbers = ("".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges) for ranges in runs.values())
    return _pattern(letters, numbers)


def parts(text: str) -> Iterator[tuple[int, str]]:
    """The parts of a text that are joined into tokens one by one, and where each begins."""
    pattern = _plain if text.isascii() else _of_all_scripts()
    return ((found.start(), found.group()) for found in pattern.finditer(text))


def spelled(part: str) -> str:
    """The UTF-8 bytes of a part of a text as characters, one a byte."""
    return part.encode().decode("latin-1").translate(BYTE_CHARACTERS)


def unspelled(characters: str) -> str:
    """The text of bytes written as characters; what is no UTF-8 becomes U+FFFD."""
    data = bytearray()
    for c in characters:
        data += bytes((BYTES[c],)) if c in BYTES else c.encode()
    return data.decode("utf-8", "replace")
