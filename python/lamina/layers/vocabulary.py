"""A vocabulary: how it is learned, looked up, and told; what is not in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lamina import ops
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.layers.categories import ENCODINGS, as_indices, check_range, encoded_shape, vectors
from lamina.layers.checks import choice, positive
from lamina.layers.preprocessing import batches_of, not_sparse
from lamina.layers.words import WordLayer, hashed, mean_in_order, salt_of

Array = Any

MODES = ("int", *ENCODINGS, "tf_idf")


class IndexLookup(WordLayer):
    """What StringLookup and IntegerLookup share: the vocabulary, how it is learned, and what is not in it."""

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        salt: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_tokens is not None and positive(max_tokens, self.name, "max_tokens") == 1:
            raise ValueError(f"{self.name}: max_tokens must be more than 1, got {max_tokens}")
        if pad_to_max_tokens and max_tokens is None:
            raise ValueError(f"{self.name}: pad_to_max_tokens needs max_tokens")
        if not is_integer(num_oov_indices) or num_oov_indices < 0:
            raise ValueError(f"{self.name}: num_oov_indices must be an integer of at least 0, got {num_oov_indices!r}")
        output_mode = other_word(output_mode)
        self.output_mode = choice(output_mode, MODES, self.name, "output_mode")
        if invert and output_mode != "int":
            raise ValueError(f'{self.name}: invert goes with output_mode="int", got {output_mode!r}')
        if idf_weights is not None and output_mode != "tf_idf":
            raise ValueError(f'{self.name}: idf_weights go with output_mode="tf_idf", got {output_mode!r}')
        not_sparse(sparse, self.name)
        self.max_tokens = None if max_tokens is None else int(max_tokens)
        self.num_oov_indices = int(num_oov_indices)
        tokens = [None if token is None else self._token(token) for token in (mask_token, oov_token)]
        self.mask_token, self.oov_token = tokens
        self.invert, self.pad_to_max_tokens = bool(invert), bool(pad_to_max_tokens)
        self.salt = salt_of(salt, self.name)
        self._given = vocabulary is not None
        self._tokens: list[Any] | None = None
        self._indices: dict[Any, int] = {}
        self._idf: Array = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    # What differs between strings and integers

    def _token(self, value: Any) -> Any:
        """A value as it stands in the vocabulary."""
        raise NotImplementedError(f"{type(self).__name__}._token")

    def _bucket(self, token: Any) -> int:
        """Where a token goes that is not in the vocabulary, where there are several places for such."""
        return hashed(token, self.salt) % self.num_oov_indices

    # The vocabulary

    @property
    def _masks(self) -> int:
        """How many places at the beginning are for the mask: one, for numbers, if there is a mask."""
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def _start(self) -> int:
        """The number of the first token."""
        return self._masks + self.num_oov_indices

    def _special(self) -> list[Any]:
        return [self.mask_token] * self._masks + [self.oov_token] * self.num_oov_indices

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Sets the vocabulary.

        Args:
            vocabulary: the tokens in order, without mask and unknown, or with them at the beginning as
                `get_vocabulary` gives them; or the path of a text file with a token a line.
            idf_weights: with "tf_idf", how much each counts.

        Raises:
            ValueError: if it is empty, too large, or a token comes twice; if idf_weights are missing or out of place.
        """
        if isinstance(vocabulary, str | Path):
            try:
                vocabulary = Path(vocabulary).read_text(encoding="utf-8").splitlines()
            except UnicodeError as error:
                raise ValueError(f"{self.name}: {vocabulary} is no text in utf-8: {error}") from None
        tokens = [self._token(value) for value in np.asarray(vocabulary).ravel().tolist()]
        if not tokens:
            raise ValueError(f"{self.name}: the vocabulary is empty")
        whole = tokens[: self._start] == self._special()
        if whole:
            tokens = tokens[self._start :]
        repeated = [token for token, count in Counter(tokens).items() if count > 1]
        if repeated:
            raise ValueError(f"{self.name}: the vocabulary holds tokens twice: {repeated[:10]}")
        if self.mask_token is not None and self.mask_token in tokens:
            raise ValueError(f"{self.name}: the vocabulary holds the mask, {self.mask_token!r}, among its tokens")
        if self.invert and self.oov_token is not None and self.oov_token in tokens:
            raise ValueError(f"{self.name}: the vocabulary holds the unknown, {self.oov_token!r}, among its tokens")
        if self.max_tokens is not None and self._start + len(tokens) > self.max_tokens:
            raise ValueError(f"{self.name}: the vocabulary has {self._start + len(tokens)} tokens with mask and "
                             f"unknown, max_tokens is {self.max_tokens}")  # fmt: skip
        idf = None
        if self.output_mode == "tf_idf":
            if idf_weights is None:
                raise ValueError(f'{self.name}: output_mode="tf_idf" needs idf_weights with a vocabulary')
            idf = np.asarray(idf_weights, self._dtype)
            if idf.shape != (len(tokens) + self._start * whole,):
                raise ValueError(f"{self.name}: idf_weights must have shape ({len(tokens) + self._start * whole},), "
                                 f"got {idf.shape}")  # fmt: skip
            if not whole:
                idf = np.concatenate([np.full(self._start, mean_in_order(idf), idf.dtype), idf])
        elif idf_weights is not None:
            raise ValueError(f'{self.name}: idf_weights go with output_mode="tf_idf"')
        self._set(tokens, idf)

    def _set(self, tokens: list[Any], idf: Array) -> None:
        self._tokens, self._idf = tokens, idf
        self._indices = {token: self._start + i for i, token in enumerate(tokens)}

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The vocabulary: the token of number i at place i; with or without mask and unknown."""
        return (self._special() if include_special_tokens else []) + (self._tokens or [])

    def vocabulary_size(self) -> int:
        """How many tokens there are, with mask and unknown."""
        return self._start + len(self._tokens or [])

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learns the vocabulary, the most frequent token first; of equally frequent ones the last by order.

        Args:
            data: an array or list of values (N, ...), or an iterable of batches x or (x, y): a Dataset.
            steps: how many batches to take; None for all.

        Raises:
            ValueError: if a vocabulary was given.
        """
        batches = (batch for i, batch in enumerate(batches_of(data, self.name)) if steps is None or i < steps)
        self._learn(row for batch in batches for row in self._rows(self._accept(batch)))

    def _rows(self, x: Any) -> Iterable[Iterable[Any]]:
        """The documents of a batch, each a list of tokens."""
        values = x.array if isinstance(x, Tensor) else x
        rows = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values.reshape(-1, 1)
        return ([self._token(value) for value in row] for row in rows.tolist())

    def _learn(self, documents: Iterable[Iterable[Any]]) -> None:
        if self._given:
            raise ValueError(f"{self.name}: adapt: a vocabulary was given")
        counts: Counter[Any] = Counter()
        containing: Counter[Any] = Counter()
        number = 0
        for document in documents:
            tokens = list(document)
            counts.update(tokens)
            number += 1
            if self.output_mode == "tf_idf":
                containing.update(set(tokens))
        for token in (self.mask_token, self.oov_token):
            counts.pop(token, None)
        if not counts:
            raise ValueError(f"{self.name}: adapt: there are no tokens")
        ordered = sorted(counts, key=lambda token: (counts[token], token), reverse=True)
        if self.max_tokens is not None:
            ordered = ordered[: max(self.max_tokens - self._start, 0)]
        idf = None
        if self.output_mode == "tf_idf":
            shares = 1 + number / (1 + np.array([float(containing[token]) for token in ordered]))
            found = ops.log(Tensor(shares)).array.astype(self._dtype)
            idf = np.concatenate([np.full(self._start, mean_in_order(found), found.dtype), found])
        self._set(ordered, idf)

    # Looking up

    def call(self, x: Any) -> Any:
        if self._tokens is None:
            raise ValueError(f"{self.name}: has no vocabulary yet: call adapt(data) or set_vocabulary(tokens)")
        if self.invert:
            return self._inverted(x)
        indices = self._looked_up(x)
        return Tensor(self._encoded(indices))

    def _looked_up(self, x: Any) -> Array:
        """The number of each value; -1 where a mask is left out."""
        values = x.array if isinstance(x, Tensor) else x
        unique, places = np.unique(values, return_inverse=True)
        numbers = np.array([self._index(self._token(value)) for value in unique.tolist()], np.int64)
        return numbers[places].reshape(values.shape)

    def _index(self, token: Any) -> int:
        if self.mask_token is not None and token == self.mask_token:
            return 0 if self._masks else -1
        index = self._indices.get(token)
        if index is not None:
            return index
        if self.num_oov_indices == 0:
            raise ValueError(f"{self.name}: {token!r} is not in the vocabulary; num_oov_indices=1 makes room for such")
        return self._masks + (0 if self.num_oov_indices == 1 else self._bucket(token))

    def _encoded(self, indices: Array) -> Array:
        if self.output_mode == "int":
            return indices
        depth = self._depth()
        if self.output_mode == "one_hot":
            if indices.ndim > 1 and indices.shape[-1] == 1:
                indices = indices[..., 0]
            return vectors(indices[..., None], depth, self._dtype, None, False)
        indices = indices[None] if indices.ndim == 0 else indices
        counted = vectors(indices, depth, self._dtype, None, self.output_mode != "multi_hot")
        if self.output_mode == "tf_idf":
            counted[..., : len(self._idf)] *= self._idf
        return counted

    def _depth(self) -> int:
        return self.max_tokens if self.pad_to_max_tokens and self.max_tokens else self.vocabulary_size()

    def _inverted(self, x: Any) -> Any:
        indices = as_indices(np.asarray(x.array if isinstance(x, Tensor) else x), self.name)
        unknown = indices >= self.vocabulary_size()
        check_range(np.where(unknown, 0, indices), self.vocabulary_size(), self.name)
        tokens = np.array([*self.get_vocabulary(), self.oov_token])
        found = tokens[np.where(unknown, len(tokens) - 1, indices)]
        return found if found.dtype.kind == "U" else Tensor(found.astype(np.int64))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self.output_mode, self._depth())

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "mask_token": self.mask_token,
            "oov_token": self.oov_token,
            "vocabulary": None if self._tokens is None else self.get_vocabulary(),
            "idf_weights": None if self._idf is None else self._idf.tolist(),
            "invert": self.invert,
            "output_mode": self.output_mode,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "salt": None if self.salt is None else list(self.salt),
            "learned": not self._given and self._tokens is not None,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        refuse_paths(config, cls.__name__)
        layer = cls(**{name: value for name, value in config.items() if name != "learned"})
        layer._given = layer._given and not config.get("learned", False)  # what was learned can be learned anew
        return layer


def other_word(output_mode: Any) -> Any:
    """The output mode that another word of Keras's stands for."""
    return (
        {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
        if isinstance(output_mode, str)
        else output_mode
    )


def refuse_paths(config: dict[str, Any], owner: str) -> None:
    """Raises ValueError if a configuration names a file of tokens: one from elsewhere could have any file read."""
    if isinstance(config.get("vocabulary"), str | Path):
        raise ValueError(
            f"{owner}: a configuration holds the tokens of its vocabulary, never the path of a file; "
            f"got {config['vocabulary']!r}"
        )
