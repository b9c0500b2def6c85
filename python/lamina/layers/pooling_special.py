"""Pooling that Keras does not have: LpPooling, MaxUnpooling."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.autograd.tensor import Tensor
from lamina.layers.checks import channels_last
from lamina.layers.layer import Layer, register
from lamina.layers.pooling import Pooling
from lamina.ops.activation_function import number
from lamina.ops.pool import padding_sides, several


class LpPooling(Pooling):
    """Pooling by p-norms."""

    def __init__(self, p: float = 2.0, pool_size: Any = 2, *args: Any, **kwargs: Any) -> None:
        super().__init__(pool_size, *args, **kwargs)
        self.p = number(p, self.name, "p", 0)
        if self.p == 0:
            raise ValueError(f"{self.name}: p must be positive, got 0")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "p": self.p}


@register
class LpPooling1D(LpPooling):
    """The p-norm of each window and channel of sequences (N, L, C): (sum |x|^p)^(1/p).

    Args:
        p: positive.
        pool_size: length of a window.
        strides: steps between windows; None for pool_size.
        padding: "valid", "same" (what lies outside counts as 0), or explicit, as in MaxPooling1D.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> round(lm.layers.LpPooling1D(2)(np.ones((1, 2, 1))).item(), 3)
        1.414
    """

    axes = 1

    def call(self, x: Any) -> Any:
        return ops.lp_pool1d(x, self.p, self.pool_size, self.strides, self.padding)


@register
class LpPooling2D(LpPooling):
    """The p-norm of each window and channel of images (N, H, W, C): (sum |x|^p)^(1/p).

    Args:
        p: positive.
        pool_size: height and width of a window, one integer or two.
        strides: steps down and right; None for pool_size.
        padding: "valid", "same" (what lies outside counts as 0), or explicit, as in MaxPooling2D.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> round(lm.layers.LpPooling2D(2)(np.ones((1, 2, 2, 1))).item(), 3)
        2.0
    """

    axes = 2

    def call(self, x: Any) -> Any:
        return ops.lp_pool2d(x, self.p, self.pool_size, self.strides, self.padding)


@register
class LpPooling3D(LpPooling):
    """The p-norm of each window and channel of volumes (N, D, H, W, C): (sum |x|^p)^(1/p).

    Args:
        p: positive.
        pool_size: depth, height and width of a window, one integer or three.
        strides: steps between windows, one integer or three; None for pool_size.
        padding: "valid", "same" (what lies outside counts as 0), or explicit, as in MaxPooling3D.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> round(lm.layers.LpPooling3D(3)(np.ones((1, 2, 2, 2, 1))).item(), 3)
        2.0
    """

    axes = 3

    def call(self, x: Any) -> Any:
        return ops.lp_pool3d(x, self.p, self.pool_size, self.strides, self.padding)


@register
class MaxUnpooling2D(Layer):
    """Puts values back to the places that max pooling took them from, and 0 elsewhere.

    Called on a pair [x, indices], both (N, OH, OW, C), as ``ops.max_pool2d(..., return_indices=True)`` gives them.

    Args:
        pool_size, strides, padding: those of the pooling.
        output_size: height and width of the output, where they are not the smallest that fit.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype: see Layer.

    Example:
        >>> import lamina as lm
        >>> x = lm.tensor([[[[1.0], [5.0]], [[3.0], [4.0]]]])
        >>> pooled = lm.ops.max_pool2d(x, return_indices=True)
        >>> lm.layers.MaxUnpooling2D()(list(pooled)).numpy().ravel().tolist()
        [0.0, 5.0, 0.0, 0.0]
    """

    autocast = False  # indices are integers

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: Any = "valid",
        output_size: Any = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        channels_last(data_format, self.name)
        self.pool_size = several(pool_size, 2, self.name, "pool_size")
        self.strides = self.pool_size if strides is None else several(strides, 2, self.name, "strides")
        self.padding = padding_sides(padding, 2, self.name)
        self.output_size = None if output_size is None else several(output_size, 2, self.name, "output_size")
        if self.padding == "same" and self.output_size is None:
            raise ValueError(f'{self.name}: with padding "same" the input may have had several sizes: give output_size')

    def call(self, x: Any) -> Any:
        if not isinstance(x, list | tuple) or len(x) != 2:
            raise ValueError(f"{self.name}: expected a pair [x, indices], got {type(x).__name__}")
        values, indices = x
        if isinstance(values, Tensor) and values.dtype != self._dtype:
            values = ops.cast(values, self._dtype)
        return ops.max_unpool2d(values, indices, self.pool_size, self.strides, self.padding, self.output_size)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = input_shape[0]
        if self.output_size is not None:
            return (shape[0], *self.output_size, shape[-1])
        pads = (0, 0) if self.padding == "valid" else [sum(side) for side in self.padding]
        sizes = zip(shape[1:-1], self.pool_size, self.strides, pads, strict=True)
        return (shape[0], *[None if n is None else (n - 1) * s + k - p for n, k, s, p in sizes], shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": list(self.pool_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "output_size": None if self.output_size is None else list(self.output_size),
        }
