"""DepthwiseConv1D, DepthwiseConv2D."""

from __future__ import annotations

import math
from typing import Any

from lamina import ops
from lamina.layers.checks import positive
from lamina.layers.conv_base import ConvolutionLayer, product_of_sizes
from lamina.layers.layer import register
from lamina.layers.shapes import Shape


class DepthwiseConv(ConvolutionLayer):
    """What DepthwiseConv1D and DepthwiseConv2D share."""

    prefixes = ("depthwise",)
    numbers = ("depth_multiplier",)

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        bias = bias_initializer, bias_regularizer, bias_constraint
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias,
            activity_regularizer, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = positive(depth_multiplier, self.name, "depth_multiplier")
        self._settings("depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        self._op = (ops.depthwise_conv1d, ops.depthwise_conv2d)[self.rank - 1]
        self.kernel: Any = None

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.compute_output_shape(input_shape)
        self.kernel = self._weight("depthwise", (*self.kernel_size, channels, self.depth_multiplier), "kernel")
        if self.use_bias:
            self.bias = self._weight("bias", (channels * self.depth_multiplier,), "bias")

    def call(self, x: Any) -> Any:
        y = self._op(x, self.kernel, self.bias, self.strides, self.padding, self.dilation_rate, self._fused)
        return self._finish(y)

    def compute_output_shape(self, input_shape: Any) -> Any:
        channels = self._channels(input_shape)
        return (input_shape[0], *self._windows(input_shape), channels * self.depth_multiplier)

    def flops(self, input_shape: Shape) -> int:
        outputs = product_of_sizes(self.compute_output_shape(input_shape)[1:], self.name)
        return outputs * (2 * math.prod(self.kernel_size) + self.use_bias)


@register
class DepthwiseConv1D(DepthwiseConv):
    """One-dimensional convolution of every channel by itself, for x of shape (N, T, C).

    Args:
        kernel_size: length, one integer.
        strides: step.
        padding: "valid" (none), "same" (as many outputs as inputs at stride 1, zeros around, the odd one after), an
            integer or pairs.
        depth_multiplier: output channels for each input channel.
        data_format: None or "channels_last".
        dilation_rate: distance of the kernel's elements.
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: the depthwise kernel's first values, the
            penalty added to the loss, and what is imposed on it after every step.
        bias_initializer, bias_regularizer, bias_constraint: the same for the bias.
        activity_regularizer: a penalty on the output, added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (length, channels, depth_multiplier), bias (channels * depth_multiplier,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.DepthwiseConv1D(3, depth_multiplier=2)(np.zeros((1, 10, 4), "float32")).shape
        (1, 8, 8)
    """

    rank = 1


@register
class DepthwiseConv2D(DepthwiseConv):
    """Two-dimensional convolution of every channel by itself, for x of shape (N, H, W, C).

    Args:
        kernel_size: height and width, one integer or two.
        strides: steps down and right.
        padding: "valid" (none), "same" (as many outputs as inputs at stride 1, zeros around, the odd one after), an
            integer or pairs.
        depth_multiplier: output channels for each input channel.
        data_format: None or "channels_last".
        dilation_rate: distance of the kernel's elements.
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: the depthwise kernel's first values, the
            penalty added to the loss, and what is imposed on it after every step.
        bias_initializer, bias_regularizer, bias_constraint: the same for the bias.
        activity_regularizer: a penalty on the output, added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (height, width, channels, depth_multiplier), bias (channels * depth_multiplier,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.DepthwiseConv2D(3, strides=2, padding="same")(np.zeros((1, 28, 28, 4), "float32")).shape
        (1, 14, 14, 4)
    """

    rank = 2
