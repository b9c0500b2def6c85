"""Identity and Lambda: layers that are a function alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from lamina.layers.layer import Layer, register


@register
class Identity(Layer):
    """Passes on what it gets.

    Args:
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Identity()([[1.0, 2.0]]).numpy().tolist()
        [[1.0, 2.0]]
    """

    supports_masking = True

    def call(self, x: Any) -> Any:
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class Lambda(Layer):
    """Any function of a tensor as a layer. It has no weights, and a model with one cannot be saved.

    A file that says what to run can make whoever loads it run anything, so Lamina loads no code. For a model that is to
    be saved, write a Layer with the function in its `call`.

    Args:
        function: takes a tensor (or what else the layer is called on), and `training` or `mask` if it names them.
        output_shape: the shape of one sample of the output, or a function of the input's shape; None: by trial.
        mask: the output's mask: None for no mask, a mask, or a function of the input and its mask.
        arguments: more arguments for the function, by name.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.Lambda(lambda x: x * 2 + 1)([[1.0, 2.0]]).numpy().tolist()
        [[3.0, 5.0]]
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(f"{self.name}: function must be callable, got {function!r}")
        if mask is not None and not callable(mask) and not hasattr(mask, "shape"):
            raise TypeError(f"{self.name}: mask must be None, an array of booleans or a function, got {mask!r}")
        if not (output_shape is None or callable(output_shape) or isinstance(output_shape, tuple | list)):
            raise TypeError(f"{self.name}: output_shape must be a tuple, a function or None, got {output_shape!r}")
        self.function, self.mask = function, mask
        self.supports_masking = mask is not None
        if arguments is not None and not isinstance(arguments, dict):
            raise TypeError(f"{self.name}: arguments must be a dictionary or None, got {arguments!r}")
        self.arguments = dict(arguments or {})
        self._output_shape = output_shape
        try:
            names = list(inspect.signature(function).parameters)
        except ValueError:  # some functions written in C have none
            names = []
        self._wants = [name for name in ("training", "mask") if name in names]

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        known = {"training": training, "mask": mask}
        return self.function(x, **{name: known[name] for name in self._wants}, **self.arguments)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return self.mask(x, mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self._output_shape):
            return tuple(self._output_shape(input_shape))
        first = input_shape[0]
        batch = first[0] if isinstance(first, tuple | list) else first
        return (batch, *self._output_shape)

    def get_config(self) -> dict[str, Any]:
        raise ValueError(
            f"{self.name}: a Lambda cannot be saved, because loading it would run code from a file; "
            "write a Layer with the function in its call instead"
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        raise ValueError("Lambda: no code is loaded from a file; write a Layer with the function in its call instead")
