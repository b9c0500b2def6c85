"""BERT's basic tokenizer: a text falls into words, cleaned, in lower case, without accents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

PLAIN = re.compile(r"[\t\n\r -~]*")
PLAIN_WORDS = re.compile(r"[a-zA-Z0-9]+|[!-/:-@\[-`{-~]")
SPACES = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))))
IDEOGRAPHS = (  # blocks of CJK ideographs: each is a word
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class Word(NamedTuple):
    """A word, and from where to where each of its characters stands in the text."""

    text: str
    begins: list[int] | range
    ends: list[int] | range


class BasicWords:
    """Cuts texts into words as BERT does.

    Control characters vanish; spaces and every punctuation mark end a word, marks and ideographs are words themselves.
    A character's accents vanish with the upper case, as `strip_accents` says.

    Args:
        lowercase: whether to make letters small.
        strip_accents: whether to take accents away; None: with `lowercase`.
        split_ideographs: whether each CJK ideograph is a word.
    """

    def __init__(self, lowercase: bool = True, strip_accents: bool | None = None, split_ideographs: bool = True):
        self.lowercase = lowercase
        self.strip_accents = lowercase if strip_accents is None else strip_accents
        self.split_ideographs = split_ideographs
        self._known: dict[str, tuple[bool, str]] = {}

    def __call__(self, text: str) -> Iterator[Word]:
        if PLAIN.fullmatch(text):
            for found in PLAIN_WORDS.finditer(text.lower() if self.lowercase else text):
                begin, end = found.span()
                yield Word(found.group(), range(begin, end), range(begin + 1, end + 1))
            return
        letters: list[str] = []
        begins: list[int] = []
        ends: list[int] = []
        for i, character in enumerate(text):
            known = self._known.get(character)
            if known is None:
                known = self._known[character] = self._look_up(character)
            alone, replacement = known
            for c in replacement:
                if letters and (alone or c in SPACES or is_punctuation(c)):
                    yield Word("".join(letters), begins, ends)
                    letters, begins, ends = [], [], []
                if c in SPACES:
                    continue
                if alone or is_punctuation(c):
                    yield Word(c, [i], [i + 1])
                    continue
                letters.append(c)
                begins.append(i)
                ends.append(i + 1)
        if letters:
            yield Word("".join(letters), begins, ends)

    def _look_up(self, c: str) -> tuple[bool, str]:
        """Whether a character is a word of its own, and what becomes of it."""
        if c in "\0\ufffd" or (c not in "\t\n\r" and unicodedata.category(c) in ("Cc", "Cf", "Co")):
            return False, ""
        alone = self.split_ideographs and any(first <= ord(c) <= last for first, last in IDEOGRAPHS)
        if self.strip_accents:
            c = "".join(part for part in unicodedata.normalize("NFD", c) if unicodedata.category(part) != "Mn")
        return alone, "".join(part.lower() for part in c) if self.lowercase else c


def is_punctuation(c: str) -> bool:
    """Whether a character is one of Unicode's punctuation marks, or a printable mark of ASCII that is no letter."""
    if c <= "\x7f":
        return "!" <= c <= "~" and not c.isalnum()
    return unicodedata.category(c)[0] == "P"
