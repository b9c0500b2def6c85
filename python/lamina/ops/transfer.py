"""to: a tensor on another device."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor


class ToFunction(Function):
    def forward(self, x: Any, like: Any) -> Any:
        self.saved = x[:0] if x.ndim else x
        return backend.moved(x, like)

    def backward(self, dy: Any) -> Any:
        return backend.moved(dy, self.saved)


def to(x: Any, device: str) -> Tensor:
    """x on a device: itself if it is there, else a copy, through which gradients flow back to where x is.

    A copy to the GPU is made on the current stream; for one to the CPU the program waits.

    Args:
        x: tensor, or what makes one.
        device: "cpu" or "cuda".

    Raises:
        ValueError: for an unknown device.
        RuntimeError: for "cuda", if there is no GPU, or what it needs is missing.

    Example:
        >>> import lamina as lm
        >>> lm.ops.to(lm.tensor([1.0, 2.0]), "cpu").device
        'cpu'
    """
    x = as_tensor(x)
    like = backend.on(device)
    if backend.device_of(x.array) == backend.device_name(device):
        return x
    return ToFunction.apply((x,), like)
