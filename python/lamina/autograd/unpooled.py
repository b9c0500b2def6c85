"""Unpooled: the gradient of what a max pool was given, before it is written out."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend

Array = Any


class Unpooled:
    """Zero but where a window found its largest value: there it is what the pool's output was given.

    An activation's derivative is taken from its output, and the pool's output is the activation's at the winners. So
    that derivative, and a sum over pixels as well, need only what was pooled: a quarter of the values for windows of
    2 x 2. Functions that know this have `takes_unpooled`; all others are given `dense()`.

    Attributes:
        dy: the gradient of the pool's output.
        y: the pool's output.
        offsets: where in its window each value of y was found.
        window: the windows, as the kernels take them.
        images: the shape of dx as the kernels take it, (N, D, H, W, C).
        shape: that of dx.
    """

    __slots__ = ("dy", "images", "offsets", "shape", "window", "y")

    def __init__(
        self, dy: Array, y: Array, offsets: Array, window: tuple[int, ...], images: tuple[int, ...], shape: Any
    ) -> None:
        self.dy = dy
        self.y = y
        self.offsets = offsets
        self.window = window
        self.images = images
        self.shape = shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.dy.dtype

    def replace(self, dy: Array) -> Unpooled:
        """The same with another gradient of the pool's output."""
        return Unpooled(dy, self.y, self.offsets, self.window, self.images, self.shape)

    def dense(self) -> Array:
        """dx as an array."""
        dx = backend.empty(self.images, self.dtype, like=self.dy)
        backend.kernels(dx).max_pool_backward(backend.contiguous(self.dy), self.offsets, dx, self.window)
        return dx.reshape(self.shape)
