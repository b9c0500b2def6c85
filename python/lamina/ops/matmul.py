"""matmul: products of matrices, of batches of them, and of vectors."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import operands
from lamina.ops.broadcasting import broadcast_shape, reduce_to, summed_to
from lamina.ops.shapes import reshape


def product(a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> Any:
    """op(a) . op(b) over the last two axes of float arrays; those before them broadcast."""
    a, a_swapped = _stored(a)
    b, b_swapped = _stored(b)
    transpose_a ^= a_swapped
    transpose_b ^= b_swapped
    m, n = a.shape[-1 if transpose_a else -2], b.shape[-2 if transpose_b else -1]
    batch = broadcast_shape("matmul", a.shape[:-2], b.shape[:-2])
    y = backend.empty((*batch, m, n), a.dtype, like=a)
    kernels = backend.kernels(a)
    count = math.prod(batch)
    if b.ndim == 2 and not transpose_a:  # rows of all matrices in one
        kernels.gemm(a.reshape(count * m, a.shape[-1]), b, y.reshape(count * m, n), False, transpose_b)
    elif not batch:
        kernels.gemm(a, b, y, transpose_a, transpose_b)
    else:
        a, b = _repeated(a, batch, count), _repeated(b, batch, count)
        kernels.gemm_batched(a, b, y.reshape(count, m, n), transpose_a, transpose_b)
    return y


def _stored(array: Any) -> tuple[Any, bool]:
    """The array as kernels read it, and whether its last two axes are swapped: a transposed view is not copied."""
    swapped = array.swapaxes(-1, -2)
    if swapped.flags.c_contiguous and not array.flags.c_contiguous:
        return backend.contiguous(swapped), True
    return backend.contiguous(array), False


def _repeated(array: Any, batch: tuple[int, ...], count: int) -> Any:
    """`count` matrices one after the other."""
    rows, columns = array.shape[-2:]
    array = backend.contiguous(backend.array_module(array).broadcast_to(array, (*batch, rows, columns)))
    return array.reshape(count, rows, columns)


class MatmulFunction(Function):
    def forward(self, a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> Any:
        self.saved = a, b, transpose_a, transpose_b
        return product(a, b, transpose_a, transpose_b)

    def backward(self, dy: Any) -> Any:
        a, b, transpose_a, transpose_b = self.saved
        da = db = None
        if self.needs[0]:
            da = product(b, dy, transpose_b, True) if transpose_a else product(dy, b, False, not transpose_b)
            da = reduce_to(da, a.shape)
        if self.needs[1]:
            if b.ndim == 2 and not transpose_a:  # one product sums over the batch as well
                a = backend.contiguous(a).reshape(math.prod(a.shape[:-1]), a.shape[-1])
                dy = backend.contiguous(dy).reshape(math.prod(dy.shape[:-1]), dy.shape[-1])
            db = product(dy, a, True, transpose_a) if transpose_b else product(a, dy, not transpose_a, False)
            db = reduce_to(db, b.shape)
        return da, db

    def graph_backward(self, dy: Any) -> Any:
        _, _, transpose_a, transpose_b = self.saved
        a: Any = self.inputs[0]
        b: Any = self.inputs[1]
        da = db = None
        if self.needs[0]:
            da = matmul(b, dy, transpose_b, True) if transpose_a else matmul(dy, b, False, not transpose_b)
            da = summed_to(da, a.shape)
        if self.needs[1]:
            db = matmul(dy, a, True, transpose_a) if transpose_b else matmul(a, dy, not transpose_a, False)
            db = summed_to(db, b.shape)
        return da, db


def matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """op(a) . op(b), where op swaps the last two axes if asked; no transposed operand is copied.

    Args:
        a: tensor of shape (..., m, k), (..., k, m) when transpose_a, or (k,).
        b: tensor of shape (..., k, n), (..., n, k) when transpose_b, or (k,), and the dtype of a.
        transpose_a: whether to swap the last two axes of a.
        transpose_b: whether to swap the last two axes of b.

    Returns:
        Tensor of shape (..., m, n), the axes before broadcast; without m or n where a or b is a vector.

    Raises:
        ValueError: if the shapes do not fit, or either has no axes.
        TypeError: for float32 with float64.

    Example:
        >>> import lamina as lm
        >>> a = lm.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> lm.ops.matmul(a, [1.0, -1.0]).numpy().tolist()
        [-1.0, -1.0]
    """
    a, b = operands("matmul", a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul: a and b must have at least one axis, got shapes {a.shape} and {b.shape}")
    a_vector, b_vector = a.ndim == 1, b.ndim == 1
    k = a.shape[-2 if transpose_a and not a_vector else -1]
    if k != b.shape[-1 if transpose_b or b_vector else -2]:
        ops = f"{'a^T' if transpose_a else 'a'} . {'b^T' if transpose_b else 'b'}"
        raise ValueError(f"matmul: shapes {a.shape} and {b.shape} do not fit for {ops}")
    if a_vector:
        a, transpose_a = reshape(a, (1, k)), False
    if b_vector:
        b, transpose_b = reshape(b, (k, 1)), False
    if backend.is_float(a.dtype):
        y = MatmulFunction.apply((a, b), transpose_a, transpose_b)
    else:
        left = a.array.swapaxes(-1, -2) if transpose_a else a.array
        backend.refuse_mixed("matmul", a=left, b=b.array)
        y = Tensor(backend.array_module(left).matmul(left, b.array.swapaxes(-1, -2) if transpose_b else b.array))
    if a_vector or b_vector:
        last = y.shape[-2:]
        y = reshape(y, (*y.shape[:-2], *(() if a_vector else last[:1]), *(() if b_vector else last[1:])))
    return y
