"""add, subtract, multiply, divide, maximum, minimum, negative, abs, square: element by element, with broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor, as_tensors
from lamina.ops.broadcasting import broadcast_shape, reduce_to, summed_to
from lamina.ops.checks import float_tensor


def operands(op: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Both as tensors of one dtype: what is Python's own takes the other's dtype, integers that of floats.

    Raises:
        TypeError: for two different float dtypes.
    """
    a, b = as_tensors(a, b)
    a_dtype, b_dtype = a.array.dtype, b.array.dtype
    if a_dtype is b_dtype and (a_dtype is backend.float32 or a_dtype is backend.float64):
        return a, b
    if a_dtype != b_dtype:
        if a_dtype.kind != "f" and b_dtype.kind == "f":
            a, a_dtype = Tensor(a.array.astype(b_dtype)), b_dtype
        elif b_dtype.kind != "f" and a_dtype.kind == "f":
            b = Tensor(b.array.astype(a_dtype))
        elif a_dtype.kind == "f":
            raise TypeError(f"{op}: a and b must have one dtype, got {a_dtype} and {b_dtype}; see lamina.ops.cast")
    if backend.is_narrow(a_dtype):
        a, b = float_tensor(a, op, "a"), float_tensor(b, op, "b")
    return a, b


def compute(name: str, a: Any, b: Any) -> Any:
    """a op b for arrays of one dtype: by the kernel of that name, or by NumPy for integers."""
    if a.dtype.kind != "f" and not backend.is_float(a.dtype):
        xp = backend.array_module(a)
        return xp.asarray(getattr(xp, name)(a, b))
    a, b = backend.contiguous(a), backend.contiguous(b)
    if a.shape == b.shape:
        y = backend.empty_like(a)
    else:
        y = backend.empty(broadcast_shape(name, a.shape, b.shape), a.dtype, like=a)
    getattr(backend.kernels(a), name)(a, b, y)
    return y


def scaled(array: Any, factor: float) -> Any:
    """array * factor, the factor in the array's dtype."""
    return compute("multiply", array, backend.scalar(factor, array))


class AddFunction(Function):
    def forward(self, a: Any, b: Any) -> Any:
        self.saved = a.shape, b.shape
        return compute("add", a, b)

    def backward(self, dy: Any) -> Any:
        a_shape, b_shape = self.saved
        return reduce_to(dy, a_shape) if self.needs[0] else None, reduce_to(dy, b_shape) if self.needs[1] else None

    def graph_backward(self, dy: Any) -> Any:
        a_shape, b_shape = self.saved
        return summed_to(dy, a_shape) if self.needs[0] else None, summed_to(dy, b_shape) if self.needs[1] else None


class SubtractFunction(Function):
    def forward(self, a: Any, b: Any) -> Any:
        self.saved = a.shape, b.shape
        return compute("subtract", a, b)

    def backward(self, dy: Any) -> Any:
        a_shape, b_shape = self.saved
        da = reduce_to(dy, a_shape) if self.needs[0] else None
        return da, scaled(reduce_to(dy, b_shape), -1) if self.needs[1] else None

    def graph_backward(self, dy: Any) -> Any:
        a_shape, b_shape = self.saved
        da = summed_to(dy, a_shape) if self.needs[0] else None
        return da, negative(summed_to(dy, b_shape)) if self.needs[1] else None


class MultiplyFunction(Function):
    def forward(self, a: Any, b: Any) -> Any:
        self.saved = a, b
        return compute("multiply", a, b)

    def backward(self, dy: Any) -> Any:
        a, b = self.saved
        da = reduce_to(compute("multiply", dy, b), a.shape) if self.needs[0] else None
        return da, reduce_to(compute("multiply", dy, a), b.shape) if self.needs[1] else None

    def graph_backward(self, dy: Any) -> Any:
        a, b = self.inputs
        da = summed_to(multiply(dy, b), a.shape) if self.needs[0] else None  # type: ignore[union-attr]
        return da, summed_to(multiply(dy, a), b.shape) if self.needs[1] else None  # type: ignore[union-attr]


