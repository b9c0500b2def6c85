"""embedding: rows of a table, named by integers."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend
from lamina.autograd import row_sparse
from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.checks import float_tensor
from lamina.ops.gather import checked_indices
from lamina.ops.indexing import add_rows

SPARSE_FROM = 2  # rows of the table for an index, from which on the gradient is row-sparse


class EmbeddingFunction(Function):
    def forward(self, table: Any, index: Any, lazy: bool) -> Any:
        self.saved = table.shape, index, lazy
        y = backend.empty((*index.shape, *table.shape[1:]), table.dtype, like=table)
        rows, width = table.shape[0], math.prod(table.shape[1:])
        whole = backend.contiguous(table).reshape(1, rows, width)
        backend.kernels(table).take(whole, index.reshape(-1), y.reshape(1, index.size, width))
        return y

    def backward(self, dy: Any) -> Any:
        shape, index, lazy = self.saved
        index = index.reshape(-1)
        values = backend.contiguous(dy).reshape(index.size, *shape[1:])
        table = self.inputs[0]
        leaf = table is not None and table.node is None  # no other op shall meet a row-sparse gradient
        if leaf and (lazy or (backend.on_host(index) and index.size * SPARSE_FROM <= shape[0])):
            return row_sparse.gathered(index, values, shape, lazy)
        width = math.prod(shape[1:])
        if not backend.on_host(index):  # without waiting for how many rows there are
            dx = backend.zeros(shape, dy.dtype, like=dy)
            add_rows(dx.reshape(1, shape[0], width), index, values.reshape(1, index.size, width))
            return dx
        order, first, rows = row_sparse.sorted_segments(index)
        dx = backend.zeros(shape, dy.dtype, like=dy)
        backend.kernels(dx).embedding_backward(
            values.reshape(index.size, width), order, first, rows, dx.reshape(shape[0], width)
        )
        return dx


def embedding(indices: Any, table: Any, lazy: bool = False) -> Tensor:
    """y[..., j] = table[indices[...], j]: the rows of a table that integers name.

    The gradient of a row is the sum over the indices that name it, in their order: the same bits for any number of
    threads. Where few rows of a large table are named the gradient holds only these (`Tensor.grad` is dense all the
    same), which optimizers know how to use.

    Args:
        indices: integers of any shape, from 0 to rows - 1.
        table: tensor (rows, ...), float32 or float64.
        lazy: whether optimizers shall leave the rows that were not named alone, their moments, momentum and decay
            included: faster, but another result than that of Adam, momentum and weight decay as they are written. A
            table that is the result of another op has a dense gradient, and this has no effect.

    Returns:
        Tensor of shape (*indices.shape, *table.shape[1:]), of the table's dtype.

    Raises:
        ValueError: if an index is out of range (names it and its place), or the table has no axis.
        TypeError: if indices are no integers, or the table is not of floating point.

    Example:
        >>> import lamina as lm
        >>> table = lm.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        >>> y = lm.ops.embedding([1, 1, 0], table)
        >>> y.numpy().tolist()
        [[3.0, 4.0], [3.0, 4.0], [1.0, 2.0]]
        >>> y.sum().backward()
        >>> table.grad.numpy().tolist()
        [[1.0, 1.0], [2.0, 2.0]]
    """
    table = float_tensor(table, "embedding", "table")
    if table.ndim == 0:
        raise ValueError("embedding: table must have shape (rows, ...), got ()")
    index = checked_indices("embedding", indices, table.shape[0], table.array)
    return EmbeddingFunction.apply((table,), index, bool(lazy))
