"""EinsumDense: a product with a weight, its axes named by letters."""

from __future__ import annotations

import math
import re
from typing import Any

from lamina import constraints, initializers, ops, regularizers
from lamina.layers import activations
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@register
class EinsumDense(Layer):
    """y = activation(einsum(equation, x, kernel) + bias): a dense layer over axes of one's choice.

    Args:
        equation: the letters of x, of the kernel and of y, "ab,bc->ac". x and y may begin or end with "...", which
            stands for axes that stay as they are.
        output_shape: the sizes of y's axes without the batch and without those of "...": an integer or several. None
            where x has the size.
        activation: a name, a function of a tensor, or None for "linear".
        bias_axes: the letters of y that the bias has, "c"; None for no bias.
        kernel_initializer, bias_initializer: first values.
        kernel_regularizer, bias_regularizer: penalties added to the loss.
        activity_regularizer: a penalty on the output, added to the loss.
        kernel_constraint, bias_constraint: what the weights are held to after each step of training.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (the sizes of its letters), bias (the sizes of y's letters from the first of bias_axes on, 1 for
    those that it does not have).

    Raises:
        ValueError: if the equation makes no sense; when built, if sizes do not fit or are not known.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.ones((2, 5, 4), "float32")
        >>> lm.layers.EinsumDense("abc,cde->abde", (None, 3, 6), bias_axes="de")(x).shape
        (2, 5, 3, 6)
    """

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        activity_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.equation = str(equation).replace(" ", "")
        self._parts = _parts(self.equation, self.name)
        sizes = output_shape if isinstance(output_shape, tuple | list) else (output_shape,)
        if not all(n is None or (isinstance(n, int) and not isinstance(n, bool) and n > 0) for n in sizes):
            raise ValueError(f"{self.name}: output_shape must hold positive integers or None, got {output_shape!r}")
        self.partial_output_shape = tuple(sizes)
        if bias_axes is not None and not isinstance(bias_axes, str):
            raise TypeError(f"{self.name}: bias_axes must be letters or None, got {bias_axes!r}")
        self.bias_axes = bias_axes
        unknown = set(bias_axes or "") - set(self._parts[2])
        if unknown or bias_axes == "":
            raise ValueError(f"{self.name}: bias_axes must be letters of y in {self.equation!r}, got {bias_axes!r}")
        self._activation_name, self.activation = activations.get(activation, self.name)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        _, kernel, y = self._letters(len(input_shape))
        sizes = self._sizes(input_shape)
        if any(sizes[letter] is None for letter in kernel):
            raise ValueError(f"{self.name}: the kernel's sizes must be known, got x of shape {input_shape}")
        self.kernel = self.add_weight(
            [sizes[letter] for letter in kernel],
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
            constraint=self.kernel_constraint,
        )
        if self.bias_axes:
            first = min(y.index(letter) for letter in self.bias_axes)
            shape = [sizes[letter] if letter in self.bias_axes else 1 for letter in y[first:]]
            if None in shape:
                raise ValueError(f"{self.name}: the bias's sizes must be known, got x of shape {input_shape}")
            self.bias = self.add_weight(
                shape,
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                name="bias",
                constraint=self.bias_constraint,
            )

    def call(self, x: Any) -> Any:
        y = ops.einsum("{},{}->{}".format(*self._letters(x.ndim)), x, self.kernel)
        return self.activation(y if self.bias is None else y + self.bias)

    def _letters(self, rank: int) -> tuple[str, str, str]:
        """The letters of x, kernel and y for an x of so many axes, "..." spelled out."""
        x, kernel, y, dots = self._parts
        missing = rank - len(x)
        if missing < 0 or (missing and not dots):
            raise ValueError(f"{self.name}: {self.equation!r} does not fit x of {rank} axes")
        more = "".join(letter for letter in LETTERS if letter not in self.equation)[:missing]
        return (more + x, kernel, more + y) if dots == "left" else (x + more, kernel, y + more)

    def _sizes(self, input_shape: Any) -> dict[str, Any]:
        """The size of every letter; None for those that are not known."""
        x, _, y = self._letters(len(input_shape))
        sizes = dict(zip(x, input_shape, strict=True))
        dots = self._parts[3]
        named = self._parts[2] if dots == "left" and len(x) > len(self._parts[0]) else self._parts[2][1:]
        if len(named) != len(self.partial_output_shape):
            raise ValueError(
                f"{self.name}: output_shape must have {len(named)} sizes, those of {named!r} in {self.equation!r}, got "
                f"{self.partial_output_shape}"
            )
        for letter, size in zip(named, self.partial_output_shape, strict=True):
            known = sizes.get(letter)
            if None not in (known, size) and known != size:
                raise ValueError(f"{self.name}: {letter!r} has size {known} in x, but {size} in output_shape")
            sizes[letter] = known if size is None else size
        if lost := [letter for letter in y if letter not in sizes]:
            raise ValueError(f"{self.name}: the first axis of y is the batch, which x must have; got {lost[0]!r} in "
                             f"{self.equation!r}")  # fmt: skip
        return sizes

    def compute_output_shape(self, input_shape: Any) -> Any:
        sizes = self._sizes(input_shape)
        _, kernel, y = self._letters(len(input_shape))
        if self.kernel is not None and any(
            sizes[a] not in (None, n) for a, n in zip(kernel, self.kernel.shape, strict=True)
        ):
            raise ValueError(
                f"{self.name}: x of shape {tuple(input_shape)} does not fit the kernel, {self.kernel.shape}"
            )
        return tuple(sizes[letter] for letter in y)

    def flops(self, input_shape: Shape) -> int:
        _, kernel, y = self._letters(len(input_shape))
        sizes = self._sizes(input_shape)
        outputs = math.prod(sizes[letter] for letter in y[1:])
        summed = math.prod(sizes[letter] for letter in kernel if letter not in y)
        return outputs * (2 * summed + (self.bias_axes is not None))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "equation": self.equation,
            "output_shape": list(self.partial_output_shape),
            "activation": activations.serialize(self._activation_name, self.activation, self.name),
            "bias_axes": self.bias_axes,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }


def _parts(equation: str, owner: str) -> tuple[str, str, str, str]:
    """The letters of x, kernel and y, and where "..." stands: "left", "right" or ""."""
    found = re.fullmatch(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?", equation)
    form = 'must have the form "ab,bc->ac", with "..." before or after the letters of x and y alike'
    if found is None:
        raise ValueError(f"{owner}: the equation {form}, got {equation!r}")
    left, x, right, kernel, left_y, y, right_y = found.groups()
    if (left, right) != (left_y, right_y) or (left and right):
        raise ValueError(f"{owner}: the equation {form}, got {equation!r}")
    if any(len(set(part)) < len(part) for part in (x, kernel, y)):
        raise ValueError(f"{owner}: a letter may stand once in each part of the equation, got {equation!r}")
    if strange := (set(y) - set(x) - set(kernel)) | (set(kernel) - set(x) - set(y)):
        raise ValueError(f"{owner}: {sorted(strange)} stand for no axis of x or y in {equation!r}")
    return x, kernel, y, "left" if left else "right" if right else ""
