"""SimpleRNNCell, LSTMCell, GRUCell: one step of a recurrent layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lamina import ops
from lamina.layers import activations
from lamina.layers.layer import register
from lamina.layers.recurrent_base import RecurrentCell

FUSED = ("tanh", "relu", "sigmoid", "linear")  # activations that ops.simple_rnn has


def _single(states: Any) -> Any:
    """The only state, where there are states."""
    return None if states is None else states[0]


@register
class SimpleRNNCell(RecurrentCell):
    """One step of `SimpleRNN`: h' = activation(x kernel + h recurrent_kernel + bias).

    Called as ``cell(x, [h])`` on x (N, features) and h (N, units), it gives ``(h', [h'])``.

    Args:
        units: how many numbers the state has, positive.
        activation: a name, or a function of a tensor.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: first values.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: what the weights are held to.
        dropout, recurrent_dropout: rates, from 0 to 1, at which inputs and state are dropped in training.
        seed: None to go by `lamina.set_seed`, or an integer for masks of its own.
        **kwargs: name, trainable, dtype: see Layer.

    Weights: kernel (features, units), recurrent_kernel (units, units), bias (units,).

    Example:
        >>> import lamina as lm
        >>> cell = lm.layers.SimpleRNNCell(2, kernel_initializer="ones", recurrent_initializer="zeros")
        >>> h, states = cell([[0.0], [1.0]], [lm.ops.zeros((2, 2))])
        >>> h.numpy().astype("float64").round(4).tolist()
        [[0.0, 0.0], [0.7616, 0.7616]]

    Reference:
        Elman 1990, "Finding Structure in Time".
    """

    def fused(self) -> bool:
        return self.by_parts() and self._activation_name in FUSED

    def run(self, x: Any, states: list[Any] | None, **options: Any) -> Any:
        w, u, b = self._weights()
        return ops.simple_rnn(x, w, u, b, _single(states), **self.options(), **options)

    def run_both(self, x: Any, other: Any, states: tuple[Any, Any], **options: Any) -> Any:
        pair = _single(states[0]), _single(states[1])
        return ops.bidirectional_simple_rnn(x, self._weights(), other._weights(), pair, **self.options(), **options)

    def options(self) -> dict[str, Any]:
        return {"activation": self._activation_name}

    def advance(self, z: Any, states: list[Any], training: bool) -> tuple[Any, list[Any]]:
        y = self.activation(z + self._from_state(states[0], training))
        return y, [y]


@register
class LSTMCell(RecurrentCell):
    """One step of `LSTM`, with Keras's order of gates i, f, c, o.

    ::

        i, f, g, o = split(x kernel + h recurrent_kernel + bias)
        c' = recurrent_activation(f) c + recurrent_activation(i) activation(g)
        h' = recurrent_activation(o) activation(c')

    Called as ``cell(x, [h, c])`` on x (N, features), h and c (N, units), it gives ``(h', [h', c'])``.

    Args:
        units: how many numbers each state has, positive.
        activation: of the candidates and the cell.
        recurrent_activation: of the gates.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: first values.
        unit_forget_bias: whether the forget gate's bias begins at 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: what the weights are held to.
        dropout, recurrent_dropout: rates, from 0 to 1, at which inputs and state are dropped in training.
        seed: None to go by `lamina.set_seed`, or an integer for masks of its own.
        implementation: 1 for dropout masks of each gate's own; else all gates share one.
        **kwargs: name, trainable, dtype: see Layer.

    Weights: kernel (features, 4 units), recurrent_kernel (units, 4 units), bias (4 units,).

    Example:
        >>> import lamina as lm
        >>> cell = lm.layers.LSTMCell(4)
        >>> h, (h, c) = cell(lm.ops.ones((2, 3)), cell.get_initial_state(2))
        >>> h.shape, c.shape
        ((2, 4), (2, 4))

    Reference:
        Hochreiter & Schmidhuber 1997, "Long Short-Term Memory".
    """

    gates = 4

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        implementation: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed, **kwargs,
        )  # fmt: skip
        self._gate_name, self.recurrent_activation = activations.get(recurrent_activation, self.name)
        self.unit_forget_bias = bool(unit_forget_bias)
        self.implementation = implementation
        self.state_size = [self.units, self.units]

    def _first_bias(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer

        def first(shape: Any, dtype: Any = None) -> Any:
            make: Callable[..., Any] = self.bias_initializer
            parts = [make((self.units,), dtype=dtype), np.ones(self.units, dtype), make((2 * self.units,), dtype=dtype)]
            return np.concatenate([np.asarray(part) for part in parts])

        return first

    def fused(self) -> bool:
        return self.by_parts() and self._activation_name == "tanh" and self._gate_name == "sigmoid"

    def run(self, x: Any, states: list[Any] | None, **options: Any) -> Any:
        w, u, b = self._weights()
        return ops.lstm(x, w, u, b, states, **options)

    def run_both(self, x: Any, other: Any, states: tuple[Any, Any], **options: Any) -> Any:
        return ops.bidirectional_lstm(x, self._weights(), other._weights(), states, **options)

    def advance(self, z: Any, states: list[Any], training: bool) -> tuple[Any, list[Any]]:
        h, c = states
        i, f, g, o = ops.split(z + self._from_state(h, training), 4, -1)
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(g)
        h = gate(o) * self.activation(c)
        return h, [h, c]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "recurrent_activation": activations.serialize(self._gate_name, self.recurrent_activation, self.name),
            "unit_forget_bias": self.unit_forget_bias,
            "implementation": self.implementation,
        }


@register
class GRUCell(RecurrentCell):
    """One step of `GRU`, with Keras's order of gates z, r, h.

    ::

        z = recurrent_activation(x W_z + h U_z + b_z)
        r = recurrent_activation(x W_r + h U_r + b_r)
        g = activation(x W_h + r (h U_h + b') + b_h)      reset_after=True
        g = activation(x W_h + (r h) U_h + b_h)           reset_after=False
        h' = z h + (1 - z) g

    Called as ``cell(x, [h])`` on x (N, features) and h (N, units), it gives ``(h', [h'])``.

    Args:
        units: how many numbers the state has, positive.
        activation: of the candidates.
        recurrent_activation: of the gates.
        use_bias: whether biases are added.
        kernel_initializer, recurrent_initializer, bias_initializer: first values.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: what the weights are held to.
        dropout, recurrent_dropout: rates, from 0 to 1, at which inputs and state are dropped in training.
        reset_after: whether the reset gate comes after the product with the recurrent kernel.
        seed: None to go by `lamina.set_seed`, or an integer for masks of its own.
        implementation: 1 for dropout masks of each gate's own; else all gates share one.
        **kwargs: name, trainable, dtype: see Layer.

    Weights: kernel (features, 3 units), recurrent_kernel (units, 3 units), bias (2, 3 units): that of the inputs and
    that of the state; without reset_after (3 units,).

    Example:
        >>> import lamina as lm
        >>> cell = lm.layers.GRUCell(4)
        >>> h, states = cell(lm.ops.ones((2, 3)), cell.get_initial_state(2))
        >>> h.shape
        (2, 4)

    Reference:
        Cho et al. 2014, arXiv:1406.1078.
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        implementation: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed, **kwargs,
        )  # fmt: skip
        self._gate_name, self.recurrent_activation = activations.get(recurrent_activation, self.name)
        self.reset_after = bool(reset_after)
        self.implementation = implementation

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def fused(self) -> bool:
        return self.by_parts() and self._activation_name == "tanh" and self._gate_name == "sigmoid"

    def run(self, x: Any, states: list[Any] | None, **options: Any) -> Any:
        w, u, b = self._weights()
        return ops.gru(x, w, u, b, _single(states), **self.options(), **options)

    def run_both(self, x: Any, other: Any, states: tuple[Any, Any], **options: Any) -> Any:
        pair = _single(states[0]), _single(states[1])
        return ops.bidirectional_gru(x, self._weights(), other._weights(), pair, **self.options(), **options)

    def options(self) -> dict[str, Any]:
        return {"reset_after": self.reset_after}

    def _input_bias(self) -> Any:
        return self.bias[0] if self.bias is not None and self.reset_after else self.bias

    def advance(self, z: Any, states: list[Any], training: bool) -> tuple[Any, list[Any]]:
        (h,) = states
        masks = self.get_recurrent_dropout_mask(h) if training else None
        x_z, x_r, x_h = ops.split(z, 3, 1)
        gate, two = self.recurrent_activation, 2 * self.units
        if self.reset_after:
            bias = None if self.bias is None else self.bias[1]
            h_z, h_r, h_h = ops.split(self._projected(h, masks, self.recurrent_kernel, bias), 3, 1)
            z, r = gate(x_z + h_z), gate(x_r + h_r)
            g = self.activation(x_h + r * h_h)
        else:
            of_gates, of_candidates = ops.split(self.recurrent_kernel, [two], 1)
            inner = self._projected(h, masks if masks is None or len(masks) == 1 else masks[:2], of_gates, None)
            h_z, h_r = ops.split(inner, 2, 1)
            z, r = gate(x_z + h_z), gate(x_r + h_r)
            kept = h if masks is None else h * masks[-1]
            g = self.activation(x_h + ops.matmul(r * kept, of_candidates))
        y = z * h + (1 - z) * g
        return y, [y]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "recurrent_activation": activations.serialize(self._gate_name, self.recurrent_activation, self.name),
            "reset_after": self.reset_after,
            "implementation": self.implementation,
        }
