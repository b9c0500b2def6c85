"""SimpleRNN, LSTM, GRU."""

from __future__ import annotations

from typing import Any

from lamina.layers.layer import register
from lamina.layers.recurrent import RNN
from lamina.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell

OF_LAYER = ("name", "trainable", "dtype")


def of_cell(name: str) -> Any:
    """An option that the cell holds, seen on the layer."""
    return property(lambda self: getattr(self.cell, name), doc=f"The cell's {name}.")


class Recurrent(RNN):
    """A layer of one of the three cells."""

    units = of_cell("units")
    activation = of_cell("activation")
    use_bias = of_cell("use_bias")
    kernel_initializer = of_cell("kernel_initializer")
    recurrent_initializer = of_cell("recurrent_initializer")
    bias_initializer = of_cell("bias_initializer")
    kernel_regularizer = of_cell("kernel_regularizer")
    recurrent_regularizer = of_cell("recurrent_regularizer")
    bias_regularizer = of_cell("bias_regularizer")
    kernel_constraint = of_cell("kernel_constraint")
    recurrent_constraint = of_cell("recurrent_constraint")
    bias_constraint = of_cell("bias_constraint")
    dropout = of_cell("dropout")
    recurrent_dropout = of_cell("recurrent_dropout")

    def build(self, input_shape: Any, initial_state_shape: Any = None) -> None:
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(f"{self.name}: x must have shape (N, T, features), got {input_shape}")
        super().build(input_shape)

    def get_config(self) -> dict[str, Any]:
        cell = {key: value for key, value in self.cell.get_config().items() if key not in OF_LAYER}
        return {**super().get_config(), **cell}


def options_of(kwargs: dict[str, Any]) -> dict[str, Any]:
    """What the cell is told too of a layer's further arguments."""
    return {key: kwargs[key] for key in ("trainable", "dtype") if key in kwargs}


@register
class SimpleRNN(Recurrent):
    """A recurrent layer whose state is its output: h_t = activation(x_t kernel + h_(t-1) recurrent_kernel + bias).

    Called as ``layer(x, mask=None, initial_state=None)`` on x (N, T, features). Where the mask (N, T) is False a step
    is passed over: the state stays, and the output is that of the step before, or 0 where there was none.

    Args:
        units: how many numbers the state has, positive.
        activation: a name, or a function of a tensor.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: first values.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties added to the loss.
        activity_regularizer: a penalty on the output, added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: what the weights are held to.
        dropout, recurrent_dropout: rates, from 0 to 1, at which inputs and state are dropped in training; what is
            dropped is the same in all steps of a sequence.
        return_sequences: whether the outputs of all steps are given, (N, T, units), or the last one's, (N, units).
        return_state: whether the last state is given too: (output, state).
        go_backwards: whether steps are taken from the last to the first; outputs come in the order of the steps taken.
        stateful: whether the next batch goes on from the states that this one ended with; see RNN.
        unroll: accepted for Keras's sake; it changes nothing.
        seed: None to go by `lamina.set_seed`, or an integer for dropout of its own.
        **kwargs: zero_output_for_mask: see RNN; name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (features, units), recurrent_kernel (units, units), bias (units,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.ones((2, 7, 3), "float32")
        >>> lm.layers.SimpleRNN(4)(x).shape, lm.layers.SimpleRNN(4, return_sequences=True)(x).shape
        ((2, 4), (2, 7, 4))

    Reference:
        Elman 1990, "Finding Structure in Time".
    """

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        cell = SimpleRNNCell(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed,
            name="simple_rnn_cell", **options_of(kwargs),
        )  # fmt: skip
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful, unroll,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip


