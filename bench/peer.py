"""PyTorch's side of the cases: our arrays as its tensors, in the layout that suits it best, where PLACE says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.case import Arrays, Prepared
from bench.place import PLACE


def placed(t: Any) -> Any:
    """A tensor over NumPy's memory, on the device and of the dtype that PLACE says."""
    import torch

    if PLACE.peer == "cpu" and PLACE.dtype == "float32":
        return t
    return t.to(PLACE.peer, getattr(torch, PLACE.dtype) if t.dtype == torch.float32 else t.dtype)


def tensor(array: np.ndarray[Any, Any]) -> Any:
    """A tensor with memory of its own, aligned as PyTorch likes it."""
    import torch

    return placed(torch.from_numpy(array)).clone()


def images(array: np.ndarray[Any, Any]) -> Any:
    """(N, H, W, C) as a channels_last tensor (N, C, H, W)."""
    import torch

    return placed(torch.from_numpy(array).permute(0, 3, 1, 2)).clone(memory_format=torch.channels_last)


def volumes(array: np.ndarray[Any, Any]) -> Any:
    """(N, D, H, W, C) as a channels_last_3d tensor (N, C, D, H, W)."""
    import torch

    return placed(torch.from_numpy(array).permute(0, 4, 1, 2, 3)).clone(memory_format=torch.channels_last_3d)


def kernel(array: np.ndarray[Any, Any]) -> Any:
    """(H, W, I, O) as a channels_last tensor (O, I, H, W)."""
    import torch

    return placed(torch.from_numpy(array).permute(3, 2, 0, 1)).clone(memory_format=torch.channels_last)


def numpy(t: Any) -> np.ndarray[Any, Any]:
    """The values of a tensor, wherever it is."""
    import torch

    t = t.detach().cpu()
    return (t.float() if t.dtype in (torch.bfloat16, torch.float16) else t).numpy()


def from_images(x: Any) -> np.ndarray[Any, Any]:
    return numpy(x.permute(0, 2, 3, 1))


def from_volumes(x: Any) -> np.ndarray[Any, Any]:
    return numpy(x.permute(0, 2, 3, 4, 1))


def from_kernel(x: Any) -> np.ndarray[Any, Any]:
    return numpy(x.permute(2, 3, 1, 0))


def prepared(forward: Callable[[], Any], give: Callable[[Any], Any], dy: Any = None, **gradients: Any) -> Prepared:
    """As ours.prepared, in PyTorch.

    Args:
        forward: gives a tensor.
        give: makes it an array of our layout.
        dy: that tensor's gradient, if gradients are wanted.
        gradients: a tensor and what makes its gradient an array of our layout, by the names in the answer.
    """
    if dy is None:
        return Prepared(forward, lambda: {"y": give(forward())})

    def both() -> Any:
        for t, _ in gradients.values():
            t.grad = None
        y = forward()
        y.backward(dy)
        return y

    def answer() -> Arrays:
        return {"y": give(both()), **{name: own(t.grad) for name, (t, own) in gradients.items()}}

    return Prepared(both, answer)
