"""tensordot, dot, inner, outer, vdot, cross: products summed over axes."""

from __future__ import annotations

import math
from typing import Any

from lamina.autograd.function import Function
from lamina.autograd.tensor import Tensor
from lamina.ops.arithmetic import compute, multiply, number_tensor, operands
from lamina.ops.broadcasting import broadcast_shape, reduce_to
from lamina.ops.matmul import matmul
from lamina.ops.reductions import sum as total
from lamina.ops.shapes import one_axis, reshape, transpose

Labels = list[str]


def contract(a: Tensor, a_labels: Labels, b: Tensor, b_labels: Labels, kept: Labels) -> tuple[Tensor, Labels]:
    """The sum over the labels that both have and that are not kept. Every label is in both, or kept, and once a tensor.

    Returns:
        The product and its labels: those of both, those of a alone, those of b alone.
    """
    both = [c for c in a_labels if c in b_labels]
    batch, summed = [c for c in both if c in kept], [c for c in both if c not in kept]
    a_free, b_free = [c for c in a_labels if c not in both], [c for c in b_labels if c not in both]
    sizes = dict(zip(a_labels + b_labels, a.shape + b.shape, strict=True))

    def size(labels: Labels) -> int:
        return math.prod([sizes[c] for c in labels])

    labels = batch + a_free + b_free
    shape = tuple([sizes[c] for c in labels])
    if not summed or not (a_free or b_free):  # element by element, then a sum over the last axis
        a = reshape(ordered(a, a_labels, batch + a_free + summed), (size(batch), size(a_free), 1, size(summed)))
        b = reshape(ordered(b, b_labels, batch + b_free + summed), (size(batch), 1, size(b_free), size(summed)))
        y = multiply(a, b)
        return reshape(total(y, -1) if summed else y, shape), labels
    a_swapped, b_swapped = a_labels == batch + summed + a_free, b_labels == batch + b_free + summed
    a = ordered(a, a_labels, batch + (summed + a_free if a_swapped else a_free + summed))
    b = ordered(b, b_labels, batch + (b_free + summed if b_swapped else summed + b_free))
    front = (size(batch),) if batch else ()
    a = reshape(a, (*front, *((size(summed), size(a_free)) if a_swapped else (size(a_free), size(summed)))))
    b = reshape(b, (*front, *((size(b_free), size(summed)) if b_swapped else (size(summed), size(b_free)))))
    return reshape(matmul(a, b, a_swapped, b_swapped), shape), labels


def ordered(x: Tensor, labels: Labels, order: Labels) -> Tensor:
    """x with its axes, which have these labels, in another order."""
    return x if labels == order else transpose(x, tuple([labels.index(c) for c in order]))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """The sum of products over pairs of axes, one of a and one of b.

    Args:
        a: tensor of any shape; float32, float64 or integers.
        b: tensor of the dtype of a.
        axes: how many: the last ones of a, the first ones of b, in order; or a pair: axes of a, axes of b.

    Returns:
        Tensor with the other axes of a, then those of b.

    Raises:
        ValueError: if axes are out of range, or their sizes differ.
        TypeError: for dtypes that differ.

    Example:
        >>> import lamina as lm
        >>> lm.ops.tensordot(lm.tensor([[1.0, 2.0], [3.0, 4.0]]), lm.tensor([1.0, -1.0]), axes=1).numpy().tolist()
        [-1.0, -1.0]
    """
    a, b = _two("tensordot", a, b)
    if hasattr(axes, "__index__"):
        if not 0 <= axes <= min(a.ndim, b.ndim):
            raise ValueError(f"tensordot: axes must be from 0 to {min(a.ndim, b.ndim)}, got {axes}")
        left, right = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        if not isinstance(axes, tuple | list) or len(axes) != 2:
            raise ValueError(f"tensordot: axes must be an integer or a pair (axes of a, axes of b), got {axes!r}")
        left, right = [list(v) if isinstance(v, tuple | list) else [v] for v in axes]
        left = [one_axis("tensordot", i, a.ndim) for i in left]
        right = [one_axis("tensordot", i, b.ndim) for i in right]
    if len(set(left)) != len(left) or len(set(right)) != len(right):
        raise ValueError(f"tensordot: axes must name none twice, got {axes!r}")
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError(f"tensordot: axes {left} of shape {a.shape} do not fit axes {right} of shape {b.shape}")
    names = [f"a{i}" for i in range(a.ndim)]
    others = [f"a{left[right.index(i)]}" if i in right else f"b{i}" for i in range(b.ndim)]
    kept = [c for c in names + others if not (c in names and c in others)]
    return contract(a, names, b, others, kept)[0]