class DivideFunction(Function):
    def forward(self, a: Any, b: Any) -> Any:
        y = compute("divide", a, b)
        self.saved = a.shape, b, y
        return y

    def backward(self, dy: Any) -> Any:
        a_shape, b, y = self.saved
        quotient = compute("divide", dy, b)
        da = reduce_to(quotient, a_shape) if self.needs[0] else None
        if not self.needs[1]:
            return da, None
        return da, scaled(reduce_to(compute("multiply", quotient, y), b.shape), -1)

    def graph_backward(self, dy: Any) -> Any:
        a_shape, _, y = self.saved
        b: Any = self.inputs[1]
        quotient = divide(dy, b)
        da = summed_to(quotient, a_shape) if self.needs[0] else None
        if not self.needs[1]:
            return da, None
        return da, negative(summed_to(multiply(quotient, self.output(y)), b.shape))


class ExtremeFunction(Function):
    """maximum and minimum. Where both are equal each gets half of the gradient."""

    def forward(self, a: Any, b: Any, name: str) -> Any:
        self.saved = a, b, name
        return compute(name, a, b)

    def backward(self, dy: Any) -> Any:
        a, b, name = self.saved
        share = backend.empty(dy.shape, dy.dtype, like=dy)  # of a
        share[...] = a > b if name == "maximum" else a < b
        backend.array_module(a).copyto(share, dy.dtype.type(0.5), where=a == b)
        da = reduce_to(compute("multiply", dy, share), a.shape) if self.needs[0] else None
        if not self.needs[1]:
            return da, None
        return da, reduce_to(compute("multiply", dy, compute("subtract", backend.scalar(1, dy), share)), b.shape)

    def graph_backward(self, dy: Any) -> Any:
        a, b, name = self.saved
        share = backend.empty(dy.shape, dy.dtype, like=dy.array)
        share[...] = a > b if name == "maximum" else a < b
        backend.array_module(a).copyto(share, dy.dtype.type(0.5), where=a == b)
        da = summed_to(multiply(dy, Tensor(share)), a.shape) if self.needs[0] else None
        return da, summed_to(multiply(dy, Tensor(1 - share)), b.shape) if self.needs[1] else None


class NegativeFunction(Function):
    def forward(self, x: Any) -> Any:
        return scaled(x, -1) if x.dtype.kind == "f" else backend.array_module(x).asarray(-x)

    def backward(self, dy: Any) -> Any:
        return scaled(dy, -1)

    def graph_backward(self, dy: Any) -> Any:
        return negative(dy)


class AbsFunction(Function):
    def forward(self, x: Any) -> Any:
        self.saved = x
        return backend.array_module(x).abs(x, out=backend.empty(x.shape, x.dtype, like=x))

    def backward(self, dy: Any) -> Any:
        x = self.saved
        xp = backend.array_module(x)
        return compute("multiply", dy, xp.sign(x, out=backend.empty(x.shape, x.dtype, like=x)))

    def graph_backward(self, dy: Any) -> Any:
        return multiply(dy, Tensor(backend.array_module(self.saved).sign(self.saved)))


class SquareFunction(Function):
    def forward(self, x: Any) -> Any:
        self.saved = x
        return compute("multiply", x, x)

    def backward(self, dy: Any) -> Any:
        return compute("multiply", scaled(dy, 2), self.saved)

    def graph_backward(self, dy: Any) -> Any:
        return multiply(multiply(dy, 2), self.inputs[0])


def add(a: Any, b: Any) -> Tensor:
    """a + b, element by element, with NumPy's broadcasting.

    A Python number, or a list of them, takes the dtype of the other operand, and so do integers beside floats. Two
    tensors of integers give integers.

    Args:
        a: tensor (or array, or number) of any shape.
        b: the same, of a shape that broadcasts with that of a.

    Returns:
        Tensor of the common shape.

    Raises:
        ValueError: if the shapes do not broadcast.
        TypeError: for float32 with float64.

    Example:
        >>> import lamina as lm
        >>> lm.ops.add(lm.tensor([[1.0], [2.0]]), [10.0, 20.0]).numpy().tolist()
        [[11.0, 21.0], [12.0, 22.0]]
    """
    return AddFunction.apply(operands("add", a, b))


