"""gaussian_noise, gaussian_dropout, alpha_dropout: noise that regularises training."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import add, multiply
from lamina.ops.checks import float_tensor
from lamina.ops.dropout import WORD, mask_shape

ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946  # of selu


def _normal(x: Tensor, mean: float, stddev: float, seed: int, stream: int) -> Tensor:
    noise = backend.empty(x.shape, x.dtype, like=x.array)
    backend.kernels(noise).random_normal(noise, seed & WORD, stream & WORD, mean, stddev)
    return Tensor(noise)


def units(shape: tuple[int, ...], x: Tensor, seed: int, stream: int) -> Any:
    """An array of uniform numbers from 0 to 1, of x's dtype and on its device."""
    drawn = backend.empty(shape, x.dtype, like=x.array)
    backend.kernels(drawn).random_uniform(drawn, seed & WORD, stream & WORD, 0.0, 1.0)
    return drawn


def below_one(rate: Any, op: str) -> float:
    """A rate in [0, 1).

    Raises:
        TypeError: if it is no number.
        ValueError: if it lies outside.
    """
    if isinstance(rate, str) or not hasattr(rate, "__float__"):
        raise TypeError(f"{op}: rate must be a number, got {rate!r}")
    if isinstance(rate, bool) or not 0 <= rate < 1:
        raise ValueError(f"{op}: rate must be at least 0 and below 1, got {rate}")
    return float(rate)


def gaussian_noise(x: Any, stddev: float, seed: int, stream: int) -> Tensor:
    """x plus normal noise around 0.

    Args:
        x: tensor of any shape, float32 or float64.
        stddev: its standard deviation, not negative.
        seed, stream: as for `dropout`: the noise of an element depends on them and its index alone.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if the deviation is negative or not finite.
        TypeError: if x is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> y = lm.ops.gaussian_noise(lm.tensor([0.0] * 1000), stddev=2.0, seed=7, stream=0)
        >>> 1.9 < lm.ops.std(y).item() < 2.1
        True
    """
    x = float_tensor(x, "gaussian_noise")
    if isinstance(stddev, bool) or not 0 <= stddev < math.inf:
        raise ValueError(f"gaussian_noise: stddev must be finite and not negative, got {stddev}")
    return add(x, _normal(x, 0.0, float(stddev), seed, stream))


def gaussian_dropout(x: Any, rate: float, seed: int, stream: int) -> Tensor:
    """x times normal noise around 1 of standard deviation sqrt(rate / (1 - rate)): that of dropout.

    Args:
        x: tensor of any shape, float32 or float64.
        rate: that of the dropout it stands for, in [0, 1).
        seed, stream: as for `dropout`.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if the rate is outside [0, 1).
        TypeError: if x is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> y = lm.ops.gaussian_dropout(lm.tensor([1.0] * 1000), rate=0.5, seed=7, stream=0)
        >>> 0.9 < lm.ops.std(y).item() < 1.1
        True

    Reference:
        Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", section 10.
    """
    x = float_tensor(x, "gaussian_dropout")
    rate = below_one(rate, "gaussian_dropout")
    return multiply(x, _normal(x, 1.0, math.sqrt(rate / (1 - rate)), seed, stream))


def alpha_dropout(x: Any, rate: float, seed: int, stream: int, noise_shape: Any = None) -> Tensor:
    """Dropout for selu: dropped elements get selu's lowest value; all are scaled so that mean 0 and variance 1 stay.

    y = a x + b where an element stays, a p + b where it is dropped, with p = -1.7581 (selu at minus infinity),
    a = ((1 - rate) (1 + rate p^2))^(-1/2), b = -a p rate.

    Args:
        x: tensor of any shape, float32 or float64.
        rate: the fraction to drop, in [0, 1).
        seed, stream: as for `dropout`.
        noise_shape: the shape of the mask, broadcast over x, as for `dropout`.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if the rate is outside [0, 1), or the noise_shape does not broadcast to x.
        TypeError: if x is not float32 or float64.

    Example:
        >>> import lamina as lm
        >>> y = lm.ops.alpha_dropout(lm.tensor([0.0] * 1000), rate=0.5, seed=7, stream=0)
        >>> sorted({round(v, 3) for v in y.numpy().tolist()})
        [-0.779, 0.779]

    Reference:
        Klambauer et al. 2017, "Self-Normalizing Neural Networks", arXiv:1706.02515.
    """
    x = float_tensor(x, "alpha_dropout")
    rate = below_one(rate, "alpha_dropout")
    shape = x.shape if noise_shape is None else mask_shape("alpha_dropout", noise_shape, x.shape)
    kept = units(shape, x, seed, stream) >= rate
    lowest = -ALPHA * SCALE
    a = 1 / math.sqrt((1 - rate) * (1 + rate * lowest * lowest))
    b = -a * lowest * rate
    xp = backend.array_module(kept)
    factor = xp.where(kept, a, 0.0).astype(x.dtype)
    return add(multiply(x, Tensor(factor)), Tensor(xp.where(kept, b, a * lowest + b).astype(x.dtype)))
