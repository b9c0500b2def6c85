"""relu with all that may be said about it, relu6, leaky_relu; elu, celu, selu."""

from __future__ import annotations

import math
from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.activation_function import Kind, activation, number

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def rectifier(x: Any, negative_slope: Any, max_value: Any, threshold: Any, op: str) -> Tensor:
    """x > threshold: min(x, max_value), else negative_slope (x - threshold); for the op of this name."""
    slope = number(negative_slope, op, "negative_slope", 0)
    most = math.inf if max_value is None else number(max_value, op, "max_value", 0)
    return activation(x, op, Kind.RECTIFIER, slope, most, number(threshold, op, "threshold", 0))


def relu6(x: Any) -> Tensor:
    """y = min(max(0, x), 6), element by element. NaN stays NaN.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.relu6(lm.tensor([-1.0, 2.0, 8.0])).numpy().tolist()
        [0.0, 2.0, 6.0]

    Reference:
        Krizhevsky 2010, "Convolutional Deep Belief Networks on CIFAR-10".
    """
    return rectifier(x, 0.0, 6.0, 0.0, "relu6")


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """y = x where x > 0, else negative_slope x, element by element.

    Args:
        x: tensor of any shape, float32 or float64.
        negative_slope: the slope below 0, not negative.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if negative_slope is negative or not finite.

    Example:
        >>> import lamina as lm
        >>> lm.ops.leaky_relu(lm.tensor([-4.0, 2.0]), 0.25).numpy().tolist()
        [-1.0, 2.0]

    Reference:
        Maas et al. 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic Models".
    """
    return rectifier(x, negative_slope, None, 0.0, "leaky_relu")


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """Exponential linear unit, y = x where x > 0, else alpha (e^x - 1), element by element.

    Args:
        x: tensor of any shape, float32 or float64.
        alpha: minus what y tends to far below 0.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if alpha is not finite.

    Example:
        >>> import lamina as lm
        >>> lm.ops.elu(lm.tensor([-100.0, 0.0, 2.0])).numpy().tolist()
        [-1.0, 0.0, 2.0]

    Reference:
        Clevert et al. 2016, "Fast and Accurate Deep Network Learning by Exponential Linear Units", arXiv:1511.07289.
    """
    return activation(x, "elu", Kind.EXPONENTIAL_LINEAR, number(alpha, "elu", "alpha"), 1.0, 1.0)


def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """y = x where x > 0, else alpha (e^(x / alpha) - 1), element by element: an elu without a bend at 0.

    Args:
        x: tensor of any shape, float32 or float64.
        alpha: minus what y tends to far below 0; positive.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if alpha is not finite and positive.

    Example:
        >>> import lamina as lm
        >>> lm.ops.celu(lm.tensor([-100.0, 2.0]), 2.0).numpy().tolist()
        [-2.0, 2.0]

    Reference:
        Barron 2017, "Continuously Differentiable Exponential Linear Units", arXiv:1704.07483.
    """
    alpha = number(alpha, "celu", "alpha", 0)
    if alpha == 0:
        raise ValueError("celu: alpha must be positive, got 0")
    return activation(x, "celu", Kind.EXPONENTIAL_LINEAR, alpha, 1.0, 1.0 / alpha)


def selu(x: Any) -> Tensor:
    """Scaled elu, y = s x where x > 0, else s a (e^x - 1), with s = 1.0507... and a = 1.6733..., element by element.

    With these constants the mean and variance of activations tend to 0 and 1 from layer to layer.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.selu(lm.tensor([-100.0, 1.0])).numpy().round(4).tolist()
        [-1.7581000328063965, 1.0506999492645264]

    Reference:
        Klambauer et al. 2017, "Self-Normalizing Neural Networks", arXiv:1706.02515.
    """
    return activation(x, "selu", Kind.EXPONENTIAL_LINEAR, SELU_ALPHA, SELU_SCALE, 1.0)
