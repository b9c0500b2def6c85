"""LocallyConnected1D, LocallyConnected2D: layers that Keras 2 had."""

from __future__ import annotations

import math
from typing import Any

from lamina import ops
from lamina.layers.checks import positive
from lamina.layers.conv_base import ConvolutionLayer, product_of_sizes
from lamina.layers.layer import register
from lamina.layers.shapes import Shape


class LocallyConnected(ConvolutionLayer):
    """What LocallyConnected1D and LocallyConnected2D share."""

    numbers = ("filters",)

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        data_format: str | None = None,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        implementation: int = 1,
        **kwargs: Any,
    ) -> None:
        bias = bias_initializer, bias_regularizer, bias_constraint
        super().__init__(
            kernel_size, strides, padding, data_format, 1, activation, use_bias, bias, activity_regularizer, **kwargs
        )
        self.filters = positive(filters, self.name, "filters")
        if implementation != 1:
            raise ValueError(
                f"{self.name}: implementation must be 1, got {implementation!r}: the others keep the same weights "
                "among zeros"
            )
        self._settings("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._op = (ops.locally_connected1d, ops.locally_connected2d)[self.rank - 1]
        self.kernel: Any = None

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        places = self._windows(input_shape)
        count = product_of_sizes(places, self.name)
        self.kernel = self._weight("kernel", (count, math.prod(self.kernel_size) * channels, self.filters), "kernel")
        if self.use_bias:
            self.bias = self._weight("bias", (*places, self.filters), "bias")

    def call(self, x: Any) -> Any:
        y = self._op(x, self.kernel, self.bias, self.kernel_size, self.strides, self.padding, self._fused)
        return self._finish(y)

    def compute_output_shape(self, input_shape: Any) -> Any:
        self._channels(input_shape)
        return (input_shape[0], *self._windows(input_shape), self.filters)

    def flops(self, input_shape: Shape) -> int:
        outputs = product_of_sizes(self.compute_output_shape(input_shape)[1:], self.name)
        return outputs * (2 * math.prod(self.kernel_size) * input_shape[-1] + self.use_bias)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["dilation_rate"]
        return config


@register
class LocallyConnected1D(LocallyConnected):
    """One-dimensional convolution with weights of its own for every place of the output, for x of shape (N, T, C).

    Args:
        filters: output channels, positive.
        kernel_size: length, one integer.
        strides: step.
        padding: "valid" (none), "same" (as many outputs as inputs at stride 1, zeros around, the odd one after), an
            integer or pairs.
        data_format: None or "channels_last".
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        kernel_initializer, kernel_regularizer, kernel_constraint: the kernel's first values, the penalty added to the
            loss, and what is imposed on it after every step.
        bias_initializer, bias_regularizer, bias_constraint: the same for the bias.
        activity_regularizer: a penalty on the output, added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.
        implementation: 1; how Keras 2 kept the weights.

    Weights, of the output's steps: kernel
    (steps, length * channels, filters), bias (steps, filters).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.LocallyConnected1D(8, 3)(np.zeros((1, 10, 4), "float32")).shape
        (1, 8, 8)
    """

    rank = 1


@register
class LocallyConnected2D(LocallyConnected):
    """Two-dimensional convolution with weights of its own for every place of the output, for x of shape (N, H, W, C).

    Args:
        filters: output channels, positive.
        kernel_size: height and width, one integer or two.
        strides: steps down and right.
        padding: "valid" (none), "same" (as many outputs as inputs at stride 1, zeros around, the odd one after), an
            integer or pairs.
        data_format: None or "channels_last".
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        kernel_initializer, kernel_regularizer, kernel_constraint: the kernel's first values, the penalty added to the
            loss, and what is imposed on it after every step.
        bias_initializer, bias_regularizer, bias_constraint: the same for the bias.
        activity_regularizer: a penalty on the output, added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.
        implementation: 1; how Keras 2 kept the weights.

    Weights, of the output's rows and columns: kernel
    (rows * columns, height * width * channels, filters), bias (rows, columns, filters).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.LocallyConnected2D(4, 3)(np.zeros((1, 8, 8, 1), "float32")).shape
        (1, 6, 6, 4)
    """

    rank = 2
