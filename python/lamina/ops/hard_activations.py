"""Activations of straight pieces: hard_sigmoid, sparse_sigmoid, hard_silu, hard_tanh, the shrinks, threshold."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.activation_function import Kind, activation, number


def hard_sigmoid(x: Any) -> Tensor:
    """y = x / 6 + 1/2, cut to [0, 1], element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.hard_sigmoid(lm.tensor([-3.0, 0.0, 1.5, 9.0])).numpy().tolist()
        [0.0, 0.5, 0.75, 1.0]

    Reference:
        Courbariaux et al. 2015, "BinaryConnect", arXiv:1511.00363.
    """
    return activation(x, "hard_sigmoid", Kind.RAMP, 1 / 6, 0.5)


def sparse_sigmoid(x: Any) -> Tensor:
    """y = (x + 1) / 2, cut to [0, 1], element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.sparse_sigmoid(lm.tensor([-2.0, 0.5, 2.0])).numpy().tolist()
        [0.0, 0.75, 1.0]
    """
    return activation(x, "sparse_sigmoid", Kind.RAMP, 0.5, 0.5)


def hard_silu(x: Any) -> Tensor:
    """y = x hard_sigmoid(x), element by element; also called hard_swish.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.hard_silu(lm.tensor([-4.0, 1.5, 4.0])).numpy().tolist()
        [-0.0, 1.125, 4.0]

    Reference:
        Howard et al. 2019, "Searching for MobileNetV3", arXiv:1905.02244.
    """
    return activation(x, "hard_silu", Kind.HARD_SILU)


hard_swish = hard_silu


def hard_tanh(x: Any, min_value: float = -1.0, max_value: float = 1.0) -> Tensor:
    """y = x, cut to [min_value, max_value], element by element.

    Args:
        x: tensor of any shape, float32 or float64.
        min_value, max_value: the cuts, the first below the second.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if a cut is not finite, or they are in the wrong order.

    Example:
        >>> import lamina as lm
        >>> lm.ops.hard_tanh(lm.tensor([-2.0, 0.5, 2.0])).numpy().tolist()
        [-1.0, 0.5, 1.0]

    Reference:
        Collobert 2004, "Large Scale Machine Learning".
    """
    low, high = number(min_value, "hard_tanh", "min_value"), number(max_value, "hard_tanh", "max_value")
    if low >= high:
        raise ValueError(f"hard_tanh: min_value must be below max_value, got {low} and {high}")
    return activation(x, "hard_tanh", Kind.CLIP, low, high)


def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """y = x where |x| > threshold, else 0, element by element.

    Args:
        x: tensor of any shape, float32 or float64.
        threshold: not negative.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if threshold is negative or not finite.

    Example:
        >>> import lamina as lm
        >>> lm.ops.hard_shrink(lm.tensor([-1.0, 0.25, 2.0])).numpy().tolist()
        [-1.0, 0.0, 2.0]
    """
    return activation(x, "hard_shrink", Kind.HARD_SHRINK, number(threshold, "hard_shrink", "threshold", 0))


def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """y = x - threshold above threshold, x + threshold below -threshold, 0 between, element by element.

    Args:
        x: tensor of any shape, float32 or float64.
        threshold: not negative.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if threshold is negative or not finite.

    Example:
        >>> import lamina as lm
        >>> lm.ops.soft_shrink(lm.tensor([-1.0, 0.25, 2.0])).numpy().tolist()
        [-0.5, 0.0, 1.5]

    Reference:
        Donoho & Johnstone 1994, "Ideal spatial adaptation by wavelet shrinkage".
    """
    return activation(x, "soft_shrink", Kind.SOFT_SHRINK, number(threshold, "soft_shrink", "threshold", 0))


def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """y = x where x > threshold, else default_value, element by element.

    Args:
        x: tensor of any shape, float32 or float64.
        threshold: what x must exceed.
        default_value: what stands for the others; no gradient flows there.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if a number is not finite.

    Example:
        >>> import lamina as lm
        >>> lm.ops.threshold(lm.tensor([-1.0, 0.5, 2.0]), 1.0, -7.0).numpy().tolist()
        [-7.0, -7.0, 2.0]
    """
    limit, value = number(threshold, "threshold", "threshold"), number(default_value, "threshold", "default_value")
    return activation(x, "threshold", Kind.THRESHOLD, limit, value)


def sparse_plus(x: Any) -> Tensor:
    """y = 0 up to -1, (x + 1)^2 / 4 from there to 1, then x, element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.sparse_plus(lm.tensor([-2.0, 0.0, 3.0])).numpy().tolist()
        [0.0, 0.25, 3.0]
    """
    return activation(x, "sparse_plus", Kind.SPARSE_PLUS)
