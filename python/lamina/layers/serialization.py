"""Layers as data, and back."""

from __future__ import annotations

from typing import Any

from lamina.layers.layer import Layer, call_state, class_named


def serialize(layer: Layer) -> dict[str, Any]:
    """The class and the configuration of a layer: data that JSON takes.

    Args:
        layer: the layer.

    Returns:
        Dictionary of class_name and config.

    Raises:
        TypeError: if it is no Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.serialize(lm.layers.Flatten())["class_name"]
        'Flatten'
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"serialize: expected a Layer, got {layer!r}")
    return {"class_name": type(layer).__name__, "config": layer.get_config()}


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The layer that `serialize` told of, made anew. It names classes; no code is run.

    Args:
        config: dictionary of class_name and config.
        custom_objects: layer classes, and activation functions, of your own, by name.

    Returns:
        Layer with weights at their first values.

    Raises:
        ValueError: if the dictionary is another, or names an unknown class.

    Example:
        >>> import lamina as lm
        >>> lm.layers.deserialize(lm.layers.serialize(lm.layers.Dense(3))).units
        3
    """
    if not isinstance(config, dict) or not {"class_name", "config"} <= config.keys():
        raise ValueError(f"deserialize: expected a dictionary of class_name and config, got {config!r}")
    before = call_state.custom_objects
    call_state.custom_objects = {**before, **(custom_objects or {})}
    try:
        return class_named(config["class_name"]).from_config(config["config"])
    finally:
        call_state.custom_objects = before
