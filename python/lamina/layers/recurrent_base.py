"""What the cells of recurrent layers share: weights, options, and dropout masks that last a whole sequence."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from lamina import backend, constraints, initializers, ops, regularizers
from lamina.autograd.tensor import Tensor
from lamina.layers import activations
from lamina.layers.checks import positive, share
from lamina.layers.seeded import Seeded
from lamina.layers.shapes import Shape


class RecurrentCell(Seeded):
    """What the cells share: weights for several gates side by side, their options, and dropout.

    Dropout masks are drawn at the first step in training and kept for the following ones, until
    `reset_dropout_mask` and `reset_recurrent_dropout_mask`, which a layer calls after each sequence. All gates share
    one; with ``implementation=1`` each has its own.
    """

    gates: ClassVar[int] = 1
    implementation = 2
    _input_masks: list[Tensor] | None = None
    _recurrent_masks: list[Tensor] | None = None

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
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
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.units = positive(units, self.name, "units")
        self._activation_name, self.activation = activations.get(activation, self.name)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = share(dropout, self.name, "dropout")
        self.recurrent_dropout = share(recurrent_dropout, self.name, "recurrent_dropout")
        self.state_size: Any = self.units
        self.output_size = self.units
        self.kernel: Any = None
        self.recurrent_kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ValueError(f"{self.name}: a step's x must have shape (N, features), got {input_shape}")
        width = self.gates * self.units
        self.kernel = self.add_weight(
            (input_shape[-1], width), self.kernel_initializer, None, True,
            self.kernel_regularizer, "kernel", self.kernel_constraint,
        )  # fmt: skip
        self.recurrent_kernel = self.add_weight(
            (self.units, width), self.recurrent_initializer, None, True,
            self.recurrent_regularizer, "recurrent_kernel", self.recurrent_constraint,
        )  # fmt: skip
        if self.use_bias:
            self.bias = self.add_weight(
                self._bias_shape(), self._first_bias(), None, True, self.bias_regularizer, "bias", self.bias_constraint
            )

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _first_bias(self) -> Any:
        return self.bias_initializer

    def get_initial_state(self, batch_size: int) -> list[Tensor]:
        """Zeros, (batch_size, units) for each state."""
        count = len(self.state_size) if isinstance(self.state_size, list) else 1
        return [Tensor(np.zeros((batch_size, self.units), self._dtype)) for _ in range(count)]

    # Dropout

    def get_dropout_mask(self, x: Any) -> list[Tensor] | None:
        """What the inputs of every step are multiplied with: one mask for all gates, or one for each."""
        if self._input_masks is None and self.dropout > 0:
            self._input_masks = self._draw(x, self.dropout)
        return self._input_masks

    def get_recurrent_dropout_mask(self, h: Any) -> list[Tensor] | None:
        """What the state of every step is multiplied with: one mask for all gates, or one for each."""
        if self._recurrent_masks is None and self.recurrent_dropout > 0:
            self._recurrent_masks = self._draw(h, self.recurrent_dropout)
        return self._recurrent_masks

    def reset_dropout_mask(self) -> None:
        """The next step draws anew."""
        self._input_masks = None

    def reset_recurrent_dropout_mask(self) -> None:
        """The next step draws anew."""
        self._recurrent_masks = None

    def _draw(self, x: Any, rate: float) -> list[Tensor]:
        masks = []
        for _ in range(self.gates if self.implementation == 1 else 1):
            ones = Tensor(backend.full(x.shape, 1.0, self._dtype, like=x.array))
            masks.append(ops.dropout(ones, rate, *self._stream()))
        return masks

    # Steps

    def fused(self) -> bool:
        """Whether `run` does what the cell would do step by step."""
        return False

    def run(self, x: Any, states: list[Any] | None, **options: Any) -> Any:
        """All steps of x (N, T, features) in one op: the outputs of all of them, then the last states."""
        raise NotImplementedError(f"{type(self).__name__}.run")

    def run_both(self, x: Any, other: Any, states: tuple[Any, Any], **options: Any) -> Any:
        """All steps in one op, with a cell of the same kind that takes them from the end."""
        raise NotImplementedError(f"{type(self).__name__}.run_both")

    def options(self) -> dict[str, Any]:
        """What two cells must agree in to run in one op."""
        return {}

    def _weights(self) -> tuple[Any, Any, Any]:
        return self.kernel, self.recurrent_kernel, self.bias

    def call(self, x: Any, states: Any, training: bool = False) -> Any:  # type: ignore[override]
        found = states_of(states, len(self.state_size) if isinstance(self.state_size, list) else 1, self.name)
        y, new = self.advance(self.project(x, training), found, training)
        return y, new if isinstance(states, list | tuple) else new[0]

    def by_parts(self) -> bool:
        """Whether `call` is what `project` of all steps at once and `advance` step by step do."""
        return type(self).call is RecurrentCell.call

    def project(self, x: Any, training: bool) -> Any:
        """What the inputs of one step (N, features), or of all steps (N, T, features), give to the gates."""
        masks = None
        if training and self.dropout > 0:
            masks = self.get_dropout_mask(x if x.ndim == 2 else x[:, 0])
            if masks is not None and x.ndim == 3:
                masks = [ops.expand_dims(mask, 1) for mask in masks]
        return self._projected(x, masks, self.kernel, self._input_bias())

    def advance(self, z: Any, states: list[Any], training: bool) -> tuple[Any, list[Any]]:
        """The output of a step and the next states, from what `project` gave."""
        raise NotImplementedError(f"{type(self).__name__}.advance")

    def _input_bias(self) -> Any:
        return self.bias

    def _projected(self, x: Any, masks: list[Tensor] | None, kernel: Any, bias: Any) -> Any:
        """x kernel + bias, (N, gates * units); with several masks each gate sees x through its own."""
        if masks is None or len(masks) == 1:
            return ops.dense(x if masks is None else x * masks[0], kernel, bias)
        parts = zip(masks, ops.split(kernel, len(masks), 1), strict=True)
        y = ops.concatenate([ops.dense(x * mask, part) for mask, part in parts], -1)
        return y if bias is None else y + bias

    def _from_state(self, h: Any, training: bool) -> Any:
        """What the state gives to the gates."""
        masks = self.get_recurrent_dropout_mask(h) if training else None
        return self._projected(h, masks, self.recurrent_kernel, None)

    def flops(self, input_shape: Shape) -> int:
        return self.gates * self.units * (2 * (input_shape[-1] + self.units) + 2 * self.use_bias)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self._activation_name, self.activation, self.name),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "recurrent_constraint": constraints.serialize(self.recurrent_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
        }


def states_of(states: Any, count: int, owner: str) -> list[Any]:
    """The states of a step as a list.

    Raises:
        ValueError: if there are more or fewer.
    """
    found = list(states) if isinstance(states, list | tuple) else [states]
    if len(found) != count:
        raise ValueError(f"{owner}: expected {count} states, got {len(found)}")
    return found
