"""Words, each a number of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from lamina.data.checks import positive
from lamina.data.text_files import decoded_all
from lamina.data.tokenizers.remembered import Piece
from lamina.data.tokenizers.tokenizer import Tokenizer

WORDS = re.compile(r"\w+|[^\w\s]")
WHITESPACE = re.compile(r"\S+")


class WordTokenizer(Tokenizer):
    """Each word a token; punctuation marks are words of one character.

    Args:
        vocabulary: the words in order, special tokens among them.
        lowercase: whether upper and lower case are one.
        split: "words" takes runs of letters, digits and underscores, and every other mark that is no space alone;
            "whitespace" what stands between spaces.
        unknown_token, padding_token, start_token, end_token, mask_token, special_tokens, errors: as in `Tokenizer`.

    Raises:
        TypeError: if the vocabulary is no list of strings.
        ValueError: for an empty vocabulary, a word that comes twice, a special token that it lacks.

    Example:
        >>> from lamina.data import WordTokenizer
        >>> tokenizer = WordTokenizer.train(["To be, or not to be.", "To do is to be."], min_frequency=2)
        >>> tokenizer.vocabulary
        ['<pad>', '<unk>', 'to', 'be', '.']
        >>> tokenizer.encode("To see is to be!").ids
        [2, 1, 1, 2, 3, 1]
        >>> tokenizer.decode([2, 3, 4])
        'to be.'
        >>> tokenizer.token_to_id("bee")
        Traceback (most recent call last):
        KeyError: "WordTokenizer: 'bee' is not among the 5 words of the vocabulary; near it: 'be'"
    """

    def __init__(
        self,
        vocabulary: Iterable[str],
        lowercase: bool = True,
        split: str = "words",
        unknown_token: str | None = "<unk>",
        padding_token: str | None = "<pad>",
        start_token: str | None = None,
        end_token: str | None = None,
        mask_token: str | None = None,
        special_tokens: Sequence[str] = (),
        errors: str = "strict",
    ) -> None:
        super().__init__(
            vocabulary, unknown_token, padding_token, start_token, end_token, mask_token, special_tokens, errors
        )
        self.lowercase, self.split = lowercase, split
        self._pattern = _pattern_of(split)

    def _pieces(self, text: str) -> Iterable[Piece]:
        for found in self._pattern.finditer(text):
            word = found.group().lower() if self.lowercase else found.group()
            yield self._number_of(word), found.start(), found.end()

    def _joined(self, tokens: list[str]) -> str:
        text = " ".join(tokens)
        return re.sub(r" ([.,;:!?)\]}%])", r"\1", text) if self.split == "words" else text

    @classmethod
    def train(
        cls,
        texts: Iterable[str | bytes] | str,
        max_tokens: int | None = None,
        min_frequency: int = 1,
        lowercase: bool = True,
        split: str = "words",
        unknown_token: str | None = "<unk>",
        padding_token: str | None = "<pad>",
        start_token: str | None = None,
        end_token: str | None = None,
        mask_token: str | None = None,
        special_tokens: Sequence[str] = (),
        errors: str = "strict",
    ) -> WordTokenizer:
        """A vocabulary of the words of texts, the most frequent first; of equally frequent ones the first met.

        Args:
            texts: the texts, or one.
            max_tokens: no more than so many, special ones among them.
            min_frequency: words that come less often are left out.
            lowercase, split, unknown_token, padding_token, start_token, end_token, mask_token, special_tokens, errors:
                as in the constructor.

        Raises:
            ValueError: if there are no words, or none comes often enough.
        """
        counts: Counter[str] = Counter()
        pattern = _pattern_of(split)
        for text in decoded_all(texts, cls.__name__, errors):
            counts.update(word.lower() if lowercase else word for word in pattern.findall(text))
        special = special_first(padding_token, unknown_token, start_token, end_token, mask_token, *special_tokens)
        words = frequent(counts, special, max_tokens, min_frequency, cls.__name__)
        return cls(
            words, lowercase, split, unknown_token, padding_token, start_token, end_token, mask_token, special_tokens,
            errors,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "lowercase": self.lowercase, "split": self.split}


def _pattern_of(split: str) -> re.Pattern[str]:
    if split not in ("words", "whitespace"):
        raise ValueError(f'WordTokenizer: split must be "words" or "whitespace", got {split!r}')
    return WORDS if split == "words" else WHITESPACE


def special_first(*tokens: str | None) -> list[str]:
    """The special tokens that there are, each once, in the order of a trained vocabulary."""
    return list(dict.fromkeys(token for token in tokens if token is not None))


def frequent(
    counts: Counter[str], special: list[str], max_tokens: int | None, min_frequency: int, who: str
) -> list[str]:
    """A vocabulary: special tokens, then what comes often enough, the most frequent first.

    Raises:
        ValueError: if nothing is left.
    """
    least = positive(min_frequency, f"{who}: min_frequency")
    if not counts:
        raise ValueError(f"{who}: the corpus is empty: it holds no tokens")
    kept = [token for token, count in counts.most_common() if count >= least and token not in special]
    if max_tokens is not None:
        kept = kept[: max(0, positive(max_tokens, f"{who}: max_tokens") - len(special))]
    if not kept:
        raise ValueError(f"{who}: no token is left: the most frequent comes {max(counts.values())} times, "
                         f"min_frequency is {min_frequency}, max_tokens {max_tokens}")  # fmt: skip
    return special + kept
