"""Pooling: the largest value or the mean of each window."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from lamina import ops
from lamina.layers.checks import channels_last
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape
from lamina.ops.pool import NAMES, padding_sides, several, windows_along


class Pooling(Layer):
    """What windows over one, two or three axes share."""

    axes: ClassVar[int]

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: Any = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        channels_last(data_format, self.name)
        self.pool_size = several(pool_size, self.axes, self.name, "pool_size")
        self.strides = self.pool_size if strides is None else several(strides, self.axes, self.name, "strides")
        self.padding = padding_sides(padding, self.axes, self.name)
        if not isinstance(self.padding, str) and any(
            2 * max(s) > k for s, k in zip(self.padding, self.pool_size, strict=True)
        ):
            raise ValueError(f"{self.name}: padding {padding!r} is more than half of pool_size {self.pool_size}")

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != self.axes + 2:
            raise ValueError(f"{self.name}: x must have shape {NAMES[self.axes]}, got {input_shape}")

    def compute_output_shape(self, input_shape: Any) -> Any:
        spatial = [
            None if n is None else windows_along(n, k, s, sides, self.name)[0]
            for n, k, s, sides in zip(
                input_shape[1:-1],
                self.pool_size,
                self.strides,
                [self.padding] * self.axes if isinstance(self.padding, str) else self.padding,
                strict=True,
            )
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
class MaxPooling1D(Pooling):
    """The largest value of each window and channel of sequences (N, L, C).

    Args:
        pool_size: length of a window.
        strides: steps between windows; None for pool_size.
        padding: "valid", "same" (windows may reach over the edge; what lies outside does not count), or explicit: an
            integer, or an integer or pair (before, after) for each axis.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.MaxPooling1D(2)(np.arange(2, dtype="float32").reshape(1, 2, 1)).item()
        1.0
    """

    axes = 1

    def call(self, x: Any) -> Any:
        return ops.max_pool1d(x, self.pool_size, self.strides, self.padding)


@register
class MaxPooling2D(Pooling):
    """The largest value of each window and channel of images (N, H, W, C).

    Args:
        pool_size: height and width of a window, one integer or two.
        strides: steps down and right; None for pool_size.
        padding: "valid", "same" (windows may reach over the edge; what lies outside does not count), or explicit: an
            integer, or an integer or pair (before, after) for each axis.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.MaxPooling2D(2)(np.arange(4, dtype="float32").reshape(1, 2, 2, 1)).item()
        3.0
    """

    axes = 2

    def call(self, x: Any) -> Any:
        return ops.max_pool2d(x, self.pool_size, self.strides, self.padding)


@register
class MaxPooling3D(Pooling):
    """The largest value of each window and channel of volumes (N, D, H, W, C).

    Args:
        pool_size: depth, height and width of a window, one integer or three.
        strides: steps between windows, one integer or three; None for pool_size.
        padding: "valid", "same" (windows may reach over the edge; what lies outside does not count), or explicit: an
            integer, or an integer or pair (before, after) for each axis.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.MaxPooling3D(2)(np.arange(8, dtype="float32").reshape(1, 2, 2, 2, 1)).item()
        7.0
    """

    axes = 3

    def call(self, x: Any) -> Any:
        return ops.max_pool3d(x, self.pool_size, self.strides, self.padding)


@register
class AveragePooling1D(Pooling):
    """The mean of each window and channel of sequences (N, L, C).

    Args:
        pool_size: length of a window.
        strides: steps between windows; None for pool_size.
        padding: "valid", "same" (windows may reach over the edge; what lies outside does not count), or explicit: an
            integer, or an integer or pair (before, after) for each axis.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.AveragePooling1D(2)(np.arange(2, dtype="float32").reshape(1, 2, 1)).item()
        0.5
    """

    axes = 1

    def call(self, x: Any) -> Any:
        return ops.avg_pool1d(x, self.pool_size, self.strides, self.padding)


@register
class AveragePooling2D(Pooling):
    """The mean of each window and channel of images (N, H, W, C).

    Args:
        pool_size: height and width of a window, one integer or two.
        strides: steps down and right; None for pool_size.
        padding: "valid", "same" (windows may reach over the edge; what lies outside does not count), or explicit: an
            integer, or an integer or pair (before, after) for each axis.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.AveragePooling2D(2)(np.arange(4, dtype="float32").reshape(1, 2, 2, 1)).item()
        1.5
    """

    axes = 2

    def call(self, x: Any) -> Any:
        return ops.avg_pool2d(x, self.pool_size, self.strides, self.padding)


@register
class AveragePooling3D(Pooling):
    """The mean of each window and channel of volumes (N, D, H, W, C).

    Args:
        pool_size: depth, height and width of a window, one integer or three.
        strides: steps between windows, one integer or three; None for pool_size.
        padding: "valid", "same" (windows may reach over the edge; what lies outside does not count), or explicit: an
            integer, or an integer or pair (before, after) for each axis.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.AveragePooling3D(2)(np.arange(8, dtype="float32").reshape(1, 2, 2, 2, 1)).item()
        3.5
    """

    axes = 3

    def call(self, x: Any) -> Any:
        return ops.avg_pool3d(x, self.pool_size, self.strides, self.padding)


MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
