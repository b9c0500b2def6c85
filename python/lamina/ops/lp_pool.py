"""lp_pool1d, lp_pool2d, lp_pool3d: the p-norm of each window."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.activation_function import number
from lamina.ops.arithmetic import abs as absolute
from lamina.ops.arithmetic import compute, multiply, scaled
from lamina.ops.avg_pool import AvgPoolFunction
from lamina.ops.checks import float_tensor
from lamina.ops.pool import pool
from lamina.ops.power import power, simple, simple_power
from lamina.ops.two_numbers import pair_of


class RootFunction(Function):
    """s^(1/p) for s that is not negative. Where s is 0 its slope is infinite: no gradient flows there."""

    def forward(self, s: Any, p: float) -> Any:
        if simple(1 / p):
            y = simple_power(s, 1 / p)
        else:
            y = pair_of("power", s, backend.scalar(1 / p, s))
        self.saved = s, y, p
        return y

    def backward(self, dy: Any) -> Any:
        s, y, p = self.saved
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = backend.array_module(s).where(s == 0, s.dtype.type(0), compute("divide", y, s))
        return compute("multiply", scaled(dy, 1 / p), slope)


def _lp_pool(x: Any, p: Any, count: int, pool_size: Any, strides: Any, padding: Any, op: str) -> Tensor:
    x = float_tensor(x, op)
    p = number(p, op, "p", 0)
    if p == 0:
        raise ValueError(f"{op}: p must be positive, got 0")
    geometry = pool(x, count, pool_size, strides, padding, op)
    powers = multiply(x, x) if p == 2 else absolute(x) if p == 1 else power(absolute(x), p)
    sums = multiply(AvgPoolFunction.apply((powers,), geometry, True), float(math.prod(geometry.kernel)))
    return sums if p == 1 else RootFunction.apply((sums,), p)


def lp_pool1d(x: Any, p: float = 2.0, pool_size: Any = 2, strides: Any = None, padding: Any = "valid") -> Tensor:
    """The p-norm of each window of a sequence; see `lp_pool2d`.

    Args:
        x: sequences (N, L, C), float32 or float64.
        p: positive and finite.
        pool_size, strides, padding: as in `max_pool1d`.

    Returns:
        Tensor (N, OL, C) of x's dtype.

    Raises:
        TypeError: if p is no number, or pool_size, strides or padding are no integers.
        ValueError: if p is not positive and finite; for shapes and windows as `max_pool1d`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.lp_pool1d(lm.tensor([[[3.0], [-4.0]]])).item()
        5.0
    """
    return _lp_pool(x, p, 1, pool_size, strides, padding, "lp_pool1d")


def lp_pool2d(x: Any, p: float = 2.0, pool_size: Any = 2, strides: Any = None, padding: Any = "valid") -> Tensor:
    """The p-norm of each window: y[n, i, j, c] = (sum over the window of |x|^p)^(1/p). Padding counts as 0.

    p = 1 gives sums of magnitudes; the larger p, the closer to max pooling. Where a window is all zeros, no gradient
    flows. PyTorch takes x^p instead of |x|^p, which differs for odd p where x is negative.

    Args:
        x: images (N, H, W, C), float32 or float64.
        p: positive and finite.
        pool_size, strides, padding: as in `max_pool2d`.

    Returns:
        Tensor (N, OH, OW, C) of x's dtype.

    Raises:
        TypeError: if p is no number, or pool_size, strides or padding are no integers.
        ValueError: if p is not positive and finite; for shapes and windows as `max_pool2d`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.lp_pool2d(lm.tensor([[[[1.0], [2.0]], [[2.0], [-4.0]]]])).item()
        5.0

    Reference:
        Gulcehre et al. 2014, "Learned-Norm Pooling for Deep Feedforward and Recurrent Neural Networks",
        arXiv:1311.1780.
    """
    return _lp_pool(x, p, 2, pool_size, strides, padding, "lp_pool2d")


def lp_pool3d(x: Any, p: float = 2.0, pool_size: Any = 2, strides: Any = None, padding: Any = "valid") -> Tensor:
    """The p-norm of each window of a volume; see `lp_pool2d`.

    Args:
        x: volumes (N, D, H, W, C), float32 or float64.
        p: positive and finite.
        pool_size, strides, padding: as in `max_pool3d`.

    Returns:
        Tensor (N, OD, OH, OW, C) of x's dtype.

    Raises:
        TypeError: if p is no number, or pool_size, strides or padding are no integers.
        ValueError: if p is not positive and finite; for shapes and windows as `max_pool3d`.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.ops.lp_pool3d(np.ones((1, 2, 2, 2, 1), "float32"), p=3).item()
        2.0
    """
    return _lp_pool(x, p, 3, pool_size, strides, padding, "lp_pool3d")
