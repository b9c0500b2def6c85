"""Convolutions."""

from __future__ import annotations

import math
from typing import Any

from lamina import initializers, ops, regularizers
from lamina.layers import activations
from lamina.layers.core import channels_last, positive
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape
from lamina.ops.checks import pair


@register
class Conv2D(Layer):
    """Two-dimensional convolution: y = activation(x * kernel + bias).

    Args:
        filters: output channels, positive; a multiple of groups.
        kernel_size: height and width, one integer or two.
        strides: steps down and right.
        padding: "valid" (none), "same" (as many outputs as inputs at stride 1, zeros around, the odd one after), an
            integer, or ((top, bottom), (left, right)).
        data_format: None or "channels_last".
        dilation_rate: distance of the kernel's elements.
        groups: the channels are split in so many groups, each convolved with its own filters.
        activation: a name, a function of a tensor, or None for "linear".
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: first values.
        kernel_regularizer, bias_regularizer: penalties added to the loss.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Weights: kernel (height, width, channels / groups, filters), bias (filters,).

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Conv2D(32, 3, activation="relu")(np.zeros((1, 28, 28, 1), "float32")).shape
        (1, 26, 26, 32)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        channels_last(data_format, self.name)
        self.filters = positive(filters, self.name, "filters")
        self.kernel_size = pair(kernel_size, self.name, "kernel_size")
        self.strides = pair(strides, self.name, "strides")
        self.padding = padding_of(padding, self.name)
        self.dilation_rate = pair(dilation_rate, self.name, "dilation_rate")
        self.groups = positive(groups, self.name, "groups")
        if self.filters % self.groups:
            raise ValueError(f"{self.name}: filters ({filters}) must be a multiple of groups ({groups})")
        self._activation_name, self.activation = activations.get(activation, self.name)
        self._fused = self._activation_name if self._activation_name in activations.FUSED else None
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 4 or input_shape[-1] is None:
            raise ValueError(f"{self.name}: x must have shape (N, H, W, C), got {input_shape}")
        channels = input_shape[-1]
        if channels % self.groups:
            raise ValueError(f"{self.name}: channels ({channels}) must be a multiple of groups ({self.groups})")
        self.compute_output_shape(input_shape)
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self.add_weight(
            shape, self.kernel_initializer, regularizer=self.kernel_regularizer, name="kernel"
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (self.filters,), self.bias_initializer, regularizer=self.bias_regularizer, name="bias"
            )

    def call(self, x: Any) -> Any:
        y = ops.conv2d(
            x,
            self.kernel,
            self.bias,
            self.strides,
            self.padding,
            self.dilation_rate,
            self.groups,
            self._fused,
        )
        return y if self._fused else self.activation(y)

    def compute_output_shape(self, input_shape: Any) -> Any:
        spatial = [
            window_count(input_shape[1 + i], self.kernel_size[i], self.strides[i], self.padding, self.name, i,
                         self.dilation_rate[i])
            for i in range(2)
        ]  # fmt: skip
        return (input_shape[0], *spatial, self.filters)

    def flops(self, input_shape: Shape) -> int:
        outputs = math.prod(self.compute_output_shape(input_shape)[1:])
        return outputs * (2 * math.prod(self.kernel_size) * input_shape[-1] // self.groups + self.use_bias)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "dilation_rate": list(self.dilation_rate),
            "groups": self.groups,
            "activation": activations.serialize(self._activation_name, self.activation, self.name),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
        }


def padding_of(padding: Any, owner: str) -> Any:
    """ "valid", "same", or ((top, bottom), (left, right)) as tuples of integers.

    Raises:
        ValueError: for anything else, and for negative sizes.
    """
    if isinstance(padding, str):
        if padding.lower() in ("valid", "same"):
            return padding.lower()
        raise ValueError(f'{owner}: padding must be "valid", "same", an integer or two pairs, got {padding!r}')
    sides = padding if isinstance(padding, tuple | list) else ((padding, padding), (padding, padding))
    if len(sides) != 2:
        raise ValueError(f"{owner}: padding must be ((top, bottom), (left, right)), got {padding!r}")
    return tuple(pair(side, owner, "padding", minimum=0) for side in sides)


def window_count(size: Any, window: int, stride: int, padding: Any, owner: str, axis: int, dilation: int = 1) -> Any:
    """How many windows fit along an axis: the size of a convolution's or pooling's output.

    Raises:
        ValueError: if not one fits.
    """
    if size is None:
        return None
    if padding == "same":
        return -(-size // stride)
    padded = size + (0 if padding == "valid" else sum(padding[axis]))
    reach = (window - 1) * dilation + 1
    if reach > padded:
        raise ValueError(
            f"{owner}: the window reaches over {reach} {('rows', 'columns')[axis]}, but the padded input has {padded}"
        )
    return (padded - reach) // stride + 1
