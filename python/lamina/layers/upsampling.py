"""UpSampling: sequences, images and volumes in a multiple of their size."""

from __future__ import annotations

import math
from typing import Any

from lamina import ops
from lamina.layers.checks import channels_last, positive
from lamina.layers.layer import Layer, register
from lamina.layers.reshaping import check_axes
from lamina.layers.shapes import Shape
from lamina.ops.checks import pair

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


@register
class UpSampling1D(Layer):
    """Each time step several times: (N, T, C) -> (N, size T, C).

    Args:
        size: how often, positive.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.UpSampling1D(2)([[[1.0], [2.0]]]).numpy().reshape(-1).tolist()
        [1.0, 1.0, 2.0, 2.0]
    """

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = positive(size, self.name, "size")

    def call(self, x: Any) -> Any:
        check_axes(x.shape, 1, self.name)
        return ops.repeat(x, self.size, 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        check_axes(input_shape, 1, self.name)
        return (input_shape[0], None if input_shape[1] is None else self.size * input_shape[1], input_shape[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@register
class UpSampling2D(Layer):
    """Images in a multiple of their size: (N, H, W, C) -> (N, size[0] H, size[1] W, C).

    Args:
        size: how often each row and each column, one integer or two.
        data_format: None or "channels_last".
        interpolation: "nearest" (each pixel repeated), "bilinear" or "bicubic"; see `lamina.ops.resize`.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm
        >>> lm.layers.UpSampling2D((1, 2))([[[[1.0], [2.0]]]]).numpy().reshape(-1).tolist()
        [1.0, 1.0, 2.0, 2.0]
    """

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        channels_last(data_format, self.name)
        self.size = pair(size, self.name, "size")
        self.interpolation = interpolation.lower() if isinstance(interpolation, str) else interpolation
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"{self.name}: interpolation must be one of {', '.join(INTERPOLATIONS)}, got {interpolation!r}"
            )

    def call(self, x: Any) -> Any:
        return ops.resize(x, self.compute_output_shape(x.shape)[1:3], self.interpolation)

    def compute_output_shape(self, input_shape: Any) -> Any:
        check_axes(input_shape, 2, self.name)
        sizes = [None if n is None else n * k for n, k in zip(input_shape[1:3], self.size, strict=True)]
        return (input_shape[0], *sizes, input_shape[3])

    def flops(self, input_shape: Shape) -> int:
        taps = {"nearest": 0, "bilinear": 2, "bicubic": 4}[self.interpolation]
        return 2 * 2 * taps * math.prod(self.compute_output_shape(input_shape)[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": list(self.size), "interpolation": self.interpolation}


@register
class UpSampling3D(Layer):
    """Each voxel several times along each axis: (N, D, H, W, C) -> (N, size[0] D, size[1] H, size[2] W, C).

    Args:
        size: how often, one integer or one an axis.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.UpSampling3D((2, 1, 3))(np.zeros((1, 2, 2, 2, 5), "float32")).shape
        (1, 4, 2, 6, 5)
    """

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels_last(data_format, self.name)
        sizes = tuple(size) if isinstance(size, tuple | list) else (size,) * 3
        if len(sizes) != 3:
            raise ValueError(f"{self.name}: size must be an integer or three of them, got {size!r}")
        self.size = tuple([positive(n, self.name, "size") for n in sizes])

    def call(self, x: Any) -> Any:
        n, depth, height, width, channels = self.compute_output_shape(x.shape)
        planes = ops.reshape(x, (n * x.shape[1], *x.shape[2:]))
        planes = ops.resize(planes, (height, width), "nearest")
        y = ops.repeat(ops.reshape(planes, (n, x.shape[1], height * width * channels)), self.size[0], 1)
        return ops.reshape(y, (n, depth, height, width, channels))

    def compute_output_shape(self, input_shape: Any) -> Any:
        check_axes(input_shape, 3, self.name)
        sizes = [None if n is None else n * k for n, k in zip(input_shape[1:4], self.size, strict=True)]
        return (input_shape[0], *sizes, input_shape[4])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": list(self.size)}
