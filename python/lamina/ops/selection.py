"""where, select, clip, nonzero: values chosen element by element; cast: another dtype."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.activation_function import ActivationFunctionFunction, Kind
from lamina.ops.arithmetic import compute, number_tensor, operands
from lamina.ops.broadcasting import broadcast_shape, reduce_to, summed_to
from lamina.ops.comparison import compare

WORDS = {4: backend.float32, 8: backend.float64}  # what the kernel moves, by size: bits, whatever they mean


def choose(condition: Any, a: Any, b: Any, shape: tuple[int, ...]) -> Any:
    """condition ? a : b, for arrays of one dtype."""
    y = backend.empty(shape, a.dtype, like=a)
    words = WORDS.get(a.dtype.itemsize)
    if words is None:
        y[...] = b
        backend.array_module(y).copyto(y, a, where=condition)
        return y
    if condition.shape != shape:
        condition = backend.array_module(condition).broadcast_to(condition, shape)
    condition, a, b = backend.contiguous(condition), backend.contiguous(a), backend.contiguous(b)
    backend.kernels(y).where(condition.view(np.uint8), a.view(words), b.view(words), y.view(words))
    return y


def narrowed(x: Any, dtype: Any) -> Any:
    """An array in another dtype; what does not fit into a narrower float becomes infinite, without a warning."""
    if x.dtype == dtype:
        return x
    y = backend.empty(x.shape, dtype, like=x)
    if dtype.itemsize > x.dtype.itemsize:
        y[...] = x
        return y
    with np.errstate(over="ignore", invalid="ignore" if backend.is_narrow(dtype) else None):
        y[...] = x
    return y


class WhereFunction(Function):
    def forward(self, a: Any, b: Any, condition: Any, shape: tuple[int, ...]) -> Any:
        self.saved = condition, a.shape, b.shape
        return choose(condition, a, b, shape)

    def backward(self, dy: Any) -> Any:
        condition, a_shape, b_shape = self.saved
        zero = backend.scalar(0, dy)
        da = reduce_to(choose(condition, dy, zero, dy.shape), a_shape) if self.needs[0] else None
        return da, reduce_to(choose(condition, zero, dy, dy.shape), b_shape) if self.needs[1] else None

    def graph_backward(self, dy: Any) -> Any:
        condition, a_shape, b_shape = self.saved
        chosen = Tensor(condition)
        da = summed_to(where(chosen, dy, 0.0), a_shape) if self.needs[0] else None
        return da, summed_to(where(chosen, 0.0, dy), b_shape) if self.needs[1] else None


class CastFunction(Function):
    def forward(self, x: Any, dtype: Any) -> Any:
        self.saved = x.dtype
        return narrowed(x, dtype)

    def backward(self, dy: Any) -> Any:
        return narrowed(dy, self.saved)

    def graph_backward(self, dy: Any) -> Any:
        return cast(dy, self.saved)


class ClipFunction(Function):
    """The gradient is that of x from bound to bound, both included, and 0 beyond. For bounds that are arrays."""

    def forward(self, x: Any, low: Any, high: Any) -> Any:
        self.saved = x, low, high
        y = x if low is None else compute("maximum", x, low)
        return y if high is None else compute("minimum", y, high)

    def backward(self, dy: Any) -> Any:
        x, low, high = self.saved
        inside = backend.scalar(True, x, bool) if low is None else compare("greater_equal", x, low)
        if high is not None:
            inside = compare("logical_and", inside, compare("less_equal", x, high))
        return reduce_to(choose(inside, dy, backend.scalar(0, dy), dy.shape), x.shape)


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """a where the condition holds, b elsewhere, with NumPy's broadcasting among the three.

    Args:
        condition: tensor of booleans, or of integers (0 is false).
        a: tensor (or array, or number).
        b: the same; dtypes as for `add`.

    Returns:
        Tensor of the common shape.

    Raises:
        ValueError: if the shapes do not broadcast.
        TypeError: if the condition is of floating point, or the dtypes of a and b differ.

    Example:
        >>> import lamina as lm
        >>> lm.ops.where([True, False], lm.tensor([1.0, 2.0]), 0).numpy().tolist()
        [1.0, 0.0]
    """
    a, b = operands("where", a, b)
    chosen = condition.array if isinstance(condition, Tensor) else backend.as_array(condition, like=a.array)
    backend.refuse_mixed("where", condition=chosen, a=a.array)
    if chosen.dtype.kind == "f":
        raise TypeError(f"where: condition must be booleans or integers, got {chosen.dtype}")
    shape = broadcast_shape("where", broadcast_shape("where", a.shape, b.shape), chosen.shape)
    if a.dtype != b.dtype:  # of two integer dtypes the wider one
        dtype = np.result_type(a.dtype, b.dtype)
        a, b = cast(a, dtype), cast(b, dtype)
    return WhereFunction.apply((a, b), chosen.astype(bool, copy=False), shape)


def cast(x: Any, dtype: Any) -> Tensor:
    """x in another dtype. Gradients flow between float dtypes, and none through integers.

    Args:
        x: tensor of any shape and dtype.
        dtype: a NumPy dtype or its name: booleans, integers, or floats of up to 64 bits.

    Returns:
        Tensor of the same shape; x itself if it has that dtype.

    Raises:
        TypeError: for a dtype that is no number, complex or longer than 64 bits.

    Example:
        >>> import lamina as lm
        >>> lm.ops.cast(lm.tensor([1.5, -2.5]), "int32").numpy().tolist()
        [1, -2]
    """
    x = as_tensor(x)
    dtype = backend.dtype_of(dtype)
    if (dtype.kind not in "fiub" or dtype.itemsize > 8) and not backend.is_narrow(dtype):
        raise TypeError(f"cast: dtype must be bool, integer or float up to 64 bits, got {dtype}")
    if x.dtype == dtype:
        return x
    return CastFunction.apply((x if backend.is_float(dtype) and backend.is_float(x.dtype) else x.detach(),), dtype)


def convert(x: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """`cast` of a tensor of floats to another dtype of floats: what is not asked again."""
    return CastFunction.apply((x,), dtype)


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Tensor:
    """For each place the choice of the first condition that holds there, or the default if none does.

    Args:
        condlist: sequence of tensors of booleans.
        choicelist: as many tensors, of one dtype; all shapes broadcast.
        default: tensor or number.

    Returns:
        Tensor of the common shape.

    Raises:
        ValueError: for no conditions, other numbers of choices, or shapes that do not broadcast.
        TypeError: if condlist or choicelist is no sequence, and as in `where`.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([1.0, 2.0, 3.0])
        >>> lm.ops.select([x < 2, x < 3], [x, x * 10], 0.0).numpy().tolist()
        [1.0, 20.0, 0.0]
    """
    for name, given in (("condlist", condlist), ("choicelist", choicelist)):
        if not isinstance(given, list | tuple):
            raise TypeError(f"select: {name} must be a list or tuple, got {type(given).__name__}")
    if not condlist or len(condlist) != len(choicelist):
        raise ValueError(f"select: expected a choice a condition, got {len(condlist)} and {len(choicelist)}")
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = where(condition, choice, result)
    return result


def clip(x: Any, x_min: Any, x_max: Any) -> Tensor:
    """min(max(x, x_min), x_max), element by element; NaN stays NaN.

    Args:
        x: tensor of any shape; float32, float64 or integers.
        x_min: the lower bound: a number, a tensor that broadcasts with x, or None.
        x_max: the upper bound: the same.

    Returns:
        Tensor of the common shape. Gradients flow to x from bound to bound, both included, and none to the bounds.

    Raises:
        ValueError: if the shapes do not broadcast.
        TypeError: for dtypes that differ.

    Example:
        >>> import lamina as lm
        >>> lm.ops.clip(lm.tensor([-1.0, 0.5, 2.0]), 0, 1).numpy().tolist()
        [0.0, 0.5, 1.0]
    """
    x = number_tensor(x, "clip")
    if x.array.dtype.kind == "f" and all(b is None or (type(b) in (int, float) and b == b) for b in (x_min, x_max)):
        return _clamped(x, x_min, x_max)
    bounds: list[Any] = []
    for bound in (x_min, x_max):
        if bound is None:
            bounds.append(None)
        else:
            x, other = operands("clip", x, bound)
            broadcast_shape("clip", x.shape, other.shape)
            bounds.append(other.array)
    backend.refuse_mixed("clip", x=x.array, x_min=bounds[0], x_max=bounds[1])
    numbers = all(b is None or (b.ndim == 0 and backend.on_host(b) and not np.isnan(b)) for b in bounds)
    return _clamped(x, *bounds) if x.array.dtype.kind == "f" and numbers else ClipFunction.apply((x,), *bounds)


def _clamped(x: Tensor, low: Any, high: Any) -> Tensor:
    least, most = -math.inf if low is None else float(low), math.inf if high is None else float(high)
    return ActivationFunctionFunction.apply((x,), Kind.CLAMP, least, most, 0.0)


def nonzero(x: Any) -> tuple[Tensor, ...]:
    """The places of all values that are not 0, row by row: a tensor of indices an axis.

    Returns:
        Tuple of tensors of int64, all of one length.

    Example:
        >>> import lamina as lm
        >>> [i.numpy().tolist() for i in lm.ops.nonzero([[0, 5], [6, 0]])]
        [[0, 1], [1, 0]]
    """
    array = as_tensor(x).array
    places = backend.array_module(array).nonzero(array.reshape(1) if array.ndim == 0 else array)
    return tuple([Tensor(i) for i in places])
