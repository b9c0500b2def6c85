"""Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot: several inputs become one."""

from __future__ import annotations

import functools
import math
from typing import Any

from lamina import backend, ops
from lamina.autograd.tensor import Tensor
from lamina.kinds import is_integer
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape
from lamina.ops.shapes import one_axis

EPSILON = 1e-7  # Keras's: the least norm that Dot divides by


def _shapes(input_shape: Any, owner: str, count: int | None = None) -> list[Shape]:
    """The shapes of the inputs; checked.

    Raises:
        ValueError: if they are no list, too few, or of different batches.
    """
    several = isinstance(input_shape, list | tuple) and all(isinstance(s, list | tuple) for s in input_shape)
    if not several or len(input_shape) < 1 or count not in (None, len(input_shape)):
        expected = "a list of tensors" if count is None else f"a list of {count} tensors"
        raise ValueError(f"{owner}: expected {expected}, got shapes {input_shape}")
    batches = {shape[0] for shape in input_shape if len(shape)} - {None}
    if len(batches) > 1:
        raise ValueError(f"{owner}: expected batches of one size, got shapes {input_shape}")
    return [tuple(shape) for shape in input_shape]


def _common(a: Shape, b: Shape, owner: str) -> Shape:
    """The shape that two samples broadcast to; None where it is not known."""
    if len(a) < len(b):
        a, b = b, a
    tail = []
    for m, n in zip(a[len(a) - len(b) :], b, strict=True):
        if m is not None and n is not None and m != n and m != 1 and n != 1:
            raise ValueError(f"{owner}: samples of shapes {a} and {b} do not broadcast")
        tail.append(None if m is None or n is None else n if m == 1 else m)
    return (*a[: len(a) - len(b)], *tail)


class Merge(Layer):
    """What the layers share that go element by element: a list of tensors, broadcast over the axes of a sample.

    Samples of fewer axes are aligned at the last one.
    """

    supports_masking = True
    _makes_masks = False
    count: int | None = None  # how many inputs there must be
    work = 1  # operations an element and input

    def call(self, x: Any) -> Any:
        if not isinstance(x, list | tuple):
            raise ValueError(f"{self.name}: expected a list of tensors, got one of shape {x.shape}")
        _common_of(_shapes([t.shape for t in x], self.name, self.count), self.name)
        if any(t._mask is not None for t in x):
            x = self.apply_masks(list(x))
        most = max(t.ndim for t in x)
        same = [t if t.ndim == most else ops.reshape(t, (t.shape[0], *[1] * (most - t.ndim), *t.shape[1:])) for t in x]
        return self.merge(same)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """True where any input counts, if all have masks."""
        if mask is None or not isinstance(mask, list | tuple) or any(m is None for m in mask):
            return None
        return functools.reduce(ops.logical_or, mask)

    def apply_masks(self, x: list[Any]) -> list[Any]:
        """The inputs with what the masked steps hold made harmless, where the merging needs that."""
        return x

    def merge(self, x: list[Any]) -> Any:
        """The inputs, of as many axes, in one."""
        raise NotImplementedError(f"{type(self).__name__}.merge")

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = _shapes(input_shape, self.name, self.count)
        batches = {shape[0] for shape in shapes} - {None}
        return (batches.pop() if batches else None, *_common_of(shapes, self.name))

    def flops(self, input_shape: Any) -> int:
        shape = self.compute_output_shape(input_shape)
        return 0 if None in shape[1:] else self.work * (len(input_shape) - 1) * math.prod(shape[1:])


def _spread(mask: Any, x: Any) -> Any:
    """A mask's booleans, with axes of length 1 up to those of x."""
    return mask.array.astype(bool, copy=False).reshape(mask.shape + (1,) * (x.ndim - mask.ndim))


class _Extreme(Merge):
    """Where one input is masked the other one's value stands for it, for there is no value that never wins."""

    def apply_masks(self, x: list[Any]) -> list[Any]:
        most, mask = x[0], x[0]._mask
        for t in x[1:]:
            own = t._mask
            other = t if own is None else ops.where(_spread(own, t), t, most)
            if mask is not None:
                most = ops.where(_spread(mask, most), most, other)
            mask = None if mask is None or own is None else ops.logical_or(mask, own)
            most = self.merge([most, other])
        return [most]


def _common_of(shapes: list[Shape], owner: str) -> Shape:
    return functools.reduce(lambda a, b: _common(a, b, owner), [shape[1:] for shape in shapes])


