"""Lamina's side of the cases."""

from __future__ import annotations

from typing import Any

import numpy as np

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
