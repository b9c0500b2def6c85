"""Wrapper: what layers around another layer begin with."""

from __future__ import annotations

from typing import Any

from lamina.layers.layer import Layer, class_named, register


@register
class Wrapper(Layer):
    """A layer around another one: a subclass says in `call` what it does with it.

    Args:
        layer: the layer inside.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Attributes:
        layer: the layer inside.

    Weights: those of the layer.

    Raises:
        TypeError: if it is given no layer.

    Example:
        >>> import lamina as lm
        >>> class Twice(lm.layers.Wrapper):
        ...     def call(self, x):
        ...         return self.layer(self.layer(x))
        >>> Twice(lm.layers.Rescaling(3.0))([1.0]).numpy().tolist()
        [9.0]
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(layer, dict):
            layer = class_named(layer.get("class_name")).from_config(layer.get("config", {}))
        if not isinstance(layer, Layer):
            raise TypeError(f"{self.name}: expected a layer, got {type(layer).__name__}")
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)

    def get_config(self) -> dict[str, Any]:
        layer = {"class_name": type(self.layer).__name__, "config": self.layer.get_config()}
        return {**super().get_config(), "layer": layer}
