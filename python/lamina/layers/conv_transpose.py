"""Conv1DTranspose, Conv2DTranspose, Conv3DTranspose."""

from __future__ import annotations

import math
from typing import Any

from lamina import ops
from lamina.layers.checks import positive
from lamina.layers.conv_base import ConvolutionLayer, product_of_sizes
from lamina.layers.layer import register
from lamina.layers.shapes import Shape
from lamina.ops.conv_transpose import transposed_window
from lamina.ops.convolution_window import integers


class ConvTranspose(ConvolutionLayer):
    """What Conv1DTranspose, Conv2DTranspose and Conv3DTranspose share."""

    numbers = ("filters",)

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        bias = bias_initializer, bias_regularizer, bias_constraint
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias,
            activity_regularizer, **kwargs,
        )  # fmt: skip
        self.filters = positive(filters, self.name, "filters")
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = integers(output_padding, self.rank, self.name, "output_padding", 0)
            if any(extra >= stride for extra, stride in zip(self.output_padding, self.strides, strict=True)):
                raise ValueError(
                    f"{self.name}: output_padding must be below the strides, {self.strides}, got {output_padding!r}"
                )
        self._no_strided_dilation()
        self._settings("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._op = (ops.conv1d_transpose, ops.conv2d_transpose, ops.conv3d_transpose)[self.rank - 1]
        self.kernel: Any = None

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.compute_output_shape(input_shape)
        self.kernel = self._weight("kernel", (*self.kernel_size, self.filters, channels), "kernel")
        if self.use_bias:
            self.bias = self._weight("bias", (self.filters,), "bias")

    def call(self, x: Any) -> Any:
        y = self._op(
            x, self.kernel, self.bias, self.strides, self.padding, self.output_padding, self.dilation_rate,
            activation=self._fused,
        )  # fmt: skip
        return self._finish(y)

    def compute_output_shape(self, input_shape: Any) -> Any:
        self._channels(input_shape)
        size = [self._least() if n is None else n for n in input_shape[1:-1]]
        output, _ = transposed_window(
            self.name, size, self.kernel_size, self.strides, self.padding, self.output_padding, self.dilation_rate
        )
        sizes = [None if n is None else m for n, m in zip(input_shape[1:-1], output, strict=True)]
        return (input_shape[0], *sizes, self.filters)

    def _least(self) -> int:
        """A size that something is left of, in place of one that is not known."""
        return 1 if isinstance(self.padding, str) else 1 + max(sum(side) for side in self.padding)

    def flops(self, input_shape: Shape) -> int:
        pixels = product_of_sizes(input_shape[1:], self.name)
        outputs = product_of_sizes(self.compute_output_shape(input_shape)[1:], self.name)
        return 2 * pixels * math.prod(self.kernel_size) * self.filters + outputs * self.use_bias

    def get_config(self) -> dict[str, Any]:
        padding = None if self.output_padding is None else list(self.output_padding)
        return {**super().get_config(), "output_padding": padding}


@register
class Conv1DTranspose(ConvTranspose):
    """One-dimensional transposed convolution, for x of shape (N, T, C): each input adds the kernel times it.

    Args:
        filters: output channels, positive.
        kernel_size: length, one integer.
        strides: distance of the places where neighbouring inputs add theirs. Not above 1 together with a dilation.
        padding: "valid": all that the kernels reach; "same": strides times as many outputs as inputs; an integer or
            pairs: so much less on each side.
        output_padding: outputs added after, below strides; see `lamina.ops.conv1d_transpose`.
        data_format: None or "channels_last".
        dilation_rate: distance of the kernel's elements.
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        kernel_initializer, kernel_regularizer, kernel_constraint: the kernel's first values, the penalty added to the
            loss, and what is imposed on it after every step.
        bias_initializer, bias_regularizer, bias_constraint: the same for the bias.
        activity_regularizer: a penalty on the output, added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (length, filters, channels), bias (filters,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Conv1DTranspose(8, 3, strides=2)(np.zeros((1, 10, 4), "float32")).shape
        (1, 21, 8)
    """

    rank = 1


@register
class Conv2DTranspose(ConvTranspose):
    """Two-dimensional transposed convolution, for x of shape (N, H, W, C): each input adds the kernel times it.

    Args:
        filters: output channels, positive.
        kernel_size: height and width, one integer or two.
        strides: distance of the places where neighbouring inputs add theirs. Not above 1 together with a dilation.
        padding: "valid": all that the kernels reach; "same": strides times as many outputs as inputs; an integer or
            pairs: so much less on each side.
        output_padding: outputs added after, below strides; see `lamina.ops.conv2d_transpose`.
        data_format: None or "channels_last".
        dilation_rate: distance of the kernel's elements.
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        kernel_initializer, kernel_regularizer, kernel_constraint: the kernel's first values, the penalty added to the
            loss, and what is imposed on it after every step.
        bias_initializer, bias_regularizer, bias_constraint: the same for the bias.
        activity_regularizer: a penalty on the output, added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (height, width, filters, channels), bias (filters,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Conv2DTranspose(8, 3, strides=2, padding="same")(np.zeros((1, 7, 7, 4), "float32")).shape
        (1, 14, 14, 8)
    """

    rank = 2


@register
class Conv3DTranspose(ConvTranspose):
    """Three-dimensional transposed convolution, for x of shape (N, D, H, W, C): each input adds the kernel times it.

    Args:
        filters: output channels, positive.
        kernel_size: depth, height and width, one integer or three.
        strides: distance of the places where neighbouring inputs add theirs. Not above 1 together with a dilation.
        padding: "valid": all that the kernels reach; "same": strides times as many outputs as inputs; an integer or
            pairs: so much less on each side.
        output_padding: outputs added after, below strides; see `lamina.ops.conv3d_transpose`.
        data_format: None or "channels_last".
        dilation_rate: distance of the kernel's elements.
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        kernel_initializer, kernel_regularizer, kernel_constraint: the kernel's first values, the penalty added to the
            loss, and what is imposed on it after every step.
        bias_initializer, bias_regularizer, bias_constraint: the same for the bias.
        activity_regularizer: a penalty on the output, added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (depth, height, width, filters, channels), bias (filters,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Conv3DTranspose(8, 2, strides=2)(np.zeros((1, 4, 4, 4, 2), "float32")).shape
        (1, 8, 8, 8, 8)
    """

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:  # Keras's order of data_format and output_padding, here alone
        super().__init__(filters, kernel_size, strides, padding, output_padding, data_format, *args, **kwargs)


Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
