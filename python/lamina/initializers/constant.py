"""Initializers that draw nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.initializers.initializer import Array, Initializer, number, sizes


class Zeros(Initializer):
    """All 0.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.Zeros()((2,)).tolist()
        [0.0, 0.0]
    """

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        return backend.zeros(sizes(shape), dtype)


class Ones(Initializer):
    """All 1.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.Ones()((2,)).tolist()
        [1.0, 1.0]
    """

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        return backend.full(sizes(shape), 1, dtype)


class Constant(Initializer):
    """All one value, or an array's values.

    Args:
        value: the number, or an array that is broadcast to the shape.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.Constant(2.5)((2,)).tolist()
        [2.5, 2.5]
    """

    def __init__(self, value: Any = 0.0) -> None:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"initializers: value must be a number or numbers, got {value!r}")
        self.value = float(value) if array.ndim == 0 else array.tolist()

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        array = backend.empty(sizes(shape), np.dtype(dtype))
        array[...] = self.value
        return array


class Identity(Initializer):
    """The identity matrix; ones on the diagonal of one that is not square.

    Args:
        gain: factor of the result.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.Identity(2.0)((2, 3)).tolist()
        [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = number(gain, "gain")

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        shape = sizes(shape)
        if len(shape) != 2:
            raise ValueError(f"Identity: expected a shape of two sizes, got {shape}")
        array = backend.zeros(shape, dtype)
        np.fill_diagonal(array, self.gain)
        return array


class Bilinear(Initializer):
    """Kernels (height, width, filters, channels) of a transposed convolution that interpolates channel by channel.

    A kernel of size 2 f - f % 2 with strides of f enlarges f times, bilinearly. Channel i goes to filter i alone.

    Raises:
        ValueError: when called for a shape that is none of a kernel.

    Example:
        >>> import lamina as lm
        >>> lm.initializers.Bilinear()((1, 4, 1, 1)).reshape(-1).tolist()
        [0.25, 0.75, 0.75, 0.25]

    Reference:
        Long et al. 2015, arXiv:1411.4038.
    """

    def __call__(self, shape: Any, dtype: Any = "float32") -> Array:
        full = sizes(shape)
        if len(full) != 4:
            raise ValueError(f"initializers: Bilinear needs a shape (height, width, filters, channels), got {full}")
        rows, columns = (_ramp(n) for n in full[:2])
        array = backend.zeros(full, dtype)
        both = np.arange(min(full[2:]))
        array[:, :, both, both] = np.outer(rows, columns)[:, :, None]
        return array


def _ramp(size: int) -> Array:
    """How much each of so many taps takes in of the value at the middle."""
    factor = (size + 1) // 2
    return 1 - np.abs(np.arange(size) - (size - 1) / 2) / factor