@register
class Add(Merge):
    """The sum of a list of tensors.

    Args:
        **kwargs: name, trainable, dtype: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Add()([lm.tensor([[1.0, 2.0]]), lm.tensor([[3.0, 4.0]])]).numpy().tolist()
        [[4.0, 6.0]]
    """

    def merge(self, x: list[Any]) -> Any:
        return functools.reduce(ops.add, x)


@register
class Subtract(Merge):
    """The first of two tensors minus the second.

    Args:
        **kwargs: name, trainable, dtype: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Subtract()([lm.tensor([[1.0, 2.0]]), lm.tensor([[3.0, 5.0]])]).numpy().tolist()
        [[-2.0, -3.0]]
    """

    count = 2

    def merge(self, x: list[Any]) -> Any:
        return ops.subtract(x[0], x[1])


@register
class Multiply(Merge):
    """The product of a list of tensors, element by element.

    Args:
        **kwargs: name, trainable, dtype: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Multiply()([lm.tensor([[1.0, 2.0]]), lm.tensor([[3.0, 4.0]])]).numpy().tolist()
        [[3.0, 8.0]]
    """

    def apply_masks(self, x: list[Any]) -> list[Any]:
        masks = [t._mask for t in x]
        factors = [
            t if m is None else ops.where(_spread(m, t), t, Tensor(backend.scalar(1, t.array)))
            for t, m in zip(x, masks, strict=True)
        ]
        if all(m is not None for m in masks):  # 0 where nothing counts
            somewhere = functools.reduce(ops.logical_or, masks)
            first = factors[0]
            factors[0] = ops.where(_spread(somewhere, first), first, Tensor(backend.scalar(0, first.array)))
        return factors

    def merge(self, x: list[Any]) -> Any:
        return functools.reduce(ops.multiply, x)


@register
class Average(Merge):
    """The mean of a list of tensors, element by element.

    Args:
        **kwargs: name, trainable, dtype: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Average()([lm.tensor([[1.0, 2.0]]), lm.tensor([[3.0, 4.0]])]).numpy().tolist()
        [[2.0, 3.0]]
    """

    def merge(self, x: list[Any]) -> Any:
        return ops.divide(functools.reduce(ops.add, x), len(x))


@register
class Maximum(_Extreme):
    """The largest of a list of tensors, element by element.

    Args:
        **kwargs: name, trainable, dtype: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Maximum()([lm.tensor([[1.0, 4.0]]), lm.tensor([[3.0, 2.0]])]).numpy().tolist()
        [[3.0, 4.0]]
    """

    def merge(self, x: list[Any]) -> Any:
        return functools.reduce(ops.maximum, x)


@register
class Minimum(_Extreme):
    """The smallest of a list of tensors, element by element.

    Args:
        **kwargs: name, trainable, dtype: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Minimum()([lm.tensor([[1.0, 4.0]]), lm.tensor([[3.0, 2.0]])]).numpy().tolist()
        [[1.0, 2.0]]
    """

    def merge(self, x: list[Any]) -> Any:
        return functools.reduce(ops.minimum, x)


@register
class Concatenate(Layer):
    """A list of tensors one after the other along an axis.

    Args:
        axis: the axis that grows.
        **kwargs: name, trainable, dtype: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Concatenate()([lm.tensor([[1.0, 2.0]]), lm.tensor([[3.0]])]).numpy().tolist()
        [[1.0, 2.0, 3.0]]
    """

    supports_masking = True

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not is_integer(axis):
            raise TypeError(f"{self.name}: axis must be an integer, got {axis!r}")
        self.axis = int(axis)

    def call(self, x: Any) -> Any:
        if not isinstance(x, list | tuple):
            raise ValueError(f"{self.name}: expected a list of tensors, got one of shape {x.shape}")
        self.compute_output_shape([t.shape for t in x])
        return ops.concatenate(x, self.axis)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """The masks one after the other, True for an input without one; at other axes, where all count."""
        if mask is None or not isinstance(mask, list | tuple) or all(m is None for m in mask):
            return None
        rank = len(x[0].shape)
        axis = one_axis(self.name, self.axis, rank)
        full = [
            ops.ones_like(ops.sum(t, -1), "bool") if m is None else ops.cast(m, "bool")
            for t, m in zip(x, mask, strict=True)
        ]
        ranks = {len(m.shape) for m in full}
        if axis < min(ranks):
            if len(ranks) == 1:
                return ops.concatenate(full, axis)
        elif len(ranks) == 1:
            return functools.reduce(ops.logical_or, full)
        return None

    def compute_output_shape(self, input_shape: Any) -> Any:
        several = isinstance(input_shape, list | tuple) and all(isinstance(s, list | tuple) for s in input_shape)
        if not several or not input_shape:
            raise ValueError(f"{self.name}: expected a list of tensors, got shapes {input_shape}")
        first = list(input_shape[0])
        axis = one_axis(self.name, self.axis, len(first))
        for shape in input_shape[1:]:
            others = zip(first, shape, strict=False)
            if len(shape) != len(first) or any(
                m != n and i != axis and m is not None and n is not None for i, (m, n) in enumerate(others)
            ):
                raise ValueError(
                    f"{self.name}: shapes {tuple(input_shape[0])} and {tuple(shape)} differ beyond axis {axis}"
                )
            first = [m if n is None or i == axis else n for i, (m, n) in enumerate(zip(shape, first, strict=True))]
        sizes = [shape[axis] for shape in input_shape]
        first[axis] = None if None in sizes else sum(sizes)
        return tuple(first)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


