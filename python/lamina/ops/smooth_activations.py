"""Smooth activations: gelu, silu, softplus, log_sigmoid, softsign, mish, tanh_shrink, squareplus."""

from __future__ import annotations

from typing import Any

from lamina.autograd.tensor import Tensor
from lamina.ops.activation_function import Kind, activation, number


def gelu(x: Any, approximate: bool = False) -> Tensor:
    """Gaussian error linear unit, y = x Phi(x) = x / 2 (1 + erf(x / sqrt 2)), element by element.

    Args:
        x: tensor of any shape, float32 or float64.
        approximate: whether Phi is (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, as in GPT-2, instead.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.gelu(lm.tensor([-1.0, 0.0, 1.0])).numpy().round(4).tolist()
        [-0.15870000422000885, 0.0, 0.8413000106811523]

    Reference:
        Hendrycks & Gimpel 2016, "Gaussian Error Linear Units (GELUs)", arXiv:1606.08415.
    """
    return activation(x, "gelu", Kind.GELU_TANH if approximate else Kind.GELU)


def silu(x: Any) -> Tensor:
    """Sigmoid linear unit, also called swish: y = x / (1 + e^-x), element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.silu(lm.tensor([0.0, 1.0])).numpy().round(4).tolist()
        [0.0, 0.7311000227928162]

    Reference:
        Elfwing et al. 2017, "Sigmoid-Weighted Linear Units for Neural Network Function Approximation in Reinforcement
        Learning", arXiv:1702.03118; Ramachandran et al. 2017, "Searching for Activation Functions", arXiv:1710.05941.
    """
    return activation(x, "silu", Kind.SILU)


swish = silu


def softplus(x: Any, beta: float = 1.0) -> Tensor:
    """y = log(1 + e^(beta x)) / beta, element by element: a smooth relu. Never overflows.

    Args:
        x: tensor of any shape, float32 or float64.
        beta: how sharp the bend at 0 is; positive.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if beta is not finite and positive.

    Example:
        >>> import lamina as lm
        >>> lm.ops.softplus(lm.tensor([0.0, 1000.0])).numpy().round(4).tolist()
        [0.6930999755859375, 1000.0]

    Reference:
        Dugas et al. 2001, "Incorporating Second-Order Functional Knowledge for Better Option Pricing".
    """
    beta = number(beta, "softplus", "beta", 0)
    if beta == 0:
        raise ValueError("softplus: beta must be positive, got 0")
    return activation(x, "softplus", Kind.SOFTPLUS, beta)


def log_sigmoid(x: Any) -> Tensor:
    """y = log(1 / (1 + e^-x)), element by element. Never overflows, and loses nothing far below 0.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.log_sigmoid(lm.tensor([-1000.0, 0.0])).numpy().round(4).tolist()
        [-1000.0, -0.6930999755859375]
    """
    return activation(x, "log_sigmoid", Kind.LOG_SIGMOID)


def softsign(x: Any) -> Tensor:
    """y = x / (1 + |x|), element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.softsign(lm.tensor([-3.0, 1.0])).numpy().tolist()
        [-0.75, 0.5]

    Reference:
        Bergstra et al. 2009, "Quadratic Polynomials Learn Better Image Features".
    """
    return activation(x, "softsign", Kind.SOFTSIGN)


def mish(x: Any) -> Tensor:
    """y = x tanh(log(1 + e^x)), element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.mish(lm.tensor([0.0, 1.0])).numpy().round(4).tolist()
        [0.0, 0.8651000261306763]

    Reference:
        Misra 2019, "Mish: A Self Regularized Non-Monotonic Activation Function", arXiv:1908.08681.
    """
    return activation(x, "mish", Kind.MISH)


def tanh_shrink(x: Any) -> Tensor:
    """y = x - tanh x, element by element.

    Args:
        x: tensor of any shape, float32 or float64.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.tanh_shrink(lm.tensor([0.0, 20.0])).numpy().tolist()
        [0.0, 19.0]
    """
    return activation(x, "tanh_shrink", Kind.TANH_SHRINK)


def squareplus(x: Any, b: float = 4.0) -> Tensor:
    """y = (x + sqrt(x^2 + b)) / 2, element by element: a smooth relu without an exponential.

    Args:
        x: tensor of any shape, float32 or float64.
        b: how wide the bend at 0 is, not negative; 0 gives relu.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if b is negative or not finite.

    Example:
        >>> import lamina as lm
        >>> lm.ops.squareplus(lm.tensor([0.0, 1.5])).numpy().tolist()
        [1.0, 2.0]

    Reference:
        Barron 2021, "Squareplus: A Softplus-Like Algebraic Rectifier", arXiv:2112.11687.
    """
    return activation(x, "squareplus", Kind.SQUAREPLUS, number(b, "squareplus", "b", 0))
