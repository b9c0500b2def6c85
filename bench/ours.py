"""Lamina's side of the cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.case import Arrays, Prepared
from bench.place import PLACE


def tensor(array: np.ndarray[Any, Any], requires_grad: bool = False) -> Any:
    """A tensor with memory from Lamina's pool, as the results of ops have; where and of what dtype PLACE says."""
    import lamina
    from lamina import backend

    if PLACE.ours == "cpu":
        return lamina.Tensor(backend.from_pool(array), requires_grad)
    moved = lamina.tensor(array, device=PLACE.ours)
    if PLACE.dtype != "float32" and array.dtype == np.float32:
        moved = moved.astype(PLACE.dtype)
    return lamina.Tensor(moved.array, requires_grad)


def prepared(forward: Callable[[], Any], dy: Any = None, **gradients: Any) -> Prepared:
    """The forward pass alone, or with a dy the gradients too; what comes out is y and these tensors' gradients.

    Args:
        forward: gives a tensor.
        dy: that tensor's gradient.
        gradients: the tensors whose gradients are made, by the names that the answer has for them.
    """
    if dy is None:
        return Prepared(forward, lambda: {"y": forward().numpy()})

    def both() -> Any:
        for t in gradients.values():
            t.zero_grad()
        y = forward()
        y.backward(dy)
        return y

    def answer() -> Arrays:
        return {"y": both().numpy(), **{name: t.grad.numpy() for name, t in gradients.items()}}

    return Prepared(both, answer)
