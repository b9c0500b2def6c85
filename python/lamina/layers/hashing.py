"""Hashing: strings and integers in numbered bins, without a vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.autograd.tensor import Tensor
from lamina.layers.categories import ENCODINGS, as_indices, encode, encoded_shape
from lamina.layers.checks import choice, positive
from lamina.layers.layer import register
from lamina.layers.preprocessing import not_sparse
from lamina.layers.words import WordLayer, hashed, salt_of


@register
class Hashing(WordLayer):
    """Strings or integers in numbered bins, by a hash: no vocabulary, but different values may share a bin.

    The hash is FarmHash's Fingerprint64, or SipHash-2-4 with a salt: the same on every machine, and as in Keras.
    Integers are hashed as their decimal digits.

    Args:
        num_bins: how many bins, that of the mask among them.
        mask_value: a value that goes to bin 0 alone.
        salt: None, or one or two integers as the hash's key.
        output_mode: "int", "one_hot", "multi_hot" or "count": see Discretization.
        sparse: False.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Hashing(3)([["A"], ["B"], ["C"], ["D"], ["E"]]).numpy().ravel().tolist()
        [1, 0, 1, 1, 2]

    Reference:
        Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning", arXiv:0902.2206.
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("dtype") in ("int64", "int32"):  # Keras's way to say what "int" gives here anyway
            kwargs = {key: value for key, value in kwargs.items() if key != "dtype"}
        super().__init__(**kwargs)
        self.num_bins = positive(num_bins, self.name, "num_bins")
        self.mask_value = mask_value
        self.salt = salt_of(salt, self.name)
        self.output_mode = choice(output_mode, ("int", *ENCODINGS), self.name, "output_mode")
        not_sparse(sparse, self.name)

    def call(self, x: Any) -> Any:
        values = as_indices(x.array, self.name) if isinstance(x, Tensor) else x
        unique, places = np.unique(values, return_inverse=True)
        bins = np.array([self._bin(value) for value in unique.tolist()], np.int64)[places].reshape(values.shape)
        return Tensor(encode(bins, self.output_mode, self.num_bins, self._dtype, self.name))

    def _bin(self, value: Any) -> int:
        number = hashed(value, self.salt)
        if self.mask_value is None or self.num_bins == 1:
            return number % self.num_bins
        return 0 if value == self.mask_value else 1 + number % (self.num_bins - 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self.output_mode, self.num_bins)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_bins": self.num_bins,
            "mask_value": self.mask_value,
            "salt": None if self.salt is None else list(self.salt),
            "output_mode": self.output_mode,
        }
