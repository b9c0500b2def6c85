"""ConvLSTM1D, ConvLSTM2D, ConvLSTM3D: an LSTM whose states are images and whose products are convolutions."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from lamina import ops
from lamina.autograd.tensor import Tensor
from lamina.layers.checks import channels_last
from lamina.layers.conv_base import padding_of, window_count
from lamina.layers.layer import register
from lamina.layers.recurrent import Sizes
from lamina.layers.recurrent_cells import LSTMCell
from lamina.layers.recurrent_layers import Recurrent, of_cell, options_of
from lamina.layers.shapes import Shape
from lamina.ops.convolution_window import integers

CONVOLUTIONS: dict[int, Any] = {1: ops.conv1d, 2: ops.conv2d, 3: ops.conv3d}


@register
class ConvLSTMCell(LSTMCell):
    """One step of a ConvLSTM over `rank` axes; arguments as `ConvLSTM2D`.

    Args:
        rank: how many axes the convolutions run over, 1 to 3.
        filters, kernel_size, strides, padding, data_format, dilation_rate: see ConvLSTM2D.
        **kwargs: further arguments of LSTMCell.

    Weights: kernel (*kernel_size, channels, 4 filters), recurrent_kernel (*kernel_size, filters, 4 filters), bias.
    """

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, **kwargs)
        channels_last(data_format, self.name)
        self.rank = rank
        self.filters = self.units
        self.kernel_size = integers(kernel_size, rank, self.name, "kernel_size")
        self.strides = integers(strides, rank, self.name, "strides")
        self.dilation_rate = integers(dilation_rate, rank, self.name, "dilation_rate")
        self.padding = padding_of(padding, self.name, rank)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{self.name}: strides above 1 do not go with a dilation_rate above 1, got strides {self.strides} and "
                f"dilation_rate {self.dilation_rate}"
            )

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != self.rank + 2 or None in input_shape[1:]:
            raise ValueError(f"{self.name}: all sizes of a step's x must be known, got {tuple(input_shape)}")
        self.spatial = self.output_sizes(input_shape)
        width = 4 * self.filters
        self.kernel = self.add_weight(
            (*self.kernel_size, input_shape[-1], width), self.kernel_initializer, None, True,
            self.kernel_regularizer, "kernel", self.kernel_constraint,
        )  # fmt: skip
        self.recurrent_kernel = self.add_weight(
            (*self.kernel_size, self.filters, width), self.recurrent_initializer, None, True,
            self.recurrent_regularizer, "recurrent_kernel", self.recurrent_constraint,
        )  # fmt: skip
        if self.use_bias:
            self.bias = self.add_weight(
                (width,), self._first_bias(), None, True, self.bias_regularizer, "bias", self.bias_constraint
            )

    def output_sizes(self, input_shape: Any) -> Shape:
        """The sizes of the states' axes, for a step of this shape, (N, ..., channels)."""
        return tuple([
            window_count(input_shape[1 + i], self.kernel_size[i], self.strides[i], self.padding, self.name, i,
                         self.dilation_rate[i], self.rank)
            for i in range(self.rank)
        ])  # fmt: skip

    def get_initial_state(self, batch_size: int) -> list[Tensor]:
        shape = (batch_size, *self.spatial, self.filters)
        return [Tensor(np.zeros(shape, self._dtype)) for _ in range(2)]

    def fused(self) -> bool:
        return False

    def project(self, x: Any, training: bool) -> Any:
        """What the inputs of one step (N, ..., channels), or of all steps (N, T, ..., channels), give to the gates."""
        if x.ndim == self.rank + 2:
            masks = self.get_dropout_mask(x) if training else None
            return self._projected(x, masks, self.kernel, self.bias)
        if training and self.dropout > 0:
            drop: Any = self.get_dropout_mask(x[:, 0])
            x = x * ops.expand_dims(drop[0], 1)
        n, length = x.shape[:2]
        z = self._projected(ops.reshape(x, (n * length, *x.shape[2:])), None, self.kernel, self.bias)
        return ops.reshape(z, (n, length, *z.shape[1:]))

    def _projected(self, x: Any, masks: list[Tensor] | None, kernel: Any, bias: Any) -> Any:
        x = x if masks is None else x * masks[0]
        convolve = CONVOLUTIONS[self.rank]
        if kernel is self.recurrent_kernel:
            return convolve(x, kernel, None, 1, "same")
        return convolve(x, kernel, bias, self.strides, self.padding, self.dilation_rate)

    def flops(self, input_shape: Shape) -> int:
        places = math.prod(self.output_sizes(input_shape)) * 4 * self.filters
        return places * (2 * math.prod(self.kernel_size) * (input_shape[-1] + self.filters) + self.use_bias)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["units"]
        padding = self.padding
        return {
            **config,
            "rank": self.rank,
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": padding if isinstance(padding, str) else [list(side) for side in padding],
            "dilation_rate": list(self.dilation_rate),
        }