def dot(a: Any, b: Any) -> Tensor:
    """The sum of products over the last axis of a and the last but one of b (or its only one); a product with a number.

    See `tensordot` for dtypes and errors.

    Example:
        >>> import lamina as lm
        >>> lm.ops.dot(lm.tensor([1.0, 2.0]), lm.tensor([3.0, 4.0])).item()
        11.0
    """
    a, b = _two("dot", a, b)
    if a.ndim == 0 or b.ndim == 0:
        return multiply(a, b)
    return _over("dot", a, b, b.ndim - 2 if b.ndim > 1 else 0)


def inner(a: Any, b: Any) -> Tensor:
    """The sum of products over the last axes of both; a product with a number. See `tensordot` for dtypes and errors.

    Example:
        >>> import lamina as lm
        >>> lm.ops.inner(lm.tensor([[1.0, 2.0]]), lm.tensor([[3.0, 4.0]])).numpy().tolist()
        [[11.0]]
    """
    a, b = _two("inner", a, b)
    return multiply(a, b) if a.ndim == 0 or b.ndim == 0 else _over("inner", a, b, b.ndim - 1)


def _over(op: str, a: Tensor, b: Tensor, axis: int) -> Tensor:
    if a.shape[-1] != b.shape[axis]:
        raise ValueError(f"{op}: shapes {a.shape} and {b.shape} do not fit: {a.shape[-1]} and {b.shape[axis]} differ")
    return tensordot(a, b, ([a.ndim - 1], [axis]))


def outer(a: Any, b: Any) -> Tensor:
    """Every value of a times every value of b: y[i, j] = a[i] b[j], both taken as one axis. See `tensordot`.

    Example:
        >>> import lamina as lm
        >>> lm.ops.outer(lm.tensor([1.0, 2.0]), lm.tensor([3.0, 4.0])).numpy().tolist()
        [[3.0, 4.0], [6.0, 8.0]]
    """
    a, b = _two("outer", a, b)
    return multiply(reshape(a, (a.size, 1)), reshape(b, (1, b.size)))


def vdot(a: Any, b: Any) -> Tensor:
    """The sum of the products of all values, both taken as one axis. See `tensordot` for dtypes and errors.

    Example:
        >>> import lamina as lm
        >>> lm.ops.vdot(lm.tensor([[1.0, 2.0]]), lm.tensor([[3.0], [4.0]])).item()
        11.0
    """
    a, b = _two("vdot", a, b)
    return _over("vdot", reshape(a, (a.size,)), reshape(b, (b.size,)), 0)


class CrossFunction(Function):
    """y = a x b; da = b x dy, db = dy x a."""

    def forward(self, a: Any, b: Any) -> Any:
        self.saved = a, b
        return _cross(a, b)

    def backward(self, dy: Any) -> Any:
        a, b = self.saved
        da = reduce_to(_cross(b, dy), a.shape) if self.needs[0] else None
        return da, reduce_to(_cross(dy, a), b.shape) if self.needs[1] else None


def _cross(a: Any, b: Any) -> Any:
    ahead, behind = [1, 2, 0], [2, 0, 1]
    return compute(
        "subtract",
        compute("multiply", a[..., ahead], b[..., behind]),
        compute("multiply", a[..., behind], b[..., ahead]),
    )


def cross(a: Any, b: Any) -> Tensor:
    """The cross product of vectors of three numbers, in the last axis.

    Args:
        a: tensor of shape (..., 3); float32, float64 or integers.
        b: tensor of shape (..., 3) and the dtype of a; the axes before broadcast.

    Returns:
        Tensor of shape (..., 3).

    Raises:
        ValueError: if a last axis has another length, or the shapes do not broadcast.
        TypeError: for dtypes that differ.

    Example:
        >>> import lamina as lm
        >>> lm.ops.cross(lm.tensor([1.0, 0.0, 0.0]), lm.tensor([0.0, 1.0, 0.0])).numpy().tolist()
        [0.0, 0.0, 1.0]
    """
    a, b = _two("cross", a, b)
    for t in (a, b):
        if t.ndim == 0 or t.shape[-1] != 3:
            raise ValueError(f"cross: a and b must have shape (..., 3), got {a.shape} and {b.shape}")
    broadcast_shape("cross", a.shape, b.shape)
    return CrossFunction.apply((a, b))


def _two(op: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    a, b = operands(op, a, b)
    return number_tensor(a, op), number_tensor(b, op)
