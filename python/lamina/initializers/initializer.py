"""The initializers' base, and checks of their arguments."""

from __future__ import annotations

import math
from typing import Any

from lamina import random
from lamina.ops import checks

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
        """The constructor's arguments. Of a seed that goes on, the one that it began with."""
        config = dict(self.__dict__)
        if isinstance(config.get("seed"), random.SeedGenerator):
            config["seed"] = config["seed"].seed
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def clone(self) -> Any:
        """Another one with the same arguments."""
        return type(self).from_config(self.get_config())


def sizes(shape: Any) -> Shape:
    return checks.sizes(shape if hasattr(shape, "__index__") else tuple(shape), "initializers")


def number(value: Any, name: str) -> float:
    """value as a finite number.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is NaN or infinite.
    """
    value = checks.real_number(value, "initializers", name)
    if not math.isfinite(value):
        raise ValueError(f"initializers: {name} must be finite, got {value}")
    return value


def not_negative(value: Any, name: str) -> float:
    """value as a finite number of at least 0; errors as of `number`."""
    value = number(value, name)
    if value < 0:
        raise ValueError(f"initializers: {name} must be at least 0, got {value}")
    return value


def checked_seed(seed: Any) -> Any:
    """None, an integer or a SeedGenerator.

    Raises:
        TypeError: for anything else.
    """
    if seed is None or isinstance(seed, random.SeedGenerator):
        return seed
    return checks.integer(seed, "initializers", "seed")
