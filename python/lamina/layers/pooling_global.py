"""Pooling over everything: one number a channel."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from lamina import backend, ops
from lamina.autograd.tensor import Tensor
from lamina.layers.checks import channels_last
from lamina.layers.layer import Layer, register
from lamina.layers.shapes import Shape
from lamina.ops.pool import NAMES


class GlobalPooling(Layer):
    """What pooling over one, two or three whole axes shares."""

    axes: ClassVar[int]

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels_last(data_format, self.name)
        self.keepdims = bool(keepdims)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != self.axes + 2:
            raise ValueError(f"{self.name}: x must have shape {NAMES[self.axes]}, got {input_shape}")

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *((1,) * self.axes if self.keepdims else ()), input_shape[-1])

    def flops(self, input_shape: Shape) -> int:
        return math.prod(input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "keepdims": self.keepdims}


def masked_mean(x: Any, mask: Any, keepdims: bool, owner: str) -> Any:
    """The mean of x (N, L, C) over the steps where the mask (N, L) is not 0; 0 where there is none."""
    mask = backend.moved(mask.array if isinstance(mask, Tensor) else np.asarray(mask), x.array)
    if mask.shape != x.shape[:2]:
        raise ValueError(f"{owner}: mask must have shape {x.shape[:2]}, got {mask.shape}")
    kept = mask != 0
    counts = backend.array_module(kept).maximum(kept.sum(1), 1).astype(x.dtype)
    counts = counts.reshape(-1, *((1, 1) if keepdims else (1,)))
    x = ops.where(Tensor(kept[:, :, None]), x, Tensor(backend.scalar(0, x.array)))
    return ops.sum(x, 1, keepdims) / Tensor(counts)


@register
class GlobalAveragePooling1D(GlobalPooling):
    """The mean of each channel of sequences (N, L, C).

    With a mask (N, L), that of x or ``mask`` in the call, it is the mean over the steps where the mask is not 0 (or
    False), and 0 where there is none.

    Args:
        data_format: None or "channels_last".
        keepdims: whether the axes between stay, with a size of 1.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.GlobalAveragePooling1D()(np.arange(2, dtype="float32").reshape(1, 2, 1)).item()
        0.5
    """

    axes = 1
    _makes_masks = False
    _takes_step_mask = True

    def call(self, x: Any, mask: Any = None) -> Any:
        if mask is not None:
            return masked_mean(x, mask, self.keepdims, self.name)
        return ops.global_avg_pool(x, self.keepdims)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return None


@register
class GlobalAveragePooling2D(GlobalPooling):
    """The mean of each channel of images (N, H, W, C).

    Args:
        data_format: None or "channels_last".
        keepdims: whether the axes between stay, with a size of 1.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.GlobalAveragePooling2D()(np.arange(4, dtype="float32").reshape(1, 2, 2, 1)).item()
        1.5
    """

    axes = 2

    def call(self, x: Any) -> Any:
        return ops.global_avg_pool(x, self.keepdims)


@register
class GlobalAveragePooling3D(GlobalPooling):
    """The mean of each channel of volumes (N, D, H, W, C).

    Args:
        data_format: None or "channels_last".
        keepdims: whether the axes between stay, with a size of 1.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.GlobalAveragePooling3D()(np.arange(8, dtype="float32").reshape(1, 2, 2, 2, 1)).item()
        3.5
    """

    axes = 3

    def call(self, x: Any) -> Any:
        return ops.global_avg_pool(x, self.keepdims)


@register
class GlobalMaxPooling1D(GlobalPooling):
    """The largest value of each channel of sequences (N, L, C).

    Args:
        data_format: None or "channels_last".
        keepdims: whether the axes between stay, with a size of 1.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.GlobalMaxPooling1D()(np.arange(2, dtype="float32").reshape(1, 2, 1)).item()
        1.0
    """

    axes = 1

    def call(self, x: Any) -> Any:
        return ops.global_max_pool(x, self.keepdims)


@register
class GlobalMaxPooling2D(GlobalPooling):
    """The largest value of each channel of images (N, H, W, C).

    Args:
        data_format: None or "channels_last".
        keepdims: whether the axes between stay, with a size of 1.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.GlobalMaxPooling2D()(np.arange(4, dtype="float32").reshape(1, 2, 2, 1)).item()
        3.0
    """

    axes = 2

    def call(self, x: Any) -> Any:
        return ops.global_max_pool(x, self.keepdims)


@register
class GlobalMaxPooling3D(GlobalPooling):
    """The largest value of each channel of volumes (N, D, H, W, C).

    Args:
        data_format: None or "channels_last".
        keepdims: whether the axes between stay, with a size of 1.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.GlobalMaxPooling3D()(np.arange(8, dtype="float32").reshape(1, 2, 2, 2, 1)).item()
        7.0
    """

    axes = 3

    def call(self, x: Any) -> Any:
        return ops.global_max_pool(x, self.keepdims)


GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
