"""Weights drawn at random under torchvision's names, for both sides, and the comparison of what they give."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.torchvision_peer import torch

Arrays = dict[str, np.ndarray[Any, Any]]


def randomized(network: Any, seed: int = 0) -> Arrays:
    """The state of a PyTorch network, every entry drawn anew: statistics and scales of normalisation too.

    Kernels have gain sqrt(2) and the last normalisation of a branch is scaled down, so that signals keep their size.
    """
    generator = torch.Generator().manual_seed(seed)
    state = network.state_dict()
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        if value.ndim > 1:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith("weight"):
            value.uniform_(0.5, 1.0, generator=generator)
        else:
            value.uniform_(-0.2, 0.2, generator=generator)
    network.load_state_dict(state)
    return {name: value.numpy() for name, value in state.items()}


def images(*shape: int) -> np.ndarray[Any, Any]:
    """A batch (N, H, W, C)."""
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def theirs(x: np.ndarray[Any, Any]) -> Any:
    return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def agree(ours: Any, peer: Any, tolerance: float = 1e-4) -> None:
    """Asserts that no value differs by more than the tolerance times the peer's largest."""
    expected = peer.detach().numpy()
    if expected.ndim == 4:
        expected = expected.transpose(0, 2, 3, 1)
    assert np.abs(expected).max() > 0.01  # a signal went through
    assert ours.shape == expected.shape
    difference = np.abs(np.asarray(ours) - expected).max() / np.abs(expected).max()
    assert difference < tolerance, f"largest relative difference {difference:.2e}"