@register
class LSTM(Recurrent):
    """Long short-term memory: a recurrent layer whose gates say what its cell forgets, takes in and shows.

    ::

        i, f, g, o = split(x_t kernel + h_(t-1) recurrent_kernel + bias)
        c_t = recurrent_activation(f) c_(t-1) + recurrent_activation(i) activation(g)
        h_t = recurrent_activation(o) activation(c_t)

    Called as ``layer(x, mask=None, initial_state=None)`` on x (N, T, features). Where the mask (N, T) is False a step
    is passed over: the states stay, and the output is that of the step before, or 0 where there was none.

    Args:
        units: how many numbers each state has, positive.
        activation: of the candidates g and the cell.
        recurrent_activation: of the gates i, f, o.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: first values.
        unit_forget_bias: whether the forget gate's bias begins at 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties added to the loss.
        activity_regularizer: a penalty on the output, added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: what the weights are held to.
        dropout, recurrent_dropout: rates, from 0 to 1, at which inputs and state are dropped in training; what is
            dropped is the same in all steps of a sequence.
        seed: None to go by `lamina.set_seed`, or an integer for dropout of its own.
        return_sequences: whether the outputs of all steps are given, (N, T, units), or the last one's, (N, units).
        return_state: whether the last states are given too: (output, h, c).
        go_backwards: whether steps are taken from the last to the first; outputs come in the order of the steps taken.
        stateful: whether the next batch goes on from the states that this one ended with; see RNN.
        unroll, use_cudnn: accepted for Keras's sake; they change nothing.
        **kwargs: zero_output_for_mask: see RNN; implementation: 1 for dropout of each gate's own (else all share it);
            name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (features, 4 units), recurrent_kernel (units, 4 units), bias (4 units,); gates in the order i, f, g
    (Keras: c), o.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.ones((2, 7, 3), "float32")
        >>> lm.layers.LSTM(4)(x).shape
        (2, 4)
        >>> y, h, c = lm.layers.LSTM(4, return_sequences=True, return_state=True)(x)
        >>> y.shape, h.shape, c.shape
        ((2, 7, 4), (2, 4), (2, 4))

    Reference:
        Hochreiter & Schmidhuber 1997, "Long Short-Term Memory".
    """

    recurrent_activation = of_cell("recurrent_activation")
    unit_forget_bias = of_cell("unit_forget_bias")

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        implementation = kwargs.pop("implementation", 2)
        cell = LSTMCell(
            units, activation, recurrent_activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer, unit_forget_bias,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed,
            implementation, name="lstm_cell", **options_of(kwargs),
        )  # fmt: skip
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful, unroll,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip


@register
class GRU(Recurrent):
    """Gated recurrent units: a recurrent layer whose gates say what of its state is renewed.

    ::

        z = recurrent_activation(x W_z + h U_z + b_z)
        r = recurrent_activation(x W_r + h U_r + b_r)
        g = activation(x W_h + r (h U_h + b') + b_h)      reset_after=True
        g = activation(x W_h + (r h) U_h + b_h)           reset_after=False
        h_t = z h_(t-1) + (1 - z) g

    Called as ``layer(x, mask=None, initial_state=None)`` on x (N, T, features). Where the mask (N, T) is False a step
    is passed over: the state stays, and the output is that of the step before, or 0 where there was none.

    Args:
        units: how many numbers the state has, positive.
        activation: of the candidates g.
        recurrent_activation: of the gates z, r.
        use_bias: whether biases are added.
        kernel_initializer, recurrent_initializer, bias_initializer: first values.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties added to the loss.
        activity_regularizer: a penalty on the output, added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: what the weights are held to.
        dropout, recurrent_dropout: rates, from 0 to 1, at which inputs and state are dropped in training; what is
            dropped is the same in all steps of a sequence.
        seed: None to go by `lamina.set_seed`, or an integer for dropout of its own.
        return_sequences: whether the outputs of all steps are given, (N, T, units), or the last one's, (N, units).
        return_state: whether the last state is given too: (output, state).
        go_backwards: whether steps are taken from the last to the first; outputs come in the order of the steps taken.
        stateful: whether the next batch goes on from the states that this one ended with; see RNN.
        unroll, use_cudnn: accepted for Keras's sake; they change nothing.
        reset_after: whether the reset gate comes after the product with the recurrent kernel.
        **kwargs: zero_output_for_mask: see RNN; implementation: 1 for dropout of each gate's own (else all share it);
            name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (features, 3 units), recurrent_kernel (units, 3 units), bias (2, 3 units), that of the inputs and
    that of the state, or (3 units,) without reset_after; gates in the order z, r, h.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.ones((2, 7, 3), "float32")
        >>> lm.layers.GRU(4)(x).shape
        (2, 4)

    Reference:
        Cho et al. 2014, arXiv:1406.1078.
    """

    recurrent_activation = of_cell("recurrent_activation")
    reset_after = of_cell("reset_after")

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        implementation = kwargs.pop("implementation", 2)
        cell = GRUCell(
            units, activation, recurrent_activation, use_bias,
            kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout, reset_after, seed,
            implementation, name="gru_cell", **options_of(kwargs),
        )  # fmt: skip
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful, unroll,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
