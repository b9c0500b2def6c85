"""glu: one half, gated by the other."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import multiply
from lamina.ops.checks import float_tensor
from lamina.ops.elementary import sigmoid
from lamina.ops.joining import split
from lamina.ops.shapes import one_axis


def glu(x: Any, axis: int = -1) -> Tensor:
    """Gated linear unit: y = a sigmoid(b), where a and b are the first and second half of x along an axis.

    Args:
        x: tensor of one dimension or more, float32 or float64.
        axis: the axis that is halved; its size must be even.

    Returns:
        Tensor of x's dtype, half as long along the axis.

    Raises:
        ValueError: if x has no such axis, or its size is odd.

    Example:
        >>> import lamina as lm
        >>> lm.ops.glu(lm.tensor([[3.0, 4.0, 0.0, 100.0]])).numpy().tolist()
        [[1.5, 4.0]]

    Reference:
        Dauphin et al. 2017, "Language Modeling with Gated Convolutional Networks", arXiv:1612.08083.
    """
    x = float_tensor(x, "glu")
    axis = one_axis("glu", axis, x.ndim)
    if x.shape[axis] % 2:
        raise ValueError(f"glu: the size of axis {axis} must be even, got shape {x.shape}")
    a, b = split(x, 2, axis)
    return multiply(a, sigmoid(b))
