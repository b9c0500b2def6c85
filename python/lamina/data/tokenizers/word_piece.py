"""WordPiece: words in pieces, as BERT reads them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lamina.data.checks import positive
from lamina.data.text_files import decoded_all, read_text
from lamina.data.tokenizers.basic_words import BasicWords
from lamina.data.tokenizers.merges import learn_merges
from lamina.data.tokenizers.remembered import Piece, Remembered
from lamina.data.tokenizers.tokenizer import Tokenizer
from lamina.data.tokenizers.words import special_first

CLEANED = re.compile(r" ([.?!,]|n't|'m|'s|'ve|'re)")


class WordPieceTokenizer(Tokenizer):
    """BERT's tokenizer: words by its basic rules, each then the longest piece of the vocabulary that it begins with,
    the longest that goes on from there, ...

    Its basic rules: control characters vanish; punctuation marks and CJK ideographs are words; letters become small
    and lose their accents. A piece inside a word begins with "##". A word that cannot be made up of pieces is one
    unknown token.

    Args:
        vocabulary: the pieces in order, special tokens among them.
        lowercase: whether to make letters small: BERT's "uncased" vocabularies.
        strip_accents: whether to take accents away; None: with `lowercase`.
        split_ideographs: whether each CJK ideograph is a word.
        prefix: what a piece inside a word begins with.
        max_characters: longer words are unknown.
        unknown_token, padding_token, start_token, end_token, mask_token, special_tokens, errors: as in `Tokenizer`.

    Raises:
        TypeError: if the vocabulary is no list of strings.
        ValueError: for an empty vocabulary, a piece that comes twice, a special token that it lacks.

    Example:
        >>> from lamina.data import WordPieceTokenizer
        >>> pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", "##ing", "the", "piano", "?"]
        >>> tokenizer = WordPieceTokenizer(pieces)
        >>> tokenizer.tokenize("Playing the piano, playing?")
        ['play', '##ing', 'the', 'piano', '[UNK]', 'play', '##ing', '?']
        >>> pair = tokenizer.encode("The piano?", "Playing.", padding=10)
        >>> pair.tokens[:5], pair.segment_ids
        (['[CLS]', 'the', 'piano', '?', '[SEP]'], [0, 0, 0, 0, 0, 1, 1, 1, 1, 0])
        >>> tokenizer.decode(pair.ids)
        'the piano? playing'

    Reference:
        Wu et al. 2016, "Google's Neural Machine Translation System", arXiv:1609.08144; Devlin et al. 2018, "BERT:
        Pre-training of Deep Bidirectional Transformers for Language Understanding", arXiv:1810.04805.
    """

    def __init__(
        self,
        vocabulary: Iterable[str],
        lowercase: bool = True,
        strip_accents: bool | None = None,
        split_ideographs: bool = True,
        prefix: str = "##",
        max_characters: int = 100,
        unknown_token: str | None = "[UNK]",
        padding_token: str | None = "[PAD]",
        start_token: str | None = "[CLS]",
        end_token: str | None = "[SEP]",
        mask_token: str | None = "[MASK]",
        special_tokens: Sequence[str] = (),
        errors: str = "strict",
    ) -> None:
        super().__init__(
            vocabulary, unknown_token, padding_token, start_token, end_token, mask_token, special_tokens, errors
        )
        self.prefix, self.max_characters = prefix, positive(max_characters, f"{self.name}: max_characters")
        self.lowercase, self.strip_accents, self.split_ideographs = lowercase, strip_accents, split_ideographs
        self._words = BasicWords(lowercase, strip_accents, split_ideographs)
        self._longest = max(map(len, self._tokens))
        self._known = Remembered(self._pieces_of_word)

    def _pieces(self, text: str) -> Iterable[Piece]:
        for word in self._words(text):
            for number, first, last in self._known[word.text]:
                yield number, word.begins[first], word.ends[last - 1]

    def _pieces_of_word(self, word: str) -> list[Piece]:
        pieces: list[Piece] = []
        begin = 0
        while begin < len(word) <= self.max_characters:
            for end in range(min(len(word), begin + self._longest), begin, -1):
                number = self._ids.get(word[begin:end] if begin == 0 else self.prefix + word[begin:end])
                if number is not None:
                    break
            else:
                break
            pieces.append((number, begin, end))
            begin = end
        return pieces if begin == len(word) else [(self._number_of(word), 0, len(word))]

    def _joined(self, tokens: list[str]) -> str:
        text = "".join(
            token[len(self.prefix) :] if i and token.startswith(self.prefix) else " " * (i > 0) + token
            for i, token in enumerate(tokens)
        )
        return CLEANED.sub(r"\1", text)

    @classmethod
    def train(
        cls,
        texts: Iterable[str | bytes] | str,
        max_tokens: int = 30_000,
        min_frequency: int = 2,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        split_ideographs: bool = True,
        prefix: str = "##",
        max_alphabet: int | None = 1000,
        special_tokens: Sequence[str] = (),
        errors: str = "strict",
    ) -> WordPieceTokenizer:
        """A vocabulary of pieces, joined as in byte-pair encoding: the most frequent pair of pieces becomes one, again
        and again. (So do today's libraries; Schuster & Nakajima joined the pair that most raises a text's likelihood.)

        Args:
            texts: the texts, or one.
            max_tokens: pairs are joined until there are so many, special ones and single characters, which all stay,
                among them.
            min_frequency: pairs that come less often are not joined.
            max_alphabet: no more characters than so many, the most frequent; None for all.
            lowercase, strip_accents, split_ideographs, prefix, errors: as in the constructor.
            special_tokens: further ones, behind [PAD], [UNK], [CLS], [SEP] and [MASK].

        Raises:
            ValueError: if there are no words.
        """
        counts: Counter[str] = Counter()
        words = BasicWords(lowercase, strip_accents, split_ideographs)
        for text in decoded_all(texts, cls.__name__, errors):
            counts.update(word.text for word in words(text))
        special = special_first("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *special_tokens)
        vocabulary, _ = learn_merges(
            counts, special, max_tokens, min_frequency, cls.__name__, prefix=prefix, max_alphabet=max_alphabet
        )
        return cls(
            vocabulary, lowercase, strip_accents, split_ideographs, prefix, special_tokens=special_tokens, errors=errors
        )

    @classmethod
    def from_vocabulary_file(cls, path: str | os.PathLike[str], **arguments: Any) -> WordPieceTokenizer:
        """The tokenizer of a vocabulary file as BERT's vocab.txt: a piece a line, its number that of the line, from 0.

        Args:
            path: the file.
            **arguments: the constructor's: lowercase=False for "cased" vocabularies.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: for broken UTF-8, by place; a piece that comes twice; special tokens that the file lacks.
        """
        lines = read_text(path).split("\n")
        while lines and not lines[-1]:
            lines.pop()
        try:
            return cls((line.rstrip(" \t") for line in lines), **arguments)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def save_vocabulary(self, path: str | os.PathLike[str]) -> None:
        """Writes a vocabulary file as BERT's vocab.txt: a piece a line."""
        Path(path).write_text("".join(token + "\n" for token in self._tokens), encoding="utf-8", newline="\n")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "split_ideographs": self.split_ideographs,
            "prefix": self.prefix,
            "max_characters": self.max_characters,
        }
