"""What a tokenizer gives, and how pairs are cut to a length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = Any

TRUNCATIONS = ("longest_first", "only_first", "only_second")


@dataclass
class Encoding:
    """One text, or a pair, as numbers.

    Attributes:
        ids: the tokens' numbers.
        tokens: the tokens.
        segment_ids: 0 for the first text with its special tokens, 1 for the second.
        mask: 1 for tokens, 0 for padding.
        special_tokens_mask: 1 where a token was added, padding included; 0 for those of the text.
        offsets: from where to where each stands in its text, in characters; (0, 0) for what was added.

    Example:
        >>> from lamina.data import WordTokenizer
        >>> encoding = WordTokenizer(["<pad>", "<unk>", "to", "be"]).encode("to be ?")
        >>> encoding.ids, encoding.tokens, encoding.offsets
        ([2, 3, 1], ['to', 'be', '<unk>'], [(0, 2), (3, 5), (6, 7)])
    """

    ids: list[int] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    segment_ids: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    special_tokens_mask: list[int] = field(default_factory=list)
    offsets: list[tuple[int, int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, number: int, token: str, segment: int, offsets: tuple[int, int] | None, mask: int = 1) -> None:
        """Appends a token; offsets: None for one that was added."""
        self.ids.append(number)
        self.tokens.append(token)
        self.segment_ids.append(segment)
        self.mask.append(mask)
        self.special_tokens_mask.append(int(offsets is None))
        self.offsets.append(offsets or (0, 0))


@dataclass
class EncodedBatch:
    """Several texts, or pairs, of one length: what a model takes.

    Attributes:
        ids: (N, T), int64.
        segment_ids: (N, T), int64: 0 for the first text of a pair, 1 for the second.
        mask: (N, T), bool: False where padding stands.
        encodings: the N rows, with tokens and offsets.

    Example:
        >>> from lamina.data import WordTokenizer
        >>> batch = WordTokenizer(["<pad>", "<unk>", "to", "be"]).encode_batch(["to be", "be"])
        >>> batch.ids
        array([[2, 3],
               [3, 0]])
        >>> batch.mask
        array([[ True,  True],
               [ True, False]])
    """

    ids: Array
    segment_ids: Array
    mask: Array
    encodings: list[Encoding]

    @classmethod
    def of(cls, encodings: list[Encoding]) -> EncodedBatch:
        """Encodings of one length as arrays."""
        shape = (len(encodings), len(encodings[0]) if encodings else 0)

        def stacked(rows: list[Any], dtype: Any) -> Array:
            return np.array(rows, dtype).reshape(shape)

        return cls(
            stacked([e.ids for e in encodings], np.int64),
            stacked([e.segment_ids for e in encodings], np.int64),
            stacked([e.mask for e in encodings], bool),
            encodings,
        )


def kept_lengths(lengths: Sequence[int], room: int, truncation: str, who: str) -> list[int]:
    """How many tokens of each text stay, of one or two, where there is room for so many.

    "longest_first" takes from the longer one until both are equally long, then from both; the second keeps the odd one.

    Raises:
        ValueError: if only one text may be cut, and that does not do.
    """
    if sum(lengths) <= room:
        return list(lengths)
    if len(lengths) == 1 and truncation != "only_second":
        return [room]
    if truncation == "longest_first":
        short, long = sorted(lengths)
        long = max(short, room - short)
        if short + long > room:
            short, long = room // 2, room - room // 2
        return [short, long] if lengths[0] <= lengths[1] else [long, short]
    cut = int(truncation == "only_second")
    over = sum(lengths) - room
    if cut >= len(lengths) or lengths[cut] < over:
        raise ValueError(
            f'{who}: truncation="{truncation}" cannot bring {" + ".join(map(str, lengths))} tokens down to {room}'
        )
    return [length - over * (i == cut) for i, length in enumerate(lengths)]
