"""The initializers' base, and draws of random numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from lamina import backend, random

Array = Any
Shape = tuple[int, ...]


class Initializer:
    """First values of a weight: ``__call__(shape, dtype)`` gives an array.

    Example:
        >>> import numpy as np
        >>> import lamina as lm
        >>> class Counting(lm.initializers.Initializer):
        ...     def __call__(self, shape, dtype="float32"):
        ...         return np.arange(np.prod(shape), dtype=dtype).reshape(shape)
        >>> Counting()((2, 2)).tolist()
        [[0.0, 1.0], [2.0, 3.0]]
    """

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        raise NotImplementedError(f"{type(self).__name__}.__call__")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self.__dict__)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def clone(self) -> Any:
        """Another one with the same arguments."""
        return type(self).from_config(self.get_config())


def sizes(shape: Any) -> Shape:
    return (int(shape),) if hasattr(shape, "__index__") else tuple(int(n) for n in shape)


def not_negative(value: float, name: str) -> float:
    if not value >= 0:
        raise ValueError(f"initializers: {name} must be at least 0, got {value}")
    return float(value)


def streams(seed: int | None) -> Iterator[tuple[int, int]]:
    """(seed, stream) for one draw after the other: the global seed's next streams, or those of a seed of one's own."""
    for count in itertools.count():
        yield (random.get_seed(), random.next_stream()) if seed is None else (int(seed), count)


def uniform(shape: Shape, dtype: Any, low: float, high: float, seed: int, stream: int) -> Array:
    array = backend.empty(shape, np.dtype(dtype))
    backend.kernels(array).random_uniform(array, seed, stream, low, high)
    return array


def normal(shape: Shape, dtype: Any, mean: float, stddev: float, seed: int, stream: int) -> Array:
    array = backend.empty(shape, np.dtype(dtype))
    backend.kernels(array).random_normal(array, seed, stream, mean, stddev)
    return array


def truncated_normal(shape: Shape, dtype: Any, mean: float, stddev: float, seed: int | None) -> Array:
    drawn = streams(seed)
    array = normal(shape, dtype, 0.0, 1.0, *next(drawn))
    while (out := np.abs(array) > 2).any():
        array[out] = normal((int(out.sum()),), dtype, 0.0, 1.0, *next(drawn))
    array *= stddev
    array += mean
    return array