@register
class Dot(Layer):
    """Products of two batches of tensors, summed over an axis of each: y[n, ...] = sum_k a[n, ..k..] b[n, ..k..].

    The other axes of the first come first, then those of the second. Where none is left, samples are single numbers:
    (N, 1).

    Args:
        axes: the axis to sum over, in both or (in the first, in the second); not the batch.
        normalize: whether vectors along it are divided by their length first: the cosine of their angle.
        **kwargs: name, trainable, dtype: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Dot(axes=1)([lm.tensor([[1.0, 2.0]]), lm.tensor([[3.0, 4.0]])]).numpy().tolist()
        [[11.0]]
    """

    supports_masking = True

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        both = tuple(axes) if isinstance(axes, tuple | list) else (axes, axes)
        if len(both) != 2:
            raise ValueError(f"{self.name}: axes must be an integer or two of them, got {axes!r}")
        for axis in both:
            if not is_integer(axis):
                raise TypeError(f"{self.name}: axes must be integers, got {axes!r}")
        self.axes = [int(axis) for axis in both] if isinstance(axes, tuple | list) else int(axes)
        self.normalize = bool(normalize)
        self._both = (int(both[0]), int(both[1]))

    def _places(self, input_shape: Any) -> tuple[int, int]:
        shapes = _shapes(input_shape, self.name, 2)
        for shape in shapes:
            if len(shape) < 2:
                raise ValueError(f"{self.name}: inputs must have shape (N, ...), got {shape}")
        a, b = [one_axis(self.name, axis, len(shape)) for axis, shape in zip(self._both, shapes, strict=True)]
        if a == 0 or b == 0:
            raise ValueError(f"{self.name}: axes must not be the batch, got {self.axes}")
        m, n = shapes[0][a], shapes[1][b]
        if m is not None and n is not None and m != n:
            raise ValueError(
                f"{self.name}: axes {a} and {b} must be of one size, got shapes {shapes[0]} and {shapes[1]}"
            )
        return a, b

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return None

    def call(self, x: Any) -> Any:
        if not isinstance(x, list | tuple):
            raise ValueError(f"{self.name}: expected a list of 2 tensors, got one of shape {x.shape}")
        i, j = self._places([t.shape for t in x])
        a, b = ops.moveaxis(x[0], i, -1), ops.moveaxis(x[1], j, 1)
        if self.normalize:
            a, b = _unit(a, -1), _unit(b, 1)
        n, depth = a.shape[0], a.shape[-1]
        kept = (*a.shape[1:-1], *b.shape[2:])
        rows, columns = math.prod(a.shape[1:-1]), math.prod(b.shape[2:])
        y = ops.matmul(ops.reshape(a, (n, rows, depth)), ops.reshape(b, (n, depth, columns)))
        return ops.reshape(y, (n, *(kept or (1,))))

    def compute_output_shape(self, input_shape: Any) -> Any:
        i, j = self._places(input_shape)
        first, second = list(input_shape[0]), list(input_shape[1])
        del first[i], second[j], second[0]
        shape = (*first, *second)
        return shape if len(shape) > 1 else (*shape, 1)

    def flops(self, input_shape: Any) -> int:
        i, _ = self._places(input_shape)
        sizes = (*self.compute_output_shape(input_shape)[1:], input_shape[0][i])
        return 0 if None in sizes else 2 * math.prod(sizes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def _unit(x: Any, axis: int) -> Any:
    """Vectors of length 1; those shorter than EPSILON are divided by it."""
    squares = ops.sum(ops.square(x), axis, True)
    return ops.divide(x, ops.sqrt(ops.maximum(squares, EPSILON * EPSILON)))
