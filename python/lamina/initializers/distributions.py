"""Initializers of one distribution whatever the shape."""

from __future__ import annotations

from typing import Any

from lamina import random
from lamina.initializers.initializer import Array, Initializer, checked_seed, not_negative, number, sizes


class RandomNormal(Initializer):
    """A normal distribution.

    Args:
        mean: its mean.
        stddev: its standard deviation, at least 0.
        seed: None, an integer for the same values at every call, or a `lamina.random.SeedGenerator`, which goes on.

    Example:
        >>> import lamina as lm
        >>> values = lm.initializers.RandomNormal(stddev=0.1, seed=1)((100, 100))
        >>> values.shape, bool(abs(values.mean()) < 0.02)
        ((100, 100), True)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: random.Seed = None) -> None:
        self.mean, self.stddev, self.seed = number(mean, "mean"), not_negative(stddev, "stddev"), checked_seed(seed)

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        return random.normal(sizes(shape), self.mean, self.stddev, dtype, self.seed).array


class RandomUniform(Initializer):
    """A uniform distribution over [minval, maxval).

    Args:
        minval: the least value.
        maxval: the bound above, not less than minval.
        seed: None, an integer for the same values at every call, or a `lamina.random.SeedGenerator`, which goes on.

    Example:
        >>> import lamina as lm
        >>> values = lm.initializers.RandomUniform(minval=-1.0, maxval=1.0, seed=1)((100, 100))
        >>> values.shape, bool(abs(values.mean()) < 0.02)
        ((100, 100), True)
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: random.Seed = None) -> None:
        self.minval, self.maxval = number(minval, "minval"), number(maxval, "maxval")
        self.seed = checked_seed(seed)
        if not self.minval <= self.maxval:
            raise ValueError(f"RandomUniform: expected minval <= maxval, got {minval} and {maxval}")

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        return random.uniform(sizes(shape), self.minval, self.maxval, dtype, self.seed).array


class TruncatedNormal(Initializer):
    """A normal distribution without what lies more than two standard deviations from the mean: that is drawn anew.

    Args:
        mean: its mean.
        stddev: the standard deviation before the cut, at least 0.
        seed: None, an integer for the same values at every call, or a `lamina.random.SeedGenerator`, which goes on.

    Example:
        >>> import lamina as lm
        >>> values = lm.initializers.TruncatedNormal(stddev=0.1, seed=1)((100, 100))
        >>> values.shape, bool(abs(values.mean()) < 0.02)
        ((100, 100), True)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: random.Seed = None) -> None:
        self.mean, self.stddev, self.seed = number(mean, "mean"), not_negative(stddev, "stddev"), checked_seed(seed)

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        return random.truncated_normal(sizes(shape), self.mean, self.stddev, dtype, self.seed).array
