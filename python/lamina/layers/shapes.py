"""Shapes as layers tell them: tuples of sizes, None where any may come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lamina.kinds import is_integer

Shape = tuple[Any, ...]  # of integers; None where any size may come, as the batch in (None, 28, 28, 1)


def full_shape(shape: Any) -> Shape:
    """A shape as a tuple of Python integers and None."""
    return tuple([None if n is None else int(n) for n in shape])


def shape_of_batch(x: Any) -> Any:
    """The shape of a tensor with None for the batch; of lists and dictionaries of tensors entry by entry."""
    if isinstance(x, dict):
        return {key: shape_of_batch(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [shape_of_batch(value) for value in x]
    return (None, *x.shape[1:]) if x.ndim else ()


def is_shape(data: Any) -> bool:
    """Whether this is one shape, rather than a structure of them."""
    return isinstance(data, tuple | list) and all(n is None or hasattr(n, "__index__") for n in data)


def shapes_in(x: Any) -> Any:
    """The shapes of tensors, in the structure that they come in (a tuple as a list)."""
    if isinstance(x, dict):
        return {key: shapes_in(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [shapes_in(value) for value in x]
    return tuple(x.shape)


def map_shapes(function: Callable[[Shape], Any], shapes: Any) -> Any:
    """The function of each shape in a structure of them."""
    if is_shape(shapes):
        return function(full_shape(shapes))
    if isinstance(shapes, dict):
        return {key: map_shapes(function, value) for key, value in shapes.items()}
    return type(shapes)([map_shapes(function, value) for value in shapes])


def shape_leaves(shapes: Any) -> list[Shape]:
    """All shapes of a structure of them, in order."""
    found: list[Shape] = []
    map_shapes(found.append, shapes)
    return found


def specs_of(shapes: Any, dtype: Any) -> Any:
    """(shape, dtype) for each shape of a structure."""
    return map_shapes(lambda shape: (shape, dtype), shapes)


def sample_shape(shape: Any, name: str) -> Shape:
    """An input_shape that a user passed, checked."""
    sizes = (shape,) if hasattr(shape, "__index__") else tuple(shape)
    if any(n is not None and (not is_integer(n) or n < 1) for n in sizes):
        raise ValueError(f"{name}: input_shape must be positive integers, got {shape!r}")
    return full_shape(sizes)
