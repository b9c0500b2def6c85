"""Adaptive pooling: as many windows as outputs are asked for."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from lamina import ops
from lamina.layers.checks import channels_last
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape
from lamina.ops.pool import NAMES, several


class AdaptivePooling(Layer):
    """What adaptive pooling over one, two or three axes shares."""

    axes: ClassVar[int]

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels_last(data_format, self.name)
        self.output_size = several(output_size, self.axes, self.name, "output_size")

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != self.axes + 2:
            raise ValueError(f"{self.name}: x must have shape {NAMES[self.axes]}, got {input_shape}")

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *self.output_size, input_shape[-1])

    def flops(self, input_shape: Shape) -> int:
        return math.prod(input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_size": list(self.output_size)}


@register
class AdaptiveAveragePooling1D(AdaptivePooling):
    """The mean of each of output_size windows, spread evenly over sequences (N, L, C).

    Args:
        output_size: length of the output.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.AdaptiveAveragePooling1D(1)(np.arange(2, dtype="float32").reshape(1, 2, 1)).item()
        0.5
    """

    axes = 1

    def call(self, x: Any) -> Any:
        return ops.adaptive_avg_pool1d(x, self.output_size)


@register
class AdaptiveAveragePooling2D(AdaptivePooling):
    """The mean of each of output_size windows, spread evenly over images (N, H, W, C).

    Args:
        output_size: height and width of the output, one integer or two.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.AdaptiveAveragePooling2D(1)(np.arange(4, dtype="float32").reshape(1, 2, 2, 1)).item()
        1.5
    """

    axes = 2

    def call(self, x: Any) -> Any:
        return ops.adaptive_avg_pool2d(x, self.output_size)


@register
class AdaptiveAveragePooling3D(AdaptivePooling):
    """The mean of each of output_size windows, spread evenly over volumes (N, D, H, W, C).

    Args:
        output_size: depth, height and width of the output, one integer or three.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.AdaptiveAveragePooling3D(1)(np.arange(8, dtype="float32").reshape(1, 2, 2, 2, 1)).item()
        3.5
    """

    axes = 3

    def call(self, x: Any) -> Any:
        return ops.adaptive_avg_pool3d(x, self.output_size)


@register
class AdaptiveMaxPooling1D(AdaptivePooling):
    """The largest value of each of output_size windows, spread evenly over sequences (N, L, C).

    Args:
        output_size: length of the output.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.AdaptiveMaxPooling1D(1)(np.arange(2, dtype="float32").reshape(1, 2, 1)).item()
        1.0
    """

    axes = 1

    def call(self, x: Any) -> Any:
        return ops.adaptive_max_pool1d(x, self.output_size)


@register
class AdaptiveMaxPooling2D(AdaptivePooling):
    """The largest value of each of output_size windows, spread evenly over images (N, H, W, C).

    Args:
        output_size: height and width of the output, one integer or two.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.AdaptiveMaxPooling2D(1)(np.arange(4, dtype="float32").reshape(1, 2, 2, 1)).item()
        3.0
    """

    axes = 2

    def call(self, x: Any) -> Any:
        return ops.adaptive_max_pool2d(x, self.output_size)


@register
class AdaptiveMaxPooling3D(AdaptivePooling):
    """The largest value of each of output_size windows, spread evenly over volumes (N, D, H, W, C).

    Args:
        output_size: depth, height and width of the output, one integer or three.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.AdaptiveMaxPooling3D(1)(np.arange(8, dtype="float32").reshape(1, 2, 2, 2, 1)).item()
        7.0
    """

    axes = 3

    def call(self, x: Any) -> Any:
        return ops.adaptive_max_pool3d(x, self.output_size)
