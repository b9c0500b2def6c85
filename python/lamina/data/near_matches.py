"""Words that are not there: an error that names those like them."""

from __future__ import annotations

import difflib
from collections.abc import Collection

CLOSE_IN_LENGTH, MOST = 2, 20_000  # difflib looks at no more than these


def unknown_word(word: object, words: Collection[str], who: str) -> KeyError:
    """The error for a word that is not among `words`: it names up to three like it.

    Args:
        word: what was asked for.
        words: those that there are.
        who: what the message begins with.

    Returns:
        A KeyError, to be raised.
    """
    message = f"{who}: {word!r} is not among the {len(words):,} words of the vocabulary"
    if isinstance(word, str) and word:
        same = [other for other in words if other != word and other.casefold() == word.casefold()]
        near: dict[str, str] = {}  # in small letters: the word as it is
        for other in [other for other in words if abs(len(other) - len(word)) <= CLOSE_IN_LENGTH][:MOST]:
            near.setdefault(other.casefold(), other)
        close = [near[other] for other in difflib.get_close_matches(word.casefold(), near, n=3)]
        found = list(dict.fromkeys([*same, *close]))[:3]
        if found:
            message += f"; near it: {', '.join(map(repr, found))}"
    return KeyError(message)
