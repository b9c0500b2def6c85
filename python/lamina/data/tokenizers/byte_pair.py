"""Byte-pair encoding: GPT-2's over bytes, and the plain one over characters."""

from __future__ import annotations

import heapq
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lamina.data.text_files import decoded_all, read_text
from lamina.data.tokenizers import byte_level as level
from lamina.data.tokenizers.merges import learn_merges
from lamina.data.tokenizers.remembered import Piece, Remembered
from lamina.data.tokenizers.tokenizer import Tokenizer
from lamina.data.tokenizers.words import special_first

SPACED = re.compile(f"[^{level.SPACES}]+")


class BytePairTokenizer(Tokenizer):
    """Parts of a text, each joined from its smallest pieces by the merges in their order, the first first.

    With byte_level, as in GPT-2, the smallest pieces are bytes, so that nothing is unknown and every text comes back
    as it was; a token is written with a character for each byte ("Ġ" for the space before a word). Without, they are
    characters of words between spaces, whose last piece ends in the suffix.

    Args:
        vocabulary: the tokens in order, special ones among them.
        merges: the pairs of tokens that are joined, in order.
        byte_level: whether the smallest pieces are bytes.
        add_prefix_space: with byte_level, whether a text that begins with no space gets one.
        suffix: without byte_level, what the last piece of a word ends in.
        unknown_token, padding_token, start_token, end_token, mask_token, special_tokens, errors: as in `Tokenizer`.

    Raises:
        TypeError: if the vocabulary is no list of strings.
        ValueError: for an empty vocabulary, a token that comes twice, a special token that it lacks; for a merge whose
            parts or result it lacks.

    Example:
        >>> from lamina.data import BytePairTokenizer
        >>> tokenizer = BytePairTokenizer.train(["low lower lowest"] * 3, max_tokens=260)
        >>> tokenizer.tokenize("low lows…")
        ['low', 'Ġlow', 's', 'â', 'Ģ', '¦']
        >>> tokenizer.decode(tokenizer.encode("low lows…").ids)
        'low lows…'
        >>> tokenizer.merges
        [('l', 'o'), ('lo', 'w'), ('Ġ', 'low'), ('Ġlow', 'e')]

    Reference:
        Sennrich, Haddow & Birch 2016, "Neural Machine Translation of Rare Words with Subword Units", arXiv:1508.07909;
        Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2).
    """

    def __init__(
        self,
        vocabulary: Iterable[str],
        merges: Iterable[Sequence[str]],
        byte_level: bool = True,
        add_prefix_space: bool = False,
        suffix: str = "</w>",
        unknown_token: str | None = None,
        padding_token: str | None = None,
        start_token: str | None = None,
        end_token: str | None = None,
        mask_token: str | None = None,
        special_tokens: Sequence[str] = (),
        errors: str = "strict",
    ) -> None:
        super().__init__(
            vocabulary, unknown_token, padding_token, start_token, end_token, mask_token, special_tokens, errors
        )
        self.byte_level, self.add_prefix_space, self.suffix = byte_level, add_prefix_space, suffix
        self.merges: list[tuple[str, str]] = []
        self._ranks: dict[tuple[int, int], tuple[int, int]] = {}  # a pair's place among the merges, and what it becomes
        for place, merge in enumerate(merges):
            if len(merge) != 2:
                raise ValueError(f"{self.name}: merge {place} must be a pair of tokens, got {merge!r}")
            left, right = merge
            missing = [token for token in (left, right, left + right) if token not in self._ids]
            if missing:
                raise ValueError(f"{self.name}: the vocabulary lacks {missing[0]!r} of merge {place}, {left} + {right}")
            self.merges.append((left, right))
            self._ranks.setdefault((self._ids[left], self._ids[right]), (place, self._ids[left + right]))
        self._known = Remembered(self._found)

    def _pieces(self, text: str) -> Iterable[Piece]:
        if not self.byte_level:
            for found in SPACED.finditer(text):
                for number, begin, end in self._known[found.group()]:
                    yield number, found.start() + begin, found.start() + end
            return
        shift = int(self.add_prefix_space and not text.startswith(" "))
        for start, part in level.parts(" " * shift + text):
            start -= shift
            places = None if part.isascii() else [i for i, c in enumerate(part) for _ in c.encode()]
            for number, begin, end in self._known[part]:
                if places is not None:
                    begin, end = places[begin], places[end - 1] + 1
                yield number, max(0, start + begin), max(1, start + end)  # the space added stands at the first

    def _found(self, part: str) -> list[Piece]:
        """The pieces of a part."""
        symbols = list(level.spelled(part) if self.byte_level else part)
        if not self.byte_level:
            symbols[-1] += self.suffix
        return self._joined_up([self._number_of(symbol) for symbol in symbols])

    def _joined_up(self, ids: list[int]) -> list[Piece]:
        """Joins neighbours, the pair of the earliest merge first, of equal ones the first in the row."""
        count = len(ids)
        after, before = list(range(1, count + 1)), list(range(-1, count - 1))
        queue: list[tuple[int, int, int]] = []

        def add(i: int) -> None:
            if i >= 0 and after[i] < count:
                rank = self._ranks.get((ids[i], ids[after[i]]))
                if rank is not None:
                    heapq.heappush(queue, (rank[0], i, rank[1]))

        for i in range(count):
            add(i)
        while queue:
            _, i, joined = heapq.heappop(queue)
            j = after[i]
            if ids[i] < 0 or j >= count or self._ranks.get((ids[i], ids[j]), (0, -1))[1] != joined:
                continue  # one of the two was joined with another since
            ids[i], ids[j] = joined, -1
            after[i] = after[j]
            if after[i] < count:
                before[after[i]] = i
            add(before[i])
            add(i)
        return [(number, i, after[i]) for i, number in enumerate(ids) if number >= 0]

    def _joined(self, tokens: list[str]) -> str:
        if self.byte_level:
            return level.unspelled("".join(tokens))
        if not self.suffix:
            return " ".join(tokens)
        last = len(tokens) - 1
        return "".join(token.replace(self.suffix, " " * (i < last)) for i, token in enumerate(tokens))

    @classmethod
    def train(
        cls,
        texts: Iterable[str | bytes] | str,
        max_tokens: int = 30_000,
        min_frequency: int = 2,
        byte_level: bool = True,
        add_prefix_space: bool = False,
        suffix: str = "</w>",
        unknown_token: str | None = None,
        padding_token: str | None = None,
        start_token: str | None = None,
        end_token: str | None = None,
        mask_token: str | None = None,
        special_tokens: Sequence[str] = (),
        errors: str = "strict",
    ) -> BytePairTokenizer:
        """Learns which pairs to join: the most frequent one, again and again; of equally frequent ones that of lower
        numbers.

        Args:
            texts: the texts, or one.
            max_tokens: pairs are joined until there are so many, special ones and single bytes or characters, which
                all stay, among them.
            min_frequency: pairs that come less often are not joined.
            byte_level, add_prefix_space, suffix, unknown_token, padding_token, start_token, end_token, mask_token,
                special_tokens, errors: as in the constructor.

        Raises:
            ValueError: if there are no words.
        """
        counts: Counter[str] = Counter()
        for text in decoded_all(texts, cls.__name__, errors):
            if byte_level:
                shift = int(add_prefix_space and not text.startswith(" "))
                counts.update(level.spelled(part) for _, part in level.parts(" " * shift + text if text else ""))
            else:
                counts.update(SPACED.findall(text))
        tokens, merges = learn_merges(
            counts,
            special_first(padding_token, unknown_token, start_token, end_token, mask_token, *special_tokens),
            max_tokens,
            min_frequency,
            cls.__name__,
            alphabet=list(level.BYTES) if byte_level else None,
            suffix="" if byte_level else suffix,
        )
        return cls(
            tokens, merges, byte_level, add_prefix_space, suffix, unknown_token, padding_token, start_token, end_token,
            mask_token, special_tokens, errors,
        )  # fmt: skip

    @classmethod
    def from_files(
        cls, vocabulary: str | os.PathLike[str], merges: str | os.PathLike[str], **arguments: Any
    ) -> BytePairTokenizer:
        """The tokenizer of GPT-2's two files: vocab.json and merges.txt.

        Args:
            vocabulary: the file of tokens and their numbers, in JSON.
            merges: the file of merges: two tokens a line, behind a line "#version: ...".
            **arguments: the constructor's.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: for broken files, by place.
        """
        try:
            numbers = json.loads(read_text(vocabulary))
        except json.JSONDecodeError as error:
            raise ValueError(f"{vocabulary}: is no JSON: {error}") from None
        if not isinstance(numbers, dict) or sorted(numbers.values(), key=str) != sorted(range(len(numbers)), key=str):
            raise ValueError(f"{vocabulary}: must give each token a number, from 0 on, without gaps")
        pairs = []
        for i, line in enumerate(read_text(merges).split("\n"), start=1):
            if line and not line.startswith("#version"):
                pairs.append(line.split(" "))
                if len(pairs[-1]) != 2:
                    raise ValueError(f"{merges}: line {i} must hold two tokens, got {line!r}")
        try:
            return cls(sorted(numbers, key=numbers.__getitem__), pairs, **arguments)
        except ValueError as error:
            raise ValueError(f"{vocabulary} and {merges}: {error}") from None

    def save_files(self, vocabulary: str | os.PathLike[str], merges: str | os.PathLike[str]) -> None:
        """Writes GPT-2's two files: vocab.json and merges.txt."""
        Path(vocabulary).write_text(json.dumps(self._ids, ensure_ascii=False), encoding="utf-8")
        lines = ["#version: 0.2", *(f"{left} {right}" for left, right in self.merges)]
        Path(merges).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "merges": [list(merge) for merge in self.merges],
            "byte_level": self.byte_level,
            "add_prefix_space": self.add_prefix_space,
            "suffix": self.suffix,
        }
