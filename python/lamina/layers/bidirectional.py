"""Bidirectional: a recurrent layer and its like, which reads the sequence from the end."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.layers.layer import Layer, call_state, class_named, register
from lamina.layers.masks import step_mask
from lamina.layers.recurrent import RNN, fused_cell
from lamina.layers.shapes import Shape

MODES = ("concat", "sum", "ave", "mul", None)


def _anew(layer: Layer, prefix: str, backwards: bool) -> Any:
    """A layer of the same configuration, classes of the user's own among those inside."""
    config = layer.get_config()
    config["name"] = prefix + layer.name.removeprefix(prefix)
    if backwards:
        config["go_backwards"] = True
    before = call_state.custom_objects
    inside = {type(inner).__name__: type(inner) for inner in layer.layers_inside()}
    call_state.custom_objects = {**before, **inside}
    try:
        return type(layer).from_config(config)
    finally:
        call_state.custom_objects = before


@register
class Bidirectional(Layer):
    """Two recurrent layers, one from the first step to the last, the other the other way; their outputs are merged.

    Called as ``layer(x, mask=None, initial_state=None)`` on x (N, T, features); the first half of the states is for the
    forward layer. Where all steps' outputs are given, those of masked steps are 0.

    Args:
        layer: a recurrent layer (or another with go_backwards, return_sequences and return_state): it is made anew
            for the forward direction, and, if there is no backward_layer, for the other one.
        merge_mode: "concat", "sum", "ave" (the mean), "mul", or None for both outputs as they are.
        weights: None, or arrays: the first values of both layers' weights.
        backward_layer: None, or the layer for the other direction, with another go_backwards.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    With ``return_state`` the states of the forward layer and those of the backward one follow the output.

    Weights: those of forward_layer, then those of backward_layer.

    Raises:
        TypeError: if it is given no layer.
        ValueError: for another merge_mode, and layers that do not fit each other.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.ones((2, 7, 3), "float32")
        >>> lm.layers.Bidirectional(lm.layers.LSTM(4))(x).shape
        (2, 8)

    Reference:
        Schuster & Paliwal 1997, "Bidirectional Recurrent Neural Networks".
    """

    supports_masking = True
    _makes_masks = False
    _takes_step_mask = True

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if merge_mode not in MODES:
            raise ValueError(f"{self.name}: merge_mode must be one of {list(MODES)}, got {merge_mode!r}")
        layer, backward_layer = self._layer(layer), self._layer(backward_layer, True)
        self.forward_layer = _anew(layer, "forward_", False)
        self.backward_layer = _anew(layer, "backward_", True) if backward_layer is None else backward_layer
        self._compare(self.forward_layer, self.backward_layer)
        for one in (self.forward_layer, self.backward_layer):
            if hasattr(one, "zero_output_for_mask"):
                one.zero_output_for_mask = one.return_sequences
        self.merge_mode = merge_mode
        self.stateful = bool(getattr(layer, "stateful", False))
        self.return_sequences, self.return_state = bool(layer.return_sequences), bool(layer.return_state)
        self._first_weights = None if weights is None else list(weights)

    def _layer(self, layer: Any, optional: bool = False) -> Any:
        """A layer that goes in one direction, made anew if it is a configuration."""
        if isinstance(layer, dict):
            layer = class_named(layer.get("class_name")).from_config(layer.get("config", {}))
        if layer is None and optional:
            return None
        if not isinstance(layer, Layer):
            raise TypeError(f"{self.name}: expected a layer, got {type(layer).__name__}")
        for name in ("go_backwards", "return_sequences", "return_state"):
            if not hasattr(layer, name):
                raise TypeError(f"{self.name}: expected a recurrent layer, {layer.name} has no {name}")
        return layer

    def _compare(self, forward: Any, backward: Any) -> None:
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                f"{self.name}: the two layers must differ in go_backwards, got {forward.go_backwards} for both"
            )
        for name in ("stateful", "return_sequences", "return_state"):
            one, other = getattr(forward, name, False), getattr(backward, name, False)
            if one != other:
                raise ValueError(f"{self.name}: the two layers must agree in {name}, got {one} and {other}")

    def build(self, input_shape: Any, initial_state_shape: Any = None) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(input_shape)
        if self._first_weights is not None:
            half = len(self._first_weights) // 2
            self.forward_layer.set_weights(self._first_weights[:half])
            self.backward_layer.set_weights(self._first_weights[half:])
            self._first_weights = None

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        first, second = self._halves(initial_state)
        if self._in_one_op(sequences, training, mask, initial_state):
            return self._run_fused(sequences, first, second, mask)
        options = {} if mask is None else {"mask": mask}
        y = self.forward_layer(sequences, **options, **({} if first is None else {"initial_state": first}))
        z = self.backward_layer(sequences, **options, **({} if second is None else {"initial_state": second}))
        states: tuple[Any, ...] = ()
        if self.return_state:
            states = (*y[1:], *z[1:])
            y, z = y[0], z[0]
        if self.return_sequences:
            z = ops.flip(z, 1)
        y = self._merged(y, z)
        if not self.return_state:
            return y
        return (*y, *states) if self.merge_mode is None else (y, *states)

    def _in_one_op(self, x: Any, training: bool, mask: Any, states: Any) -> bool:
        """Whether an op runs both directions at once as the two layers would one after the other."""
        a, b = self.forward_layer, self.backward_layer
        if not (isinstance(a, RNN) and isinstance(b, RNN)) or a.stateful or a.go_backwards or x.ndim != 3:
            return False
        one, other = a.cell, b.cell
        if type(one) is not type(other) or not (fused_cell(one, training) and fused_cell(other, training)):
            return False
        if training and (one.dropout or one.recurrent_dropout or other.dropout or other.recurrent_dropout):
            return False
        if a.activity_regularizer is not None or b.activity_regularizer is not None or not x.shape[1]:
            return False
        alike = one.units == other.units and one.options() == other.options()
        return alike and (self.return_sequences or mask is None or states is None)

    def _run_fused(self, x: Any, first: Any, second: Any, mask: Any) -> Any:
        """Both directions in one op."""
        a, b = self.forward_layer, self.backward_layer
        if first is not None:
            first, second = a.checked_states(first, x), b.checked_states(second, x)
        kept = step_mask(mask[0] if isinstance(mask, list | tuple) else mask, x.shape[:2], self.name)
        (y, *last), (z, *end) = a.cell.run_both(
            x, b.cell, (first, second), mask=kept, zero_output_for_mask=self.return_sequences
        )
        if not self.return_sequences:
            y, z = last[0], end[0]
        y = self._merged(y, z)
        if not self.return_state:
            return y
        return (*y, *last, *end) if self.merge_mode is None else (y, *last, *end)

    def _halves(self, states: Any) -> tuple[Any, Any]:
        """The states for the forward layer and those for the other one."""
        if states is None:
            return None, None
        if not isinstance(states, list | tuple) or len(states) % 2 or not states:
            count = len(states) if isinstance(states, list | tuple) else 1
            raise ValueError(
                f"{self.name}: initial_state must be a list of the states of both layers, got {count} tensors"
            )
        half = len(states) // 2
        return list(states[:half]), list(states[half:])

    def _merged(self, y: Any, z: Any) -> Any:
        if self.merge_mode == "concat":
            return ops.concatenate([y, z], -1)
        if self.merge_mode == "sum":
            return y + z
        if self.merge_mode == "ave":
            return (y + z) / 2
        return y * z if self.merge_mode == "mul" else (y, z)

    @property
    def states(self) -> Any:
        """The states of both layers, if stateful and called before; else None."""
        first, second = self.forward_layer.states, self.backward_layer.states
        return None if first is None or second is None else [*first, *second]

    def reset_state(self) -> None:
        """Has the next batch begin anew."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """Another name for `reset_state`."""
        self.reset_state()

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        mask = mask if self.return_sequences else None
        return [mask, mask] if self.merge_mode is None else [mask]

    def compute_output_shape(self, input_shape: Any, initial_state_shape: Any = None) -> Any:
        y = self.forward_layer.compute_output_shape(input_shape)
        states: tuple[Any, ...] = ()
        if self.return_state:
            y, states = y[0], (*y[1:], *self.backward_layer.compute_output_shape(input_shape)[1:])
        if self.merge_mode is None:
            return (y, y, *states)
        if self.merge_mode == "concat":
            y = (*y[:-1], 2 * y[-1])
        return (y, *states) if self.return_state else y

    def _output_specs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        first, second = self._halves(args[1] if len(args) > 1 else kwargs.get("initial_state"))
        specs = []
        for layer, states in ((self.forward_layer, first), (self.backward_layer, second)):
            specs.append(layer._output_specs(args[:1], {} if states is None else {"initial_state": states}))
        y, z = specs
        states = ()
        if self.return_state:
            states, y, z = (*y[1:], *z[1:]), y[0], z[0]
        if self.merge_mode == "concat":
            (shape, dtype), (other, _) = y, z
            y = (*shape[:-1], shape[-1] + other[-1]), dtype
        if self.merge_mode is None:
            return (y, z, *states)
        return (y, *states) if self.return_state else y

    def flops(self, input_shape: Shape) -> int:
        return int(self.forward_layer.flops(input_shape) + self.backward_layer.flops(input_shape))

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"merge_mode": self.merge_mode}
        for name, layer in (("layer", self.forward_layer), ("backward_layer", self.backward_layer)):
            config[name] = {"class_name": type(layer).__name__, "config": layer.get_config()}
        return {**super().get_config(), **config}
