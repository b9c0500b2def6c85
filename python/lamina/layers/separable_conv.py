"""SeparableConv1D, SeparableConv2D."""

from __future__ import annotations

import math
from typing import Any

from lamina import ops
from lamina.layers.checks import positive
from lamina.layers.conv_base import ConvolutionLayer, product_of_sizes
from lamina.layers.layer import register
from lamina.layers.shapes import Shape


class SeparableConv(ConvolutionLayer):
    """What SeparableConv1D and SeparableConv2D share."""

    prefixes = ("depthwise", "pointwise")
    numbers = ("filters", "depth_multiplier")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        bias = bias_initializer, bias_regularizer, bias_constraint
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias,
            activity_regularizer, **kwargs,
        )  # fmt: skip
        self.filters = positive(filters, self.name, "filters")
        self.depth_multiplier = positive(depth_multiplier, self.name, "depth_multiplier")
        self._settings("depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        self._settings("pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint)
        self._op = (ops.separable_conv1d, ops.separable_conv2d)[self.rank - 1]
        self.depthwise_kernel: Any = None
        self.pointwise_kernel: Any = None

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.compute_output_shape(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self._weight("depthwise", shape, "depthwise_kernel")
        shape = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.pointwise_kernel = self._weight("pointwise", shape, "pointwise_kernel")
        if self.use_bias:
            self.bias = self._weight("bias", (self.filters,), "bias")

    def call(self, x: Any) -> Any:
        y = self._op(
            x, self.depthwise_kernel, self.pointwise_kernel, self.bias, self.strides, self.padding, self.dilation_rate,
            self._fused,
        )  # fmt: skip
        return self._finish(y)

    def compute_output_shape(self, input_shape: Any) -> Any:
        self._channels(input_shape)
        return (input_shape[0], *self._windows(input_shape), self.filters)

    def flops(self, input_shape: Shape) -> int:
        places = product_of_sizes(self._windows(input_shape), self.name)
        middle = input_shape[-1] * self.depth_multiplier
        return places * (2 * middle * (math.prod(self.kernel_size) + self.filters) + self.filters * self.use_bias)


@register
class SeparableConv1D(SeparableConv):
    """One-dimensional separable convolution, for x of shape (N, T, C): by channels, then across them.

    Args:
        filters: output channels, positive.
        kernel_size: length, one integer.
        strides: step.
        padding: "valid" (none), "same" (as many outputs as inputs at stride 1, zeros around, the odd one after),
            "causal", an integer or pairs.
        data_format: None or "channels_last".
        dilation_rate: distance of the depthwise kernel's elements.
        depth_multiplier: channels in between for each input channel.
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: the depthwise kernel's first values, the
            penalty added to the loss, and what is imposed on it after every step.
        pointwise_initializer, pointwise_regularizer, pointwise_constraint: the same for the pointwise kernel.
        bias_initializer, bias_regularizer, bias_constraint: the same for the bias.
        activity_regularizer: a penalty on the output, added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: depthwise_kernel (length, channels, depth_multiplier),
    pointwise_kernel (1, channels * depth_multiplier, filters), bias (filters,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.SeparableConv1D(8, 3)(np.zeros((1, 10, 4), "float32")).shape
        (1, 8, 8)

    Reference:
        Chollet 2017, "Xception: Deep Learning with Depthwise Separable Convolutions", arXiv:1610.02357.
    """

    rank = 1
    causal = True


@register
class SeparableConv2D(SeparableConv):
    """Two-dimensional separable convolution, for x of shape (N, H, W, C): by channels, then across them.

    Args:
        filters: output channels, positive.
        kernel_size: height and width, one integer or two.
        strides: steps down and right.
        padding: "valid" (none), "same" (as many outputs as inputs at stride 1, zeros around, the odd one after),
            an integer or pairs.
        data_format: None or "channels_last".
        dilation_rate: distance of the depthwise kernel's elements.
        depth_multiplier: channels in between for each input channel.
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: the depthwise kernel's first values, the
            penalty added to the loss, and what is imposed on it after every step.
        pointwise_initializer, pointwise_regularizer, pointwise_constraint: the same for the pointwise kernel.
        bias_initializer, bias_regularizer, bias_constraint: the same for the bias.
        activity_regularizer: a penalty on the output, added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: depthwise_kernel (height, width, channels, depth_multiplier),
    pointwise_kernel (1, 1, channels * depth_multiplier, filters), bias (filters,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.SeparableConv2D(8, 3, padding="same")(np.zeros((1, 28, 28, 4), "float32")).shape
        (1, 28, 28, 8)

    Reference:
        Chollet 2017, "Xception: Deep Learning with Depthwise Separable Convolutions", arXiv:1610.02357.
    """

    rank = 2


SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
