"""Activations by name, and whether a product or convolution can apply them itself."""

from __future__ import annotations

from typing import Any

from lamina.activations import Activation, linear, name_of, names
from lamina.layers.layer import Layer, call_state, class_named

# What the layers have ops.dense and ops.conv2d apply. Not sigmoid, though they could: cross entropy after it is
# computed from what went into it, exactly, and that must then be at hand.
FUSED = ("linear", "relu", "tanh")


def get(identifier: Any, owner: str) -> tuple[str | None, Activation]:
    """The activation's name (None for a function of the user's own) and the function.

    Args:
        identifier: a name, a function of a tensor, a Layer, a Layer's configuration, or None for "linear".
        owner: the layer that asks, for the error.

    Raises:
        ValueError: for an unknown name, or anything that cannot be called.
    """
    if identifier is None:
        return "linear", linear
    if isinstance(identifier, str) and identifier in names:
        return identifier, names[identifier]
    if isinstance(identifier, dict):
        return None, class_named(identifier.get("class_name")).from_config(identifier.get("config", {}))
    if isinstance(identifier, str) and identifier in call_state.custom_objects:
        return None, call_state.custom_objects[identifier]
    if callable(identifier):
        return name_of(identifier), identifier
    raise ValueError(f"{owner}: activation must be a function or one of {sorted(names)}, got {identifier!r}")


def serialize(name: str | None, function: Activation, owner: str) -> Any:
    """What `get` takes back: a name, or a layer's configuration.

    Raises:
        ValueError: for a function of the user's own: no code is saved.
    """
    if name is not None:
        return name
    if isinstance(function, Layer):
        return {"class_name": type(function).__name__, "config": function.get_config()}
    own = getattr(function, "__name__", None)
    if own is not None and call_state.custom_objects.get(own) is function:
        return own
    raise ValueError(f"{owner}: the activation {function!r} cannot be saved; use a name or a Layer instead")
