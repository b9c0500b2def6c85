"""broadcast_to: a tensor repeated along axes of size 1, as a view."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.broadcasting import broadcast_shape, reduce_to


class BroadcastToFunction(Function):
    linear = True

    def forward(self, x: Any, shape: tuple[int, ...]) -> Any:
        self.saved = x.shape
        return backend.array_module(x).broadcast_to(x, shape)

    def backward(self, dy: Any) -> Any:
        return reduce_to(dy, self.saved)


def broadcast_to(x: Any, shape: int | tuple[int, ...]) -> Tensor:
    """x, repeated along axes of size 1 and new ones in front, as NumPy broadcasts. A view, which costs nothing.

    Args:
        x: tensor of any shape and dtype.
        shape: sizes; the last ones fit those of x.

    Returns:
        Tensor of that shape.

    Raises:
        ValueError: if x does not broadcast to it.

    Example:
        >>> import lamina as lm
        >>> lm.ops.broadcast_to(lm.tensor([1.0, 2.0]), (2, 2)).numpy().tolist()
        [[1.0, 2.0], [1.0, 2.0]]
    """
    x = as_tensor(x)
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if len(sizes) < x.ndim or broadcast_shape("broadcast_to", x.shape, sizes) != sizes:
        raise ValueError(f"broadcast_to: shape {x.shape} does not broadcast to {sizes}")
    return BroadcastToFunction.apply((x,), sizes)