def subtract(a: Any, b: Any) -> Tensor:
    """a - b, element by element; see `add` for shapes, dtypes and errors.

    Example:
        >>> import lamina as lm
        >>> lm.ops.subtract(3, lm.tensor([1.0, 5.0])).numpy().tolist()
        [2.0, -2.0]
    """
    return SubtractFunction.apply(operands("subtract", a, b))


def multiply(a: Any, b: Any) -> Tensor:
    """a * b, element by element; see `add` for shapes, dtypes and errors.

    Example:
        >>> import lamina as lm
        >>> lm.ops.multiply(lm.tensor([1.0, 5.0]), 2).numpy().tolist()
        [2.0, 10.0]
    """
    return MultiplyFunction.apply(operands("multiply", a, b))


def divide(a: Any, b: Any) -> Tensor:
    """a / b, element by element; see `add` for shapes and errors. Integers divided by integers give float32.

    Division by zero gives infinity or NaN, as IEEE 754 says, and no warning.

    Example:
        >>> import lamina as lm
        >>> lm.ops.divide(lm.tensor([1.0, -1.0, 3.0]), [2.0, 0.0, 3.0]).numpy().tolist()
        [0.5, -inf, 1.0]
    """
    a, b = operands("divide", a, b)
    return DivideFunction.apply((float_tensor(a, "divide"), float_tensor(b, "divide")))


def maximum(a: Any, b: Any) -> Tensor:
    """The larger of a and b, element by element, NaN if either is; see `add` for shapes, dtypes and errors.

    Where both are equal, each gets half of the gradient.

    Example:
        >>> import lamina as lm
        >>> lm.ops.maximum(lm.tensor([1.0, 5.0]), 2).numpy().tolist()
        [2.0, 5.0]
    """
    return ExtremeFunction.apply(operands("maximum", a, b), "maximum")


def minimum(a: Any, b: Any) -> Tensor:
    """The smaller of a and b, element by element, NaN if either is; see `add` for shapes, dtypes and errors.

    Where both are equal, each gets half of the gradient.

    Example:
        >>> import lamina as lm
        >>> lm.ops.minimum(lm.tensor([1.0, 5.0]), 2).numpy().tolist()
        [1.0, 2.0]
    """
    return ExtremeFunction.apply(operands("minimum", a, b), "minimum")


def negative(x: Any) -> Tensor:
    """-x.

    Args:
        x: tensor of any shape; float32, float64 or integers.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.negative(lm.tensor([1.0, -2.0])).numpy().tolist()
        [-1.0, 2.0]
    """
    return NegativeFunction.apply((number_tensor(x, "negative"),))


def abs(x: Any) -> Tensor:
    """|x|; its gradient is sign(x), 0 at 0.

    Args:
        x: tensor of any shape; float32, float64 or integers.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.abs(lm.tensor([1.0, -2.0])).numpy().tolist()
        [1.0, 2.0]
    """
    return AbsFunction.apply((number_tensor(x, "abs"),))


def square(x: Any) -> Tensor:
    """x * x.

    Args:
        x: tensor of any shape; float32, float64 or integers.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import lamina as lm
        >>> lm.ops.square(lm.tensor([1.0, -2.0])).numpy().tolist()
        [1.0, 4.0]
    """
    return SquareFunction.apply((number_tensor(x, "square"),))


def number_tensor(x: Any, op: str) -> Tensor:
    """x as a tensor of float32, float64 or integers (bools become int64)."""
    x = as_tensor(x)
    kind = x.array.dtype.kind
    if kind in "fV":
        return float_tensor(x, op)
    return Tensor(x.array.astype(np.int64)) if kind == "b" else x
