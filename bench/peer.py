"""PyTorch's side of the cases: our arrays as its tensors, in the layout that suits it best."""

from __future__ import annotations

from typing import Any

import numpy as np


def tensor(array: np.ndarray[Any, Any]) -> Any:
    """A tensor with memory of its own, aligned as PyTorch likes it."""
    import torch

    return torch.from_numpy(array).clone()


def images(array: np.ndarray[Any, Any]) -> Any:
    """(N, H, W, C) as a channels_last tensor (N, C, H, W)."""
    import torch

    return torch.from_numpy(array).permute(0, 3, 1, 2).clone(memory_format=torch.channels_last)


def volumes(array: np.ndarray[Any, Any]) -> Any:
    """(N, D, H, W, C) as a channels_last_3d tensor (N, C, D, H, W)."""
    import torch

    return torch.from_numpy(array).permute(0, 4, 1, 2, 3).clone(memory_format=torch.channels_last_3d)


def kernel(array: np.ndarray[Any, Any]) -> Any:
    """(H, W, I, O) as a channels_last tensor (O, I, H, W)."""
    import torch

    return torch.from_numpy(array).permute(3, 2, 0, 1).clone(memory_format=torch.channels_last)


def from_images(x: Any) -> np.ndarray[Any, Any]:
    return x.detach().permute(0, 2, 3, 1).numpy()


def from_volumes(x: Any) -> np.ndarray[Any, Any]:
    return x.detach().permute(0, 2, 3, 4, 1).numpy()


def from_kernel(x: Any) -> np.ndarray[Any, Any]:
    return x.detach().permute(2, 3, 1, 0).numpy()
