"""Shapes as layers tell them: tuples of sizes, None where any may come."""

from __future__ import annotations

from typing import Any

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


def sample_shape(shape: Any, name: str) -> Shape:
    """An input_shape that a user passed, checked."""
    sizes = (shape,) if hasattr(shape, "__index__") else tuple(shape)
    if any(n is not None and (not hasattr(n, "__index__") or n < 1) for n in sizes):
        raise ValueError(f"{name}: input_shape must be positive integers, got {shape!r}")
    return full_shape(sizes)
