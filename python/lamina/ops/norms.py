"""logsumexp, norm: over axes."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd import operators
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import abs as absolute
from lamina.ops.arithmetic import compute
from lamina.ops.broadcasting import sum_over
from lamina.ops.checks import float_tensor
from lamina.ops.power import power
from lamina.ops.reductions import count_over, infinite_for_zero, kept_shape, reduced_axes
from lamina.ops.reductions import max as largest
from lamina.ops.reductions import min as smallest
from lamina.ops.reductions import sum as total


def _kernel(name: str, x: Any) -> Any:
    y = backend.empty_like(x)
    getattr(backend.kernels(x), name)(x, y)
    return y


class LogSumExpFunction(Function):
    """log(sum(e^x)) as m + log(sum(e^(x - m))), m the largest; dx = dy e^(x - y)."""

    def forward(self, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        kept = kept_shape(x.shape, axes)
        xp = backend.array_module(x)
        most = xp.max(x, axis=axes, keepdims=True)
        most = xp.where(xp.isfinite(most), most, x.dtype.type(0))  # infinities take care of themselves
        sums = sum_over(_kernel("exp_forward", compute("subtract", x, most)), axes).reshape(kept)
        y = compute("add", _kernel("log_forward", sums), most)
        self.saved = x, y
        return y if keepdims else y.reshape([n for i, n in enumerate(x.shape) if i not in axes])

    def backward(self, dy: Any) -> Any:
        x, y = self.saved
        xp = backend.array_module(y)
        safe = xp.where(xp.isfinite(y), y, y.dtype.type(0))
        share = _kernel("exp_forward", compute("subtract", x, safe))
        return compute("multiply", share, dy.reshape(y.shape))


class EuclideanNormFunction(Function):
    """sqrt(sum(x^2)); dx = dy x / y, and 0 where y is 0."""

    def forward(self, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        y = _kernel("sqrt_forward", sum_over(compute("multiply", x, x), axes).reshape(kept_shape(x.shape, axes)))
        self.saved = x, y
        return y if keepdims else y.reshape([n for i, n in enumerate(x.shape) if i not in axes])

    def backward(self, dy: Any) -> Any:
        x, y = self.saved
        share = compute("divide", dy.reshape(y.shape), backend.array_module(y).where(y == 0, y.dtype.type(1), y))
        return compute("multiply", x, share)

    def graph_backward(self, dy: Any) -> Any:
        y = self.saved[1]
        root = operators.reshape(self.output(y.reshape(dy.shape)), y.shape)
        share = operators.divide(operators.reshape(dy, y.shape), infinite_for_zero(root))
        return operators.multiply(self.inputs[0], share)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """log(sum(e^x)) over axes, without overflow; -infinity over nothing but -infinities.

    Integers become float32. See `sum` for arguments and errors.

    Raises:
        ValueError: also if there is nothing to sum.

    Example:
        >>> import lamina as lm
        >>> lm.ops.logsumexp(lm.tensor([1000.0, 1000.0])).item()
        1000.6931762695312

    Reference:
        Blanchard et al. 2021, "Accurately computing the log-sum-exp and softmax functions".
    """
    x = float_tensor(x, "logsumexp")
    axes = reduced_axes("logsumexp", axis, x.ndim)
    if count_over(x.shape, axes) == 0:
        raise ValueError(f"logsumexp: nothing to sum over axes {axes} of shape {x.shape}")
    return LogSumExpFunction.apply((x,), axes, keepdims)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The norm of vectors along an axis, or of matrices in two, or of all values (axis and ord None).

    ======  ====================================  ===================
    ord     vectors                               matrices
    ======  ====================================  ===================
    None    sqrt(sum(x^2))                        sqrt(sum(x^2))
    "fro"                                         sqrt(sum(x^2))
    inf     max(abs(x))                           max of rows' sums of abs(x)
    -inf    min(abs(x))                           min of rows' sums of abs(x)
    0       how many are not 0
    1       sum(abs(x))                           max of columns' sums of abs(x)
    -1      1 / sum(1 / abs(x))                   min of columns' sums of abs(x)
    2       sqrt(sum(x^2))
    p       sum(abs(x)^p)^(1/p)
    ======  ====================================  ===================

    Args:
        x: tensor of any shape; float32 or float64 (integers become float32).
        ord: which norm.
        axis: an integer (vectors), a pair of them (matrices: rows, columns), or None: all of x, a vector or a matrix if
            ord is given.
        keepdims: keep the axes, with size 1.

    Returns:
        Tensor without the axes. The gradient of sqrt(sum(x^2)) is 0 where all of x is.

    Raises:
        ValueError: for another ord, or an axis that does not fit it.
        TypeError: for an axis that is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.norm(lm.tensor([[3.0, 4.0], [6.0, 8.0]]), axis=1).numpy().tolist()
        [5.0, 10.0]
    """
    x = float_tensor(x, "norm")
    axes = reduced_axes("norm", axis, x.ndim)
    if axis is None and ord is None:
        return EuclideanNormFunction.apply((x,), axes, keepdims)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) == 2:
        rows, columns = axes if axis is None else [int(a) % x.ndim for a in axis]
        return _matrix_norm(x, ord, rows, columns, keepdims)
    raise ValueError(f"norm: axis must name one axis (vectors) or two (matrices), got {axis!r} for shape {x.shape}")


def _vector_norm(x: Tensor, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    if ord is None or ord == 2:
        return EuclideanNormFunction.apply((x,), axes, keepdims)
    if isinstance(ord, str):
        raise ValueError(f"norm: ord of vectors must be a number, got {ord!r}")
    size = absolute(x)
    if ord == math.inf:
        return largest(size, axes, keepdims)
    if ord == -math.inf:
        return smallest(size, axes, keepdims)
    if ord == 0:
        return total(Tensor((x.array != 0).astype(x.dtype)), axes, keepdims)
    if ord == 1:
        return total(size, axes, keepdims)
    return power(total(power(size, ord), axes, keepdims), 1 / ord)


def _matrix_norm(x: Tensor, ord: Any, rows: int, columns: int, keepdims: bool) -> Tensor:
    if ord is None or ord == "fro":
        axes = (rows, columns) if rows < columns else (columns, rows)
        return EuclideanNormFunction.apply((x,), axes, keepdims)
    if ord in (1, -1, math.inf, -math.inf):
        summed, chosen = (rows, columns) if ord in (1, -1) else (columns, rows)
        sums = total(absolute(x), summed, True)
        y = (largest if ord > 0 else smallest)(sums, chosen, True)
        return y if keepdims else total(y, (rows, columns))
    raise ValueError(f"norm: ord of matrices must be None, 'fro', 1, -1, inf or -inf, got {ord!r}")
