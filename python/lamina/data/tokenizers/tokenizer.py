"""What all tokenizers share: the vocabulary, special tokens, pairs, truncation, padding, files."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lamina.data.checks import positive
from lamina.data.near_matches import unknown_word
from lamina.data.text_files import decoded, read_text
from lamina.data.tokenizers.encoding import TRUNCATIONS, EncodedBatch, Encoding, kept_lengths
from lamina.data.tokenizers.remembered import Piece
from lamina.kinds import is_integer

FORMAT = "lamina tokenizer 1"


class Tokenizer:
    """Text to numbers and back: the base of all tokenizers.

    A subclass says how a text falls into tokens (`_pieces`) and how tokens become text (`_joined`).

    Args:
        vocabulary: the tokens in order: that at place i has number i.
        unknown_token: stands for what has no number; None: such text is refused.
        padding_token: fills rows up; None: rows cannot be filled up.
        start_token, end_token: stand around a text; the latter between the two of a pair and behind the second, too.
        mask_token: stands for tokens to be guessed.
        special_tokens: further tokens that count as such. A special token in a text is one token.
        errors: what becomes of bytes that are no UTF-8: "strict" refuses them, "replace" puts U+FFFD there.

    Example:
        >>> from lamina.data import Tokenizer, WordTokenizer
        >>> isinstance(WordTokenizer(["<pad>", "<unk>", "to", "be"]), Tokenizer)
        True
    """

    kinds: ClassVar[dict[str, type[Tokenizer]]] = {}

    def __init_subclass__(cls) -> None:
        Tokenizer.kinds[cls.__name__] = cls

    def __init__(
        self,
        vocabulary: Iterable[str],
        unknown_token: str | None,
        padding_token: str | None,
        start_token: str | None = None,
        end_token: str | None = None,
        mask_token: str | None = None,
        special_tokens: Sequence[str] = (),
        errors: str = "strict",
    ) -> None:
        self.name = type(self).__name__
        decoded("", self.name, errors)
        self.errors = errors
        self._tokens = _checked_vocabulary(vocabulary, self.name)
        self._ids = {token: i for i, token in enumerate(self._tokens)}
        self.unknown_token, self.padding_token = unknown_token, padding_token
        self.start_token, self.end_token, self.mask_token = start_token, end_token, mask_token
        self._further = list(special_tokens)
        named = {
            "unknown_token": unknown_token, "padding_token": padding_token, "start_token": start_token,
            "end_token": end_token, "mask_token": mask_token,
            **{f"special_tokens[{i}]": token for i, token in enumerate(special_tokens)},
        }  # fmt: skip
        for what, token in named.items():
            if token is not None and token not in self._ids:
                raise ValueError(f"{self.name}: the vocabulary lacks {what}, {token!r}")
        self.special_tokens = list(dict.fromkeys(token for token in named.values() if token is not None))
        self._special_ids = {self._ids[token] for token in self.special_tokens}
        longest_first = sorted(self.special_tokens, key=len, reverse=True)
        self._special_pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    # For subclasses

    def _pieces(self, text: str) -> Iterable[Piece]:
        """The tokens of a text that holds no special ones."""
        raise NotImplementedError(f"{self.name}._pieces")

    def _joined(self, tokens: list[str]) -> str:
        """The text of tokens."""
        raise NotImplementedError(f"{self.name}._joined")

    # The vocabulary

    @property
    def vocabulary(self) -> list[str]:
        """The tokens in the order of their numbers."""
        return list(self._tokens)

    @property
    def vocabulary_size(self) -> int:
        """How many tokens there are."""
        return len(self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __repr__(self) -> str:
        return f"{self.name}({len(self):,} tokens)"

    def token_to_id(self, token: str) -> int:
        """A token's number.

        Raises:
            KeyError: if the vocabulary does not hold it; tokens like it are named.
        """
        if token not in self._ids:
            raise unknown_word(token, self._ids, self.name)
        return self._ids[token]

    def id_to_token(self, number: int) -> str:
        """The token of a number.

        Raises:
            ValueError: if there is none.
        """
        return self._tokens_of([number])[0]

    def _special_id(self, token: str | None, what: str) -> int:
        if token is None:
            raise ValueError(f"{self.name}: has no {what}: give one to the constructor")
        return self._ids[token]

    @property
    def unknown_id(self) -> int:
        """The number of the unknown token."""
        return self._special_id(self.unknown_token, "unknown_token")

    @property
    def padding_id(self) -> int:
        """The number of the padding token."""
        return self._special_id(self.padding_token, "padding_token")

    @property
    def start_id(self) -> int:
        """The number of the start token."""
        return self._special_id(self.start_token, "start_token")

    @property
    def end_id(self) -> int:
        """The number of the end token."""
        return self._special_id(self.end_token, "end_token")

    @property
    def mask_id(self) -> int:
        """The number of the mask token."""
        return self._special_id(self.mask_token, "mask_token")

    @property
    def special_ids(self) -> list[int]:
        """The numbers of all special tokens, ascending."""
        return sorted(self._special_ids)

    def _number_of(self, token: str) -> int:
        """A token's number, or the unknown one's."""
        number = self._ids.get(token)
        if number is None:
            if self.unknown_token is None:
                raise unknown_word(token, self._ids, self.name)
            return self._ids[self.unknown_token]
        return number

    # Text to numbers

    def _all_pieces(self, text: str) -> list[Piece]:
        """The tokens of a text: special ones as they stand there, the rest as the subclass says."""
        pieces: list[Piece] = []
        begin = 0
        for found in self._special_pattern.finditer(text):
            pieces += self._shifted(text, begin, found.start())
            pieces.append((self._ids[found.group()], found.start(), found.end()))
            begin = found.end()
        pieces += self._shifted(text, begin, len(text))
        return pieces

    def _shifted(self, text: str, begin: int, end: int) -> Iterator[Piece]:
        if begin < end:
            part = text if end - begin == len(text) else text[begin:end]
            yield from ((number, begin + first, begin + last) for number, first, last in self._pieces(part))

    def tokenize(self, text: str | bytes) -> list[str]:
        """The tokens of a text, without any that are added.

        Raises:
            TypeError: if it is no text.
            ValueError: for broken UTF-8, unless errors="replace".
        """
        return self._tokens_of(number for number, _, _ in self._all_pieces(decoded(text, self.name, self.errors)))

    def encode(
        self,
        text: str | bytes,
        pair: str | bytes | None = None,
        *,
        add_special_tokens: bool = True,
        max_length: int | None = None,
        truncation: str | None = "longest_first",
        padding: int | None = None,
    ) -> Encoding:
        """A text, or a pair, as numbers: [start] text [end], or [start] text [end] pair [end].

        Args:
            text: the text; bytes are read as UTF-8.
            pair: a second one.
            add_special_tokens: whether start and end tokens are added, where there are any.
            max_length: no more tokens than these.
            truncation: what is cut if there are more: "longest_first", "only_first", "only_second"; None: nothing, it
                is an error.
            padding: fills up to so many tokens.

        Raises:
            TypeError: if it is no text.
            ValueError: for broken UTF-8, unless errors="replace"; too long a text that may not be cut.
            KeyError: for what is not in the vocabulary, where there is no unknown token.
        """
        if truncation is not None and truncation not in TRUNCATIONS:
            raise ValueError(f"{self.name}: truncation must be one of {TRUNCATIONS} or None, got {truncation!r}")
        texts = [self._all_pieces(decoded(text, self.name, self.errors))]
        if pair is not None:
            texts.append(self._all_pieces(decoded(pair, f"{self.name}: pair", self.errors)))
        start, end = (self.start_token, self.end_token) if add_special_tokens else (None, None)
        if max_length is not None:
            room = positive(max_length, f"{self.name}: max_length") - (start is not None)
            room -= len(texts) * (end is not None)
            if room < 0:
                raise ValueError(f"{self.name}: max_length {max_length} has no room for the special tokens")
            lengths = [len(pieces) for pieces in texts]
            if truncation is None and sum(lengths) > room:
                raise ValueError(f"{self.name}: the text has {sum(lengths)} tokens, there is room for {room}; "
                                 'truncation="longest_first" cuts it')  # fmt: skip
            kept = kept_lengths(lengths, room, truncation or "", self.name)
            texts = [pieces[:length] for pieces, length in zip(texts, kept, strict=True)]
        encoding = Encoding()
        if start is not None:
            encoding.add(self._ids[start], start, 0, None)
        for segment, pieces in enumerate(texts):
            for number, begin, stop in pieces:
                encoding.add(number, self._tokens[number], segment, (begin, stop))
            if end is not None:
                encoding.add(self._ids[end], end, segment, None)
        if padding is not None:
            self._pad(encoding, positive(padding, f"{self.name}: padding"))
        return encoding

    def _pad(self, encoding: Encoding, length: int) -> None:
        for _ in range(length - len(encoding)):
            encoding.add(self.padding_id, self._tokens[self.padding_id], 0, None, mask=0)

    def encode_batch(
        self,
        texts: Iterable[str | bytes],
        pairs: Iterable[str | bytes] | None = None,
        *,
        add_special_tokens: bool = True,
        max_length: int | None = None,
        truncation: str | None = "longest_first",
        padding: int | str = "longest",
    ) -> EncodedBatch:
        """Several texts, or pairs, as arrays; arguments as in `encode`.

        Args:
            texts: the texts.
            pairs: as many second ones.
            add_special_tokens, max_length, truncation: as in `encode`.
            padding: to how many tokens rows are filled up: a number, or "longest": as many as the longest has.

        Raises:
            TypeError, ValueError, KeyError: as `encode`; for another number of pairs than of texts, and for rows longer
                than `padding`.
        """
        if isinstance(texts, str | bytes) or isinstance(pairs, str | bytes):
            raise TypeError(f"{self.name}: encode_batch expects a list of texts; encode takes one")
        texts = list(texts)
        seconds = [None] * len(texts) if pairs is None else list(pairs)
        if len(seconds) != len(texts):
            raise ValueError(f"{self.name}: expected as many pairs as texts, {len(texts)}, got {len(seconds)}")
        encodings = [
            self.encode(text, pair, add_special_tokens=add_special_tokens, max_length=max_length, truncation=truncation)
            for text, pair in zip(texts, seconds, strict=True)
        ]
        longest = max(map(len, encodings), default=0)
        length = longest if padding == "longest" else positive(padding, f'{self.name}: padding must be "longest", or')
        if longest > length:
            raise ValueError(f"{self.name}: a row has {longest} tokens, padding is {length}; max_length={length} cuts")
        for encoding in encodings:
            self._pad(encoding, length)
        return EncodedBatch.of(encodings)

    # Numbers to text

    def _tokens_of(self, ids: Any) -> list[str]:
        tokens = []
        for place, number in enumerate(np.asarray(ids).tolist() if hasattr(ids, "__array__") else ids):
            if not is_integer(number):
                raise TypeError(f"{self.name}: expected numbers of tokens, got {number!r} at place {place}")
            if not 0 <= number < len(self._tokens):
                raise ValueError(
                    f"{self.name}: number {number} at place {place} is outside the {len(self)} tokens of the vocabulary"
                )
            tokens.append(self._tokens[number])
        return tokens

    def decode(self, ids: Any, skip_special_tokens: bool = True) -> str:
        """The text of a row of numbers.

        Args:
            ids: the numbers (T,): a list, array or tensor.
            skip_special_tokens: whether special tokens are left out.

        Raises:
            TypeError: for anything but integers.
            ValueError: for a number outside the vocabulary.
        """
        tokens = self._tokens_of(ids)
        special = set(self.special_tokens) if skip_special_tokens else ()
        return self._joined([token for token in tokens if token not in special])

    # Files

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments but for the vocabulary."""
        return {
            "unknown_token": self.unknown_token,
            "padding_token": self.padding_token,
            "start_token": self.start_token,
            "end_token": self.end_token,
            "mask_token": self.mask_token,
            "special_tokens": self._further,
            "errors": self.errors,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes everything into a file of JSON, which `load` reads."""
        contents = {"format": FORMAT, "class": self.name, "config": self.get_config(), "vocabulary": self._tokens}
        Path(path).write_text(json.dumps(contents, ensure_ascii=False, indent=0), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Any:
        """The tokenizer that `save` wrote; `Tokenizer.load` takes any kind.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file is of another kind, or broken.
        """
        try:
            contents = json.loads(read_text(path))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: is no JSON: {error}") from None
        if not isinstance(contents, dict) or contents.get("format") != FORMAT:
            raise ValueError(f'{path}: is no saved tokenizer: expected "format": "{FORMAT}"')
        kind = Tokenizer.kinds.get(str(contents.get("class")))
        if kind is None or not issubclass(kind, cls):
            raise ValueError(f"{path}: holds a {contents.get('class')}, expected a {cls.__name__}")
        try:
            return kind(contents["vocabulary"], **contents["config"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: is no saved tokenizer: {error}") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def _checked_vocabulary(vocabulary: Any, who: str) -> list[str]:
    if isinstance(vocabulary, str | bytes) or not isinstance(vocabulary, Iterable):
        raise TypeError(f"{who}: vocabulary must be a list of tokens, got {type(vocabulary).__name__}")
    tokens: list[str] = []
    places: dict[str, int] = {}
    for i, token in enumerate(vocabulary):
        if not isinstance(token, str):
            raise TypeError(f"{who}: the vocabulary must hold strings, got {token!r} at place {i}")
        if token in places:
            raise ValueError(f"{who}: the vocabulary holds {token!r} twice, at places {places[token]} and {i}")
        places[token] = i
        tokens.append(token)
    if not tokens:
        raise ValueError(f"{who}: the vocabulary is empty")
    return tokens
