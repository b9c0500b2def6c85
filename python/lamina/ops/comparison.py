"""Comparison, element by element with broadcasting: tensors of booleans, without gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.tensor import Tensor, as_tensor, as_tensors
from lamina.ops.broadcasting import broadcast_shape

KERNELS = {"greater": "less", "greater_equal": "less_equal"}  # with their operands the other way round


def compare(name: str, a: Any, b: Any) -> Any:
    """A comparison of two arrays whose shapes broadcast: by the kernel of that name, or by NumPy.

    Kernels take two arrays of one float dtype, or two of booleans.
    """
    if a.dtype != b.dtype or not (a.dtype.kind == "b" or a.dtype in (backend.float32, backend.float64)):
        xp = backend.array_module(a)
        return xp.asarray(getattr(xp, name)(a, b))
    y = backend.empty(broadcast_shape(name, a.shape, b.shape), bool, like=a)
    if name in KERNELS:
        name, a, b = KERNELS[name], b, a
    a, b = backend.contiguous(a), backend.contiguous(b)
    if a.dtype.kind == "b":
        a, b = a.view(np.uint8), b.view(np.uint8)
    getattr(backend.kernels(y), name)(a, b, y.view(np.uint8))
    return y


def _arrays(op: str, a: Any, b: Any) -> tuple[Any, Any]:
    """Both as arrays of shapes that broadcast; what is Python's own takes the other's dtype if that can hold it."""
    a, b = as_tensors(a, b)
    broadcast_shape(op, a.shape, b.shape)
    backend.refuse_mixed(op, a=a.array, b=b.array)
    return a.array, b.array


def compared(op: str, a: Any, b: Any) -> Tensor:
    """`compare` for what users pass."""
    return Tensor(compare(op, *_arrays(op, a, b)))


def _is_kind(op: str, x: Any, kernel: str, other: float | None) -> Tensor:
    """isnan and its like, of floats by comparing with one number, or with x itself."""
    array = as_tensor(x).array
    if array.dtype not in (backend.float32, backend.float64):
        xp = backend.array_module(array)
        return Tensor(xp.asarray(getattr(xp, op)(array)))
    return Tensor(compare(kernel, array, array if other is None else backend.scalar(other, array)))


def equal(a: Any, b: Any) -> Tensor:
    """Whether a == b, element by element, with NumPy's broadcasting.

    Args:
        a: tensor (or array, or number) of any shape and dtype.
        b: the same, of a shape that broadcasts with that of a.

    Returns:
        Tensor of booleans of the common shape. A comparison with NaN is false, but for `not_equal`.

    Raises:
        ValueError: if the shapes do not broadcast.

    Example:
        >>> import lamina as lm
        >>> lm.ops.equal(lm.tensor([1.0, 2.0]), [1.0, 3.0]).numpy().tolist()
        [True, False]
    """
    return compared("equal", a, b)


def not_equal(a: Any, b: Any) -> Tensor:
    """Whether a != b, element by element; see `equal`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.not_equal(lm.tensor([1.0, 2.0]), [1.0, 3.0]).numpy().tolist()
        [False, True]
    """
    return compared("not_equal", a, b)


def less(a: Any, b: Any) -> Tensor:
    """Whether a < b, element by element; see `equal`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.less(lm.tensor([1.0, 2.0]), [1.0, 3.0]).numpy().tolist()
        [False, True]
    """
    return compared("less", a, b)


def less_equal(a: Any, b: Any) -> Tensor:
    """Whether a <= b, element by element; see `equal`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.less_equal(lm.tensor([1.0, 2.0]), [1.0, 3.0]).numpy().tolist()
        [True, True]
    """
    return compared("less_equal", a, b)


def greater(a: Any, b: Any) -> Tensor:
    """Whether a > b, element by element; see `equal`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.greater(lm.tensor([1.0, 2.0]), [1.0, 3.0]).numpy().tolist()
        [False, False]
    """
    return compared("greater", a, b)


def greater_equal(a: Any, b: Any) -> Tensor:
    """Whether a >= b, element by element; see `equal`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.greater_equal(lm.tensor([1.0, 2.0]), [1.0, 3.0]).numpy().tolist()
        [True, False]
    """
    return compared("greater_equal", a, b)


def isnan(x: Any) -> Tensor:
    """Whether x is NaN, element by element.

    Example:
        >>> import lamina as lm
        >>> lm.ops.isnan(lm.tensor([1.0, float("nan"), float("-inf")])).numpy().tolist()
        [False, True, False]
    """
    return _is_kind("isnan", x, "not_equal", None)


def isinf(x: Any) -> Tensor:
    """Whether x is infinite, element by element.

    Example:
        >>> import lamina as lm
        >>> lm.ops.isinf(lm.tensor([1.0, float("nan"), float("-inf")])).numpy().tolist()
        [False, False, True]
    """
    return _is_kind("isinf", x, "magnitude_equal", np.inf)


def isfinite(x: Any) -> Tensor:
    """Whether x is neither NaN nor infinite, element by element.

    Example:
        >>> import lamina as lm
        >>> lm.ops.isfinite(lm.tensor([1.0, float("nan"), float("-inf")])).numpy().tolist()
        [True, False, False]
    """
    return _is_kind("isfinite", x, "magnitude_less", np.inf)


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether |a - b| <= atol + rtol |b|, element by element; see `equal`.

    Args:
        a: tensor (or array, or number) of any shape.
        b: the same, of a shape that broadcasts with that of a.
        rtol: how much of |b| they may differ by.
        atol: how much they may differ by besides.
        equal_nan: whether NaN is close to NaN.

    Example:
        >>> import lamina as lm
        >>> lm.ops.isclose(lm.tensor([1.0, 2.0]), [1.000001, 2.1]).numpy().tolist()
        [True, False]
    """
    left, right = _arrays("isclose", a, b)
    xp = backend.array_module(left)
    return Tensor(xp.asarray(xp.isclose(left, right, rtol, atol, equal_nan)))
