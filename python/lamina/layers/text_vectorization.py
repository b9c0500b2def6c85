"""Texts to numbers of words, or to vectors of how often each came."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.layers.checks import choice
from lamina.layers.layer import register
from lamina.layers.lookup import StringLookup
from lamina.layers.preprocessing import batches_of, not_sparse
from lamina.layers.vocabulary import MODES, other_word, refuse_paths
from lamina.layers.words import WordLayer

Array = Any

STANDARDS = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
SPLITS = ("whitespace", "character")

_PUNCTUATION = str.maketrans("", "", "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'")
_LOWER = {ord("A") + i: ord("a") + i for i in range(26)}
_SPACE = re.compile(r"[ \t\n\r\f\v]+")


@register
class TextVectorization(WordLayer):
    """Texts to numbers of words, in five steps: standardise, split, join neighbours to n-grams, look up, encode.

    Args:
        max_tokens: the most tokens, mask and unknown among them.
        standardize: "lower_and_strip_punctuation", "lower", "strip_punctuation", None, or a function of a list of
            texts. Letters of ASCII alone become small ones, as in Keras.
        split: "whitespace", "character", None (a text is one token, or lists of tokens come), or a function of a list
            of texts that gives a list of lists.
        ngrams: None; n for all of 1 to n neighbouring tokens; or a tuple of such numbers.
        output_mode: "int": the tokens' numbers, 0 filled in after the end; "multi_hot", "count", "tf_idf": a vector a
            text, see StringLookup.
        output_sequence_length: with "int", cut or fill texts to so many; None fills up to the longest.
        pad_to_max_tokens: whether vectors have max_tokens entries however large the vocabulary is.
        vocabulary: the tokens, or the path of a text file with one a line; otherwise `adapt` learns them.
        idf_weights: with "tf_idf" and a vocabulary: how much each token counts.
        sparse, ragged: False.
        encoding: "utf-8".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> layer = lm.layers.TextVectorization()
        >>> layer.adapt(["The cat sat.", "The dog sat, too!"])
        >>> layer.get_vocabulary()
        ['', '[UNK]', 'the', 'sat', 'too', 'dog', 'cat']
        >>> layer(["The cow sat too"]).numpy().tolist()
        [[2, 1, 3, 4]]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if standardize is not None and not callable(standardize):
            choice(standardize, STANDARDS, self.name, "standardize")
        if split is not None and not callable(split):
            choice(split, SPLITS, self.name, "split")
        widths = range(1, ngrams + 1) if isinstance(ngrams, int) and not isinstance(ngrams, bool) else ngrams
        widths = None if widths is None else tuple(widths) if isinstance(widths, range | tuple | list) else ()
        if widths is not None and (not widths or any(not is_integer(n) or n < 1 for n in widths)):
            raise ValueError(f"{self.name}: ngrams must be None, a positive integer or a tuple of them, got {ngrams!r}")
        output_mode = other_word(output_mode)
        choice(output_mode, MODES, self.name, "output_mode")
        if output_sequence_length is not None:
            if output_mode != "int":
                raise ValueError(f'{self.name}: output_sequence_length goes with output_mode="int"')
            if not is_integer(output_sequence_length) or output_sequence_length < 1:
                raise ValueError(f"{self.name}: output_sequence_length must be positive, got {output_sequence_length}")
        not_sparse(sparse, self.name)
        if ragged:
            raise ValueError(f"{self.name}: ragged=True is not supported: arrays are rectangular")
        self.standardize, self.split, self.ngrams, self._widths = standardize, split, ngrams, widths
        self.output_mode = output_mode
        self.output_sequence_length = None if output_sequence_length is None else int(output_sequence_length)
        self._lookup = StringLookup(
            max_tokens=max_tokens, mask_token="", vocabulary=vocabulary, idf_weights=idf_weights,
            output_mode=output_mode, pad_to_max_tokens=pad_to_max_tokens, encoding=encoding, dtype=self.dtype,
            name=f"{self.name}_lookup",
        )  # fmt: skip

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learns the vocabulary from texts.

        Args:
            data: texts (N,) or (N, 1), or an iterable of batches x or (x, y): a Dataset.
            batch_size: has no say: texts are read one by one.
            steps: how many batches to take; None for all.

        Raises:
            ValueError: if a vocabulary was given, or there are no tokens.
        """
        batches = (batch for i, batch in enumerate(batches_of(data, self.name)) if steps is None or i < steps)
        self._lookup._learn(tokens for batch in batches for tokens in self._tokens(self._accept(batch)))

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The vocabulary: the token of number i at place i; with or without mask and unknown."""
        return self._lookup.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """How many tokens there are, with mask and unknown."""
        return self._lookup.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """See StringLookup.set_vocabulary."""
        self._lookup.set_vocabulary(vocabulary, idf_weights)

    def call(self, x: Any) -> Any:
        if isinstance(x, Tensor) and x.size:
            raise TypeError(f"{self.name}: x must be strings, got {x.dtype}")
        single = x.ndim == 0
        rows = self._tokens(x)
        lookup = self._lookup
        if lookup._tokens is None:
            raise ValueError(f"{self.name}: has no vocabulary yet: call adapt(data) or set_vocabulary(tokens)")
        known: dict[str, int] = {}
        for row in rows:
            for token in row:
                if token not in known:
                    known[token] = lookup._index(token)
        longest = max((len(row) for row in rows), default=0)
        length = longest if self.output_sequence_length is None else self.output_sequence_length
        numbers = backend.full((len(rows), length), 0 if self.output_mode == "int" else -1, np.int64)
        for place, row in zip(numbers, rows, strict=True):
            place[: len(row)] = [known[token] for token in row[:length]]
        y = lookup._encoded(numbers)
        if self.split is None and self._widths is None and self.output_mode == "int" and x.ndim == 1:
            y = y if self.output_sequence_length is not None else y[:, 0]
        return Tensor(y[0] if single else y)

    def _tokens(self, x: Any) -> list[list[str]]:
        """Each text as a list of tokens."""
        texts = np.asarray(x.array if isinstance(x, Tensor) else x)
        if self.split is None:
            rows = texts.reshape(-1, texts.shape[-1]) if texts.ndim > 1 else texts.reshape(-1, 1)
            split = [self._standard(row) for row in rows.tolist()]
        else:
            if texts.ndim > 2 or (texts.ndim == 2 and texts.shape[1] != 1):
                raise ValueError(f"{self.name}: x must have shape (N,) or (N, 1), got {texts.shape}")
            split = self._split(self._standard(texts.ravel().tolist()))
        return split if self._widths is None else [_ngrams(row, self._widths) for row in split]

    def _standard(self, texts: Any) -> list[str]:
        if callable(self.standardize):
            return [str(text) for text in self.standardize(texts)]
        if self.standardize in ("lower", "lower_and_strip_punctuation"):
            texts = [text.translate(_LOWER) for text in texts]
        if self.standardize in ("strip_punctuation", "lower_and_strip_punctuation"):
            texts = [text.translate(_PUNCTUATION) for text in texts]
        return list(texts)

    def _split(self, texts: list[str]) -> list[list[str]]:
        if callable(self.split):
            return [[str(token) for token in row] for row in self.split(texts)]
        if self.split == "character":
            return [list(text) for text in texts]
        return [[token for token in _SPACE.split(text) if token] for text in texts]

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.output_mode == "int":
            return (input_shape[0], self.output_sequence_length)
        return self._lookup.compute_output_shape((input_shape[0], None))

    def get_config(self) -> dict[str, Any]:
        lookup = self._lookup.get_config()
        return {
            **super().get_config(),
            "max_tokens": lookup["max_tokens"],
            "standardize": _named(self.standardize, self.name, "standardize"),
            "split": _named(self.split, self.name, "split"),
            "ngrams": list(self.ngrams) if isinstance(self.ngrams, tuple | list) else self.ngrams,
            "output_mode": self.output_mode,
            "output_sequence_length": self.output_sequence_length,
            "pad_to_max_tokens": lookup["pad_to_max_tokens"],
            "vocabulary": lookup["vocabulary"],
            "idf_weights": lookup["idf_weights"],
            "learned": lookup["learned"],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        refuse_paths(config, cls.__name__)
        layer = cls(**{name: value for name, value in config.items() if name != "learned"})
        layer._lookup._given = layer._lookup._given and not config.get("learned", False)
        return layer


def _ngrams(tokens: list[str], widths: Iterable[int]) -> list[str]:
    return [" ".join(tokens[i : i + n]) for n in widths for i in range(len(tokens) - n + 1)]


def _named(value: str | Callable[..., Any] | None, owner: str, name: str) -> str | None:
    """A setting for a configuration.

    Raises:
        ValueError: for a function: files hold data, never code.
    """
    if callable(value):
        raise ValueError(f"{owner}: {name} is a function of your own and cannot be saved")
    return value
