"""What layers share whose work is the CPU's: they look at values one by one, or prepare data."""

from __future__ import annotations

from typing import Any

from lamina import backend, ops
from lamina.autograd.symbolic import leaves_of, map_leaves
from lamina.autograd.tensor import Tensor
from lamina.layers.layer import MISSING, Layer


class HostLayer(Layer):
    """A layer that works on the CPU: what is on a GPU comes from there, and what it gives goes there again.

    The program waits for the GPU then; data are better prepared before they are moved.
    """

    _on_host = True

    def __call__(self, x: Any = MISSING, *args: Any, **kwargs: Any) -> Any:
        cuda = self._device == "cuda" or any(_is_elsewhere(leaf) for leaf in leaves_of(x))
        if not cuda and backend.here is None:
            return super().__call__(x, *args, **kwargs)
        with backend.device("cpu"):
            y = super().__call__(map_leaves(_to_host, x), *args, **kwargs)
        if not cuda:
            return y
        return map_leaves(lambda leaf: ops.to(leaf, "cuda") if isinstance(leaf, Tensor) else leaf, y)


def _is_elsewhere(leaf: Any) -> bool:
    if isinstance(leaf, Tensor):
        return leaf.device != "cpu"
    return backend.is_array(leaf) and not backend.on_host(leaf)


def _to_host(leaf: Any) -> Any:
    if not _is_elsewhere(leaf):
        return leaf
    return ops.to(leaf, "cpu") if isinstance(leaf, Tensor) else backend.to_host(leaf)
