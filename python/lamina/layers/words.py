"""What layers for strings share: strings let through as they are, and hashed under a key."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.layers.fingerprints import fingerprint64, siphash24
from lamina.layers.on_host import HostLayer


class WordLayer(HostLayer):
    """A layer that takes strings or integers as they are."""

    autocast = False
    output_mode: str

    def _accept(self, x: Any) -> Any:
        """Strings stay NumPy arrays: tensors hold numbers alone."""
        if isinstance(x, Tensor):
            return x
        try:
            words = backend.as_strings(x)
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        return Tensor(backend.as_array(x)) if words is None else words

    def _output_specs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Numbers of tokens are integers, whatever the dtype of weights."""
        shape = self.compute_output_shape(tuple(args[0].shape))
        return shape, self._dtype if self.output_mode != "int" else np.dtype(str if self._gives_strings else np.int64)

    @property
    def _gives_strings(self) -> bool:
        """Whether numbers go back to strings."""
        return False


def salt_of(salt: Any, owner: str) -> tuple[int, int] | None:
    """A hash's key: one integer, or two.

    Raises:
        ValueError: for anything else.
    """
    if salt is None:
        return None
    parts = tuple(salt) if isinstance(salt, tuple | list) else (salt, salt)
    if len(parts) != 2 or any(not is_integer(p) for p in parts):
        raise ValueError(f"{owner}: salt must be an integer or two, got {salt!r}")
    return int(parts[0]), int(parts[1])


def hashed(value: Any, salt: tuple[int, int] | None) -> int:
    """A number below 2^64 for a string, or for the digits of an integer, the same on every machine."""
    data = str(value).encode()
    return fingerprint64(data) if salt is None else siphash24(data, salt)


def decoded(value: Any, owner: str) -> str:
    """A string, or bytes as UTF-8.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if not isinstance(value, str):
        raise TypeError(f"{owner}: expected strings, got {value!r}")
    return str(value)


def mean_in_order(values: Any) -> float:
    """The mean, added in order, whatever the machine."""
    return float(np.cumsum(values, dtype=np.float64)[-1] / len(values)) if len(values) else 0.0
