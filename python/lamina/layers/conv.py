"""Conv1D, Conv2D, Conv3D."""

from __future__ import annotations

import math
from typing import Any

from lamina import backend, ops
from lamina.layers.checks import positive
from lamina.layers.conv_base import ConvolutionLayer, product_of_sizes
from lamina.layers.conv_base import padding_of as padding_of
from lamina.layers.conv_base import window_count as window_count
from lamina.layers.layer import Layer, register
from lamina.layers.pooling import MaxPooling2D
from lamina.layers.shapes import Shape
from lamina.ops.conv2d_pool import conv2d_pool
from lamina.ops.conv2d_sum import conv2d_sum


class Conv(ConvolutionLayer):
    """What Conv1D, Conv2D and Conv3D share."""

    numbers = ("filters", "groups")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
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
        self.groups = positive(groups, self.name, "groups")
        if self.filters % self.groups:
            raise ValueError(f"{self.name}: filters ({filters}) must be a multiple of groups ({groups})")
        self._no_strided_dilation()
        self._settings("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._op = (ops.conv1d, ops.conv2d, ops.conv3d)[self.rank - 1]
        self.kernel: Any = None

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(f"{self.name}: channels ({channels}) must be a multiple of groups ({self.groups})")
        self.compute_output_shape(input_shape)
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self._weight("kernel", shape, "kernel")
        if self.use_bias:
            self.bias = self._weight("bias", (self.filters,), "bias")

    def call(self, x: Any) -> Any:
        y = self._op(
            x, self.kernel, self.bias, self.strides, self.padding, self.dilation_rate, self.groups, self._fused
        )
        return self._finish(y)

    def compute_output_shape(self, input_shape: Any) -> Any:
        self._channels(input_shape)
        return (input_shape[0], *self._windows(input_shape), self.filters)

    def flops(self, input_shape: Shape) -> int:
        outputs = product_of_sizes(self.compute_output_shape(input_shape)[1:], self.name)
        return outputs * (2 * math.prod(self.kernel_size) * input_shape[-1] // self.groups + self.use_bias)


@register
class Conv1D(Conv):
    """One-dimensional convolution: y = activation(x * kernel + bias), for x of shape (N, T, C).

    Args:
        filters: output channels, positive; a multiple of groups.
        kernel_size: length, one integer.
        strides: step. Not above 1 together with a dilation.
        padding: "valid" (none), "same" (as many outputs as inputs at stride 1, zeros around, the odd one after),
            "causal" (all zeros before: no output sees what comes later), an integer, or (left, right).
        data_format: None or "channels_last".
        dilation_rate: distance of the kernel's elements.
        groups: the channels are split in so many groups, each convolved with its own filters.
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        kernel_initializer, kernel_regularizer, kernel_constraint: the kernel's first values, the penalty added to the
            loss, and what is imposed on it after every step.
        bias_initializer, bias_regularizer, bias_constraint: the same for the bias.
        activity_regularizer: a penalty on the output, added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (length, channels / groups, filters), bias (filters,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Conv1D(32, 3, padding="causal")(np.zeros((1, 28, 4), "float32")).shape
        (1, 28, 32)
    """

    rank = 1
    causal = True


@register
class Conv2D(Conv):
    """Two-dimensional convolution: y = activation(x * kernel + bias), for x of shape (N, H, W, C).

    Args:
        filters: output channels, positive; a multiple of groups.
        kernel_size: height and width, one integer or two.
        strides: steps down and right. Not above 1 together with a dilation.
        padding: "valid" (none), "same" (as many outputs as inputs at stride 1, zeros around, the odd one after), an
            integer, or ((top, bottom), (left, right)).
        data_format: None or "channels_last".
        dilation_rate: distance of the kernel's elements.
        groups: the channels are split in so many groups, each convolved with its own filters.
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        kernel_initializer, kernel_regularizer, kernel_constraint: the kernel's first values, the penalty added to the
            loss, and what is imposed on it after every step.
        bias_initializer, bias_regularizer, bias_constraint: the same for the bias.
        activity_regularizer: a penalty on the output, added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (height, width, channels / groups, filters), bias (filters,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Conv2D(32, 3, activation="relu")(np.zeros((1, 28, 28, 1), "float32")).shape
        (1, 26, 26, 32)
    """

    rank = 2

    def call(
        self, x: Any, pool: MaxPooling2D | None = None, residual: Any = None, activation: str | None = None
    ) -> Any:
        """With `pool`, what that layer makes of the output; with `residual`, activation(output + residual): one op does
        the work of all, where `takes_pool` and `takes_sum` say so."""
        if residual is not None:
            return conv2d_sum(
                x, self.kernel, self.bias, self.strides, self.padding, self.dilation_rate, self.groups, residual,
                activation,
            )  # fmt: skip
        if pool is None or backend.is_narrow(x.dtype):
            y = super().call(x)
            return y if pool is None else pool.call(y)
        return conv2d_pool(
            x, self.kernel, self.bias, self.strides, self.padding, self.dilation_rate, self.groups, self._fused,
            pool.pool_size, pool.strides, pool.padding,
        )  # fmt: skip

    def takes_pool(self, after: Layer | None) -> bool:
        """Whether `call` can do the work of the layer that comes next."""
        return (
            type(after) is MaxPooling2D
            and after.built
            and after._dtype == self._dtype
            and self._dtype.itemsize > 2  # what lies between is rounded
            and self._fused is not None
            and self.activity_regularizer is None
            and after.activity_regularizer is None
        )

    def takes_sum(self, *after: Layer) -> bool:
        """Whether `call` does the work of the layers that come next, an Add and perhaps a relu, in one kernel: those
        of single pixels, which are products of matrices."""
        single = self.kernel_size == (1, 1) and self.strides == (1, 1) and self.groups == 1
        unpadded = isinstance(self.padding, str) or not any(map(any, self.padding))
        if not (single and unpadded and self.built and self._activation_name == "linear"):
            return False
        if self._dtype.itemsize < 4 or self._policy.mixed:  # 16 bits: what lies between is rounded
            return False
        return all(layer._dtype == self._dtype and layer.activity_regularizer is None for layer in (self, *after))


@register
class Conv3D(Conv):
    """Three-dimensional convolution: y = activation(x * kernel + bias), for x of shape (N, D, H, W, C).

    Args:
        filters: output channels, positive; a multiple of groups.
        kernel_size: depth, height and width, one integer or three.
        strides: steps along depth, height and width. Not above 1 together with a dilation.
        padding: "valid" (none), "same" (as many outputs as inputs at stride 1, zeros around, the odd one after), an
            integer, or ((front, back), (top, bottom), (left, right)).
        data_format: None or "channels_last".
        dilation_rate: distance of the kernel's elements.
        groups: the channels are split in so many groups, each convolved with its own filters.
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        kernel_initializer, kernel_regularizer, kernel_constraint: the kernel's first values, the penalty added to the
            loss, and what is imposed on it after every step.
        bias_initializer, bias_regularizer, bias_constraint: the same for the bias.
        activity_regularizer: a penalty on the output, added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (depth, height, width, channels / groups, filters), bias (filters,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Conv3D(4, 3, strides=2)(np.zeros((1, 8, 8, 8, 1), "float32")).shape
        (1, 3, 3, 3, 4)
    """

    rank = 3


Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
