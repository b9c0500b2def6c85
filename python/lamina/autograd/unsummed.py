"""Unsummed: a gradient that two readers of a tensor gave, before it is added up."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend

Array = Any


class Unsummed:
    """a + b. A function that reads its gradient once, with others beside it, adds as it reads: a pass less over memory.

    Functions that do so have `takes_unsummed`; all others are given `dense()`. The bits are the same.

    Attributes:
        a, b: arrays of one shape and dtype; somebody else may hold them too.
    """

    __slots__ = ("a", "b")

    def __init__(self, a: Array, b: Array) -> None:
        self.a = a
        self.b = b

    @staticmethod
    def holds(a: Any, b: Any) -> bool:
        """Whether both are plain arrays of one device and dtype that kernels add in (sums of 16 bits are rounded)."""
        return backend.is_array(a) and type(a) is type(b) and a.dtype == b.dtype and a.dtype.itemsize > 2

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.a.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.a.dtype

    def dense(self) -> Array:
        """The sum as an array of its own."""
        total = backend.empty(self.shape, self.dtype, like=self.a)
        backend.kernels(total).add(backend.contiguous(self.a), backend.contiguous(self.b), total)
        return total
