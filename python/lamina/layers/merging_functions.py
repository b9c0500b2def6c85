"""The merging layers at once, as functions of a list of tensors."""

from __future__ import annotations

from typing import Any

from lamina.layers.merging import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract


def add(inputs: Any, **kwargs: Any) -> Any:
    """The sum of a list of tensors: `Add` at once.

    Example:
        >>> import lamina as lm
        >>> lm.layers.add([lm.tensor([[1.0]]), lm.tensor([[2.0]])]).item()
        3.0
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """The difference of two tensors: `Subtract` at once.

    Example:
        >>> import lamina as lm
        >>> lm.layers.subtract([lm.tensor([[1.0]]), lm.tensor([[2.0]])]).item()
        -1.0
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """The product of a list of tensors: `Multiply` at once.

    Example:
        >>> import lamina as lm
        >>> lm.layers.multiply([lm.tensor([[3.0]]), lm.tensor([[2.0]])]).item()
        6.0
    """
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """The mean of a list of tensors: `Average` at once.

    Example:
        >>> import lamina as lm
        >>> lm.layers.average([lm.tensor([[1.0]]), lm.tensor([[2.0]])]).item()
        1.5
    """
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """The largest of a list of tensors: `Maximum` at once.

    Example:
        >>> import lamina as lm
        >>> lm.layers.maximum([lm.tensor([[1.0]]), lm.tensor([[2.0]])]).item()
        2.0
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """The smallest of a list of tensors: `Minimum` at once.

    Example:
        >>> import lamina as lm
        >>> lm.layers.minimum([lm.tensor([[1.0]]), lm.tensor([[2.0]])]).item()
        1.0
    """
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """A list of tensors one after the other: `Concatenate` at once.

    Example:
        >>> import lamina as lm
        >>> lm.layers.concatenate([lm.tensor([[1.0]]), lm.tensor([[2.0]])]).shape
        (1, 2)
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """Products of two batches, summed over an axis: `Dot` at once.

    Example:
        >>> import lamina as lm
        >>> lm.layers.dot([lm.tensor([[1.0, 2.0]]), lm.tensor([[3.0, 4.0]])]).item()
        11.0
    """
    return Dot(axes=axes, **kwargs)(inputs)
