"""Sentences as numbers of words: what Word2Vec and GloVe learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from lamina.data.checks import positive
from lamina.data.text_files import decoded

Array = Any
END = -1  # stands behind every sentence
STEP = 1 << 16  # tokens or entries between two looks of the progress bar; a multiple of word2vec's kernel's block
UNIT = 16  # columns of a table of vectors are filled up to a multiple


def columns(numbers: int) -> int:
    """How many columns a table of vectors of so many numbers has.

    Example:
        >>> from lamina.applications.corpus import columns
        >>> columns(100)
        112
    """
    return -(-numbers // UNIT) * UNIT


class Corpus:
    """The words of sentences, the most frequent first, and the sentences as their numbers.

    Args:
        sentences: each a list of words, or a string whose words stand between spaces.
        min_count: words that come less often are left out, as if they were not there.
        max_words: no more words than so many, the most frequent; None for all.
        who: what errors begin with.

    Raises:
        TypeError: if the sentences are no texts or lists of them.
        ValueError: if fewer than two words are left.
    """

    def __init__(self, sentences: Any, min_count: int, max_words: int | None, who: str) -> None:
        self.who = who
        least = positive(min_count, f"{who}: min_count")
        rows = list(self._split(sentences))
        counts: Counter[str] = Counter()
        for row in rows:
            counts.update(row)
        if not counts:
            raise ValueError(f"{who}: the corpus is empty: it holds no words")
        kept = [(word, count) for word, count in counts.most_common() if count >= least]
        if max_words is not None:
            kept = kept[: positive(max_words, f"{who}: max_words")]
        if len(kept) < 2:
            raise ValueError(
                f"{who}: at least two different words are needed, {len(kept)} of {len(counts)} come {least} times or "
                f"more: {', '.join(word for word, _ in kept) or 'the most frequent comes ' + str(max(counts.values()))}"
            )
        self.words = [word for word, _ in kept]
        self.counts = np.array([count for _, count in kept], np.int64)
        self.numbers = {word: i for i, word in enumerate(self.words)}
        self.total = sum(counts.values())  # of words, those left out as well
        self.tokens = self._encoded(rows)

    def encode(self, sentences: Any) -> Array:
        """Further sentences as numbers, with END behind each; words that are not known are left out."""
        return self._encoded(self._split(sentences))

    def _encoded(self, rows: Iterable[list[str]]) -> Array:
        find = self.numbers.get
        tokens: list[int] = []
        for row in rows:
            tokens += [number for number in map(find, row) if number is not None]
            tokens.append(END)
        return np.array(tokens, np.int32)

    def _split(self, sentences: Any) -> Iterable[list[str]]:
        if isinstance(sentences, str | bytes) or not isinstance(sentences, Iterable):
            raise TypeError(f"{self.who}: expected a list of sentences, got {type(sentences).__name__}")
        for i, sentence in enumerate(sentences):
            if isinstance(sentence, str | bytes):
                yield decoded(sentence, f"{self.who}: sentence {i}").split()
            elif isinstance(sentence, list | tuple) and all(isinstance(word, str) for word in sentence):
                yield list(sentence)
            else:
                raise TypeError(f"{self.who}: sentence {i} must be a string or a list of words, got {sentence!r:.80}")
