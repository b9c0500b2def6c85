"""tril, triu, diagonal, diag, trace: parts of matrices."""

from __future__ import annotations

from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor, as_tensor
from lamina.ops.checks import integer
from lamina.ops.reductions import sum as total
from lamina.ops.shapes import one_axis


class TriangleFunction(Function):
    """The values on one side of a diagonal; 0 on the other, whatever was there."""

    def forward(self, x: Any, k: int, lower: bool) -> Any:
        self.saved = k, lower
        return _triangle(x, k, lower)

    def backward(self, dy: Any) -> Any:
        return _triangle(dy, *self.saved)


def _triangle(x: Any, k: int, lower: bool) -> Any:
    rows, columns = x.shape[-2:]
    xp = backend.array_module(x)
    mask = xp.tri(rows, columns, k if lower else k - 1, dtype=bool)
    y = backend.zeros(x.shape, x.dtype, like=x)
    xp.copyto(y, x, where=mask if lower else ~mask)
    return y


class DiagonalFunction(Function):
    def forward(self, x: Any, k: int, first: int, second: int) -> Any:
        self.saved = x.shape, k, first, second
        return backend.array_module(x).diagonal(x, k, first, second)

    def backward(self, dy: Any) -> Any:
        shape, k, first, second = self.saved
        dx = backend.zeros(shape, dy.dtype, like=dy)
        _set_diagonal(backend.array_module(dx).moveaxis(dx, (first, second), (-2, -1)), k, dy)
        return dx


class DiagonalMatrixFunction(Function):
    def forward(self, x: Any, k: int) -> Any:
        self.saved = k
        size = x.size + abs(k)
        y = backend.zeros((size, size), x.dtype, like=x)
        _set_diagonal(y, k, x)
        return y

    def backward(self, dy: Any) -> Any:
        return backend.array_module(dy).diagonal(dy, self.saved)


def _set_diagonal(matrices: Any, k: int, values: Any) -> None:
    places = backend.array_module(matrices).arange(values.shape[-1])
    matrices[..., places + max(-k, 0), places + max(k, 0)] = values


def tril(x: Any, k: int = 0) -> Tensor:
    """The lower triangles of matrices: values above a diagonal become 0.

    Args:
        x: tensor of shape (..., m, n) and any dtype.
        k: the last diagonal that is kept: 0 is the main one, 1 the one above it.

    Returns:
        Tensor of the same shape.

    Raises:
        ValueError: if x has less than two axes.
        TypeError: if k is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.tril(lm.tensor([[1.0, 2.0], [3.0, 4.0]])).numpy().tolist()
        [[1.0, 0.0], [3.0, 4.0]]
    """
    return TriangleFunction.apply((_matrices("tril", x),), integer(k, "tril", "k"), True)


def triu(x: Any, k: int = 0) -> Tensor:
    """The upper triangles of matrices: values below diagonal k become 0; see `tril`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.triu(lm.tensor([[1.0, 2.0], [3.0, 4.0]])).numpy().tolist()
        [[1.0, 2.0], [0.0, 4.0]]
    """
    return TriangleFunction.apply((_matrices("triu", x),), integer(k, "triu", "k"), False)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonals of matrices, as a last axis.

    Args:
        x: tensor of at least two axes and any dtype.
        offset: which diagonal: 0 is the main one, 1 the one above it.
        axis1: the axis of the matrices' rows.
        axis2: the axis of their columns.

    Returns:
        Tensor without the two axes, with a new one at the end; a view.

    Raises:
        ValueError: if x has less than two axes, or an axis is out of range or both are one.
        TypeError: if the offset or an axis is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.diagonal(lm.tensor([[1.0, 2.0], [3.0, 4.0]])).numpy().tolist()
        [1.0, 4.0]
    """
    x = _matrices("diagonal", x)
    first, second = one_axis("diagonal", axis1, x.ndim), one_axis("diagonal", axis2, x.ndim)
    if first == second:
        raise ValueError(f"diagonal: axis1 and axis2 must differ, got {axis1} and {axis2}")
    return DiagonalFunction.apply((x,), integer(offset, "diagonal", "offset"), first, second)


def diag(x: Any, k: int = 0) -> Tensor:
    """The matrix with a vector on diagonal k and 0 elsewhere; of a matrix its diagonal k.

    Args:
        x: tensor of shape (n,) or (m, n).
        k: which diagonal: 0 is the main one, 1 the one above it.

    Returns:
        Tensor of shape (n + |k|, n + |k|), or of one axis.

    Raises:
        ValueError: if x has another number of axes.
        TypeError: if k is no integer.

    Example:
        >>> import lamina as lm
        >>> lm.ops.diag(lm.tensor([1.0, 2.0])).numpy().tolist()
        [[1.0, 0.0], [0.0, 2.0]]
    """
    x = as_tensor(x)
    if x.ndim == 1:
        return DiagonalMatrixFunction.apply((x,), integer(k, "diag", "k"))
    if x.ndim == 2:
        return diagonal(x, integer(k, "diag", "k"))
    raise ValueError(f"diag: x must have shape (n,) or (m, n), got {x.shape}")


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of a diagonal; see `diagonal` for arguments and errors.

    Example:
        >>> import lamina as lm
        >>> lm.ops.trace(lm.tensor([[1.0, 2.0], [3.0, 4.0]])).item()
        5.0
    """
    return total(diagonal(x, offset, axis1, axis2), -1)


def _matrices(op: str, x: Any) -> Tensor:
    x = as_tensor(x)
    if x.ndim < 2:
        raise ValueError(f"{op}: x must have shape (..., m, n), got {x.shape}")
    return x
