"""Pooling: the largest value or the mean of each window."""

from __future__ import annotations

import math
from typing import Any

from lamina import ops
from lamina.layers.conv import padding_of, window_count
from lamina.layers.core import channels_last
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape
from lamina.ops.checks import pair


class Pooling2D(Layer):
    """What both poolings share: windows of (N, H, W, C)."""

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: Any = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        channels_last(data_format, self.name)
        self.pool_size = pair(pool_size, self.name, "pool_size")
        self.strides = self.pool_size if strides is None else pair(strides, self.name, "strides")
        self.padding = padding_of(padding, self.name)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 4:
            raise ValueError(f"{self.name}: x must have shape (N, H, W, C), got {input_shape}")

    def compute_output_shape(self, input_shape: Any) -> Any:
        spatial = [
            window_count(input_shape[1 + i], self.pool_size[i], self.strides[i], self.padding, self.name, i)
            for i in range(2)
        ]
        return (input_shape[0], *spatial, input_shape[-1])

    def flops(self, input_shape: Shape) -> int:
        return math.prod(self.compute_output_shape(input_shape)[1:]) * math.prod(self.pool_size)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": list(self.pool_size),
            "strides": list(self.strides),
            "padding": self.padding,
        }


@register
class MaxPooling2D(Pooling2D):
    """The largest value of each window and channel.

    Args:
        pool_size: height and width of a window, one integer or two.
        strides: steps down and right; None for pool_size.
        padding: "valid", or "same" (windows may reach over the edge; what lies outside does not count).
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.MaxPooling2D(2)(np.arange(4, dtype="float32").reshape(1, 2, 2, 1)).item()
        3.0
    """

    def call(self, x: Any) -> Any:
        return ops.max_pool2d(x, self.pool_size, self.strides, self.padding)


@register
class AveragePooling2D(Pooling2D):
    """The mean of each window and channel.

    Args:
        pool_size: height and width of a window, one integer or two.
        strides: steps down and right; None for pool_size.
        padding: "valid", or "same" (windows may reach over the edge; what lies outside does not count).
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.AveragePooling2D(2)(np.arange(4, dtype="float32").reshape(1, 2, 2, 1)).item()
        1.5
    """

    def call(self, x: Any) -> Any:
        return ops.avg_pool2d(x, self.pool_size, self.strides, self.padding)


MaxPool2D = MaxPooling2D
AvgPool2D = AveragePooling2D
