"""Characters, each a number of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lamina.data.text_files import decoded_all
from lamina.data.tokenizers.remembered import Piece
from lamina.data.tokenizers.tokenizer import Tokenizer
from lamina.data.tokenizers.words import frequent, special_first


class CharacterTokenizer(Tokenizer):
    """Each character a token: spaces, marks and ends of lines, too.

    Args:
        vocabulary: the characters in order, special tokens among them.
        unknown_token, padding_token, start_token, end_token, mask_token, special_tokens, errors: as in `Tokenizer`.

    Raises:
        TypeError: if the vocabulary is no list of strings.
        ValueError: for an empty vocabulary, a character that comes twice, a special token that it lacks, and what is
            neither a character nor a special token.

    Example:
        >>> from lamina.data import CharacterTokenizer
        >>> tokenizer = CharacterTokenizer.train("to be or not")
        >>> tokenizer.vocabulary
        ['<pad>', '<unk>', ' ', 'b', 'e', 'n', 'o', 'r', 't']
        >>> tokenizer.encode("not to bee?").ids
        [5, 6, 8, 2, 8, 6, 2, 3, 4, 4, 1]
        >>> tokenizer.decode([5, 6, 8])
        'not'
    """

    def __init__(
        self,
        vocabulary: Iterable[str],
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
        for token in self._tokens:
            if len(token) != 1 and token not in self.special_tokens:
                raise ValueError(f"{self.name}: the vocabulary must hold single characters, got {token!r}")

    def _pieces(self, text: str) -> Iterable[Piece]:
        return ((self._number_of(c), i, i + 1) for i, c in enumerate(text))

    def _joined(self, tokens: list[str]) -> str:
        return "".join(tokens)

    @classmethod
    def train(
        cls,
        texts: Iterable[str | bytes] | str,
        max_tokens: int | None = None,
        min_frequency: int = 1,
        unknown_token: str | None = "<unk>",
        padding_token: str | None = "<pad>",
        start_token: str | None = None,
        end_token: str | None = None,
        mask_token: str | None = None,
        special_tokens: Sequence[str] = (),
        errors: str = "strict",
    ) -> CharacterTokenizer:
        """A vocabulary of the characters of texts, in Unicode's order.

        Args:
            texts: the texts, or one.
            max_tokens: no more than so many, special ones among them: the most frequent.
            min_frequency: characters that come less often are left out.
            unknown_token, padding_token, start_token, end_token, mask_token, special_tokens, errors: as in the
                constructor.

        Raises:
            ValueError: if there are no characters, or none comes often enough.
        """
        counts: Counter[str] = Counter()
        for text in decoded_all(texts, cls.__name__, errors):
            counts.update(text)
        special = special_first(padding_token, unknown_token, start_token, end_token, mask_token, *special_tokens)
        characters = frequent(counts, special, max_tokens, min_frequency, cls.__name__)[len(special) :]
        return cls(
            special + sorted(characters), unknown_token, padding_token, start_token, end_token, mask_token,
            special_tokens, errors,
        )  # fmt: skip
