"""Strings and integers to numbers of a vocabulary, and back: StringLookup, IntegerLookup."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.layers.categories import as_indices
from lamina.layers.checks import choice
from lamina.layers.layer import register
from lamina.layers.vocabulary import IndexLookup
from lamina.layers.words import decoded

Array = Any


@register
class StringLookup(IndexLookup):
    """The number of a string in a vocabulary, or the string of a number.

    Numbers begin with the mask (0, if there is one and the output is "int"), then come unknown strings, then the
    vocabulary.

    Args:
        max_tokens: the most tokens, mask and unknown among them.
        num_oov_indices: how many numbers unknown strings share (by a hash); 0 refuses them.
        mask_token: a string that stands for nothing.
        oov_token: what stands for unknown strings with invert.
        vocabulary: the tokens, or the path of a text file with one a line; otherwise `adapt` learns them.
        idf_weights: with "tf_idf" and a vocabulary: how much each token counts.
        invert: whether to go from numbers to strings: the result is a NumPy array of them.
        output_mode: "int": numbers; "one_hot": a vector for each; "multi_hot": one for each sample (the last axis), 1
            at all of its tokens; "count": how often each came; "tf_idf": that times how rare it is,
            log(1 + documents / (1 + documents with it)).
        pad_to_max_tokens: whether vectors have max_tokens entries however large the vocabulary is.
        sparse: False.
        encoding: of bytes: "utf-8".
        salt: None, or one or two integers: unknown strings are hashed under this key.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lookup = lm.layers.StringLookup(vocabulary=["cat", "dog"])
        >>> lookup([["dog", "cat"], ["cow", "cat"]]).numpy().tolist()
        [[2, 1], [0, 1]]
        >>> lm.layers.StringLookup(vocabulary=["cat", "dog"], invert=True)([1, 2, 0]).tolist()
        ['cat', 'dog', '[UNK]']
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        self.encoding = choice(str(encoding).lower(), ("utf-8",), str(kwargs.get("name") or "StringLookup"), "encoding")
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode,
            pad_to_max_tokens, sparse, salt, **kwargs,
        )  # fmt: skip

    def _accept(self, x: Any) -> Any:
        x = super()._accept(x)
        if isinstance(x, Tensor) and not self.invert:
            if x.size:
                raise TypeError(f"{self.name}: x must be strings, got {x.dtype}")
            return x.array.astype(str)
        return x

    def _token(self, value: Any) -> str:
        return decoded(value, self.name)

    @property
    def _gives_strings(self) -> bool:
        return self.invert


@register
class IntegerLookup(IndexLookup):
    """The number of an integer in a vocabulary, or the integer of a number.

    Args:
        max_tokens, num_oov_indices, mask_token, vocabulary, idf_weights, invert, output_mode, pad_to_max_tokens,
            sparse: see StringLookup.
        oov_token: the integer that stands for unknown ones with invert.
        vocabulary_dtype: "int64".
        oov_method: where several numbers are for unknown integers: "floormod", the remainder by their count, or
            "farmhash", a hash.
        salt: with "farmhash": None, or one or two integers as the hash's key.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lookup = lm.layers.IntegerLookup()
        >>> lookup.adapt([12, 36, 12, 7])
        >>> lookup.get_vocabulary(), lookup([7, 12, 99]).numpy().tolist()
        ([-1, 12, 36, 7], [3, 1, 0])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        owner = str(kwargs.get("name") or "IntegerLookup")
        choice(vocabulary_dtype, ("int64",), owner, "vocabulary_dtype")
        self.oov_method = choice(oov_method, ("floormod", "farmhash"), owner, "oov_method")
        if salt is not None and oov_method != "farmhash":
            raise ValueError(f'{owner}: salt goes with oov_method="farmhash", got {oov_method!r}')
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode,
            pad_to_max_tokens, sparse, salt, **kwargs,
        )  # fmt: skip

    def _accept(self, x: Any) -> Any:
        x = super()._accept(x)
        if not isinstance(x, Tensor):
            raise TypeError(f"{self.name}: x must be integers, got strings")
        return Tensor(as_indices(x.array, self.name))

    def _token(self, value: Any) -> int:
        try:
            token = int(value)  # a file of tokens holds them as text
        except (TypeError, ValueError, OverflowError):
            token = None
        if token is None or (not isinstance(value, str) and token != value):
            raise TypeError(f"{self.name}: expected integers, got {value!r}")
        return token

    def _bucket(self, token: Any) -> int:
        return super()._bucket(token) if self.oov_method == "farmhash" else token % self.num_oov_indices

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "oov_method": self.oov_method}