class ConvLSTM(Recurrent):
    """What the layers over one, two and three axes share. The inputs of all steps are convolved at once."""

    rank: ClassVar[int]

    units = filters = of_cell("filters")
    kernel_size = of_cell("kernel_size")
    strides = of_cell("strides")
    padding = of_cell("padding")
    dilation_rate = of_cell("dilation_rate")
    recurrent_activation = of_cell("recurrent_activation")
    unit_forget_bias = of_cell("unit_forget_bias")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        **kwargs: Any,
    ) -> None:
        cell = ConvLSTMCell(
            self.rank, filters, kernel_size, strides, padding, data_format, dilation_rate, activation=activation,
            recurrent_activation=recurrent_activation, use_bias=use_bias, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias, kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint, dropout=dropout, recurrent_dropout=recurrent_dropout, seed=seed,
            name="conv_lstm_cell", **options_of(kwargs),
        )  # fmt: skip
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful, activity_regularizer=activity_regularizer,
            **kwargs,
        )  # fmt: skip

    def build(self, input_shape: Any, initial_state_shape: Any = None) -> None:
        self._check(input_shape)
        if not self.cell.built:
            self.cell.build((input_shape[0], *input_shape[2:]))

    def _check(self, shape: Any) -> None:
        if len(shape) != self.rank + 3:
            axes = {1: "L", 2: "H, W", 3: "D, H, W"}[self.rank]
            raise ValueError(f"{self.name}: x must have shape (N, T, {axes}, channels), got {tuple(shape)}")

    def _step_shape(self, input_shape: Any) -> Shape:
        self._check(input_shape)
        return (*self.cell.output_sizes((input_shape[0], *input_shape[2:])), self.filters)

    def _state_shapes(self, input_shape: Any) -> Any:
        return [Sizes(self._step_shape(input_shape)) for _ in range(2)]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("rank", "implementation", "unroll", "zero_output_for_mask"):
            del config[name]
        return config


@register
class ConvLSTM1D(ConvLSTM):
    """An LSTM over sequences of rows (N, T, L, channels), whose products are convolutions; see `ConvLSTM2D`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate: see ConvLSTM2D.
        **kwargs: its further arguments.

    Weights: kernel (kernel_size, channels, 4 filters), recurrent_kernel (kernel_size, filters, 4 filters), bias
    (4 filters,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.ConvLSTM1D(4, 3)(np.ones((2, 5, 8, 3), "float32")).shape
        (2, 6, 4)

    Reference:
        Shi et al. 2015, arXiv:1506.04214.
    """

    rank = 1


@register
class ConvLSTM2D(ConvLSTM):
    """An LSTM over sequences of images (N, T, H, W, channels), whose states are images and whose products convolutions.

    ::

        i, f, g, o = split(x_t * kernel + h_(t-1) * recurrent_kernel + bias)
        c_t = recurrent_activation(f) c_(t-1) + recurrent_activation(i) activation(g)
        h_t = recurrent_activation(o) activation(c_t)

    Args:
        filters: channels of the states and the output, positive.
        kernel_size: of both convolutions: an integer, or one an axis.
        strides: of the inputs' convolution; the state's has 1.
        padding: of the inputs' convolution, "valid" or "same"; the state's is "same".
        data_format: None or "channels_last".
        dilation_rate: of the inputs' convolution.
        activation, recurrent_activation, use_bias, unit_forget_bias, dropout, recurrent_dropout, seed: see LSTM.
        return_sequences, return_state, go_backwards, stateful: see LSTM; so for initializers, regularizers and
            constraints.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (*kernel_size, channels, 4 filters), recurrent_kernel (*kernel_size, filters, 4 filters), bias
    (4 filters,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> video = np.ones((2, 5, 8, 8, 3), "float32")
        >>> lm.layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True)(video).shape
        (2, 5, 8, 8, 4)

    Reference:
        Shi et al. 2015, arXiv:1506.04214.
    """

    rank = 2


@register
class ConvLSTM3D(ConvLSTM):
    """An LSTM over sequences of volumes (N, T, D, H, W, channels), whose products are convolutions; see `ConvLSTM2D`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate: see ConvLSTM2D.
        **kwargs: its further arguments.

    Weights: kernel (*kernel_size, channels, 4 filters), recurrent_kernel (*kernel_size, filters, 4 filters), bias
    (4 filters,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.ConvLSTM3D(2, 3)(np.ones((1, 2, 4, 4, 4, 1), "float32")).shape
        (1, 2, 2, 2, 2)

    Reference:
        Shi et al. 2015, arXiv:1506.04214.
    """

    rank = 3
