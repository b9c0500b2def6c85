"""What a tensor is: shape, ndim, size, dtype, is_tensor; and copies of it."""

from __future__ import annotations

from typing import Any

from lamina.autograd.function import Function
from lamina.autograd.symbolic import SymbolicTensor
from lamina.autograd.tensor import Tensor, as_tensor


def shape(x: Any) -> tuple[Any, ...]:
    """The sizes of a tensor.

    Args:
        x: tensor or array-like. In a graph of layers, sizes that are not known yet are None.

    Returns:
        Tuple of integers.

    Example:
        >>> import lamina as lm
        >>> lm.ops.shape([[1.0, 2.0]])
        (1, 2)
    """
    return tuple(_known(x).shape)


def ndim(x: Any) -> int:
    """How many axes a tensor has.

    Args:
        x: tensor or array-like.

    Returns:
        Number.

    Example:
        >>> import lamina as lm
        >>> lm.ops.ndim([[1.0, 2.0]])
        2
    """
    return len(_known(x).shape)


def size(x: Any) -> int:
    """How many elements a tensor has.

    Args:
        x: tensor or array-like.

    Returns:
        Number.

    Raises:
        ValueError: in a graph of layers, where sizes are not known yet.

    Example:
        >>> import lamina as lm
        >>> lm.ops.size([[1.0, 2.0]])
        2
    """
    sizes = _known(x).shape
    if None in sizes:
        raise ValueError(f"size: the shape {sizes} is not known yet")
    result = 1
    for n in sizes:
        result *= int(n)
    return result


def dtype(x: Any) -> str:
    """The name of a tensor's dtype.

    Args:
        x: tensor or array-like.

    Returns:
        "float32", "int64" ...

    Example:
        >>> import lamina as lm
        >>> lm.ops.dtype([1.0])
        'float32'
    """
    return str(_known(x).dtype.name)


def is_tensor(x: Any) -> bool:
    """Whether something is a tensor of Lamina's, or stands for one in a graph of layers.

    Args:
        x: anything.

    Example:
        >>> import lamina as lm
        >>> lm.ops.is_tensor(lm.tensor([1.0])), lm.ops.is_tensor([1.0])
        (True, False)
    """
    return isinstance(x, Tensor | SymbolicTensor)


class CopyFunction(Function):
    linear = True

    def forward(self, x: Any) -> Any:
        return x.copy()

    def backward(self, dy: Any) -> Any:
        return dy


def copy(x: Any) -> Tensor:
    """The same values in memory of their own. Gradients flow through; `stop_gradient` is what stops them.

    Args:
        x: tensor or array-like.

    Returns:
        Tensor of its shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.copy([1.0, 2.0]).numpy().tolist()
        [1.0, 2.0]
    """
    return CopyFunction.apply((as_tensor(x),))


def _known(x: Any) -> Any:
    return x if isinstance(x, Tensor | SymbolicTensor) else as_tensor(x)
