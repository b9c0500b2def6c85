"""Colours of pictures changed at random, while training."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina import ops
from lamina.autograd.tape import no_grad
from lamina.autograd.tensor import Tensor
from lamina.layers.checks import share
from lamina.layers.image_augmentation import RandomImageLayer, between, span
from lamina.layers.layer import register

Array = Any

LUMINANCE = (0.2989, 0.5870, 0.1140)  # of red, green and blue: ITU-R BT.601


class RandomColorLayer(RandomImageLayer):
    """A random layer that knows the range of the pictures' values."""

    def __init__(self, value_range: Any, seed: int | None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        if not isinstance(value_range, tuple | list) or len(value_range) != 2 or not value_range[0] < value_range[1]:
            raise ValueError(f"{self.name}: value_range must be two numbers, the smaller first, got {value_range!r}")
        self.value_range = float(value_range[0]), float(value_range[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "value_range": list(self.value_range)}


@register
class RandomContrast(RandomColorLayer):
    """In training scales the distance of a picture's values from their mean: y = (x - mean) c + mean, a mean a channel.

    Args:
        factor: c is drawn from 1 - lower to 1 + upper: (lower, upper), or one number for both. From 0 to 1. (Keras 3
            documents the same, but takes 0 for lower where one number is given.)
        value_range: results are cut to it.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.array([100.0, 200.0]).reshape(1, 1, 2, 1)
        >>> y = lm.layers.RandomContrast(0.5, seed=1)(x, training=True).numpy()
        >>> bool(abs(y.mean() - 150) < 1e-3), bool(50 <= y[0, 0, 1, 0] - y[0, 0, 0, 0] <= 150)
        (True, True)
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(value_range, seed, **kwargs)
        if isinstance(factor, tuple | list):
            if len(factor) != 2 or not all(0 <= f <= 1 for f in factor):
                raise ValueError(f"{self.name}: factor must be a number or two from 0 to 1, got {factor!r}")
            self.factor = float(factor[0]), float(factor[1])
        else:
            self.factor = (span(factor, self.name, "factor", 0.0, 1.0)[1],) * 2

    def _changed(self, images: Array, draws: Array) -> Array:
        contrast = between((1 - self.factor[0], 1 + self.factor[1]), draws).astype(images.dtype)
        with no_grad():
            mean = ops.mean(Tensor(images), axis=(1, 2), keepdims=True).array
        return np.clip((images - mean) * contrast[:, :, None, None] + mean, *self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": list(self.factor)}


@register
class RandomBrightness(RandomColorLayer):
    """In training makes pictures brighter or darker: y = x + b, one b a picture.

    Args:
        factor: b is drawn from it in ranges of values: (least, most), or one number for as far either way. From -1
            to 1.
        value_range: of the values; results are cut to it.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.RandomBrightness((0.2, 0.2))(np.zeros((1, 1, 1, 1)), training=True).item()
        51.0
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(value_range, seed, **kwargs)
        self.factor = span(factor, self.name, "factor", -1.0, 1.0)

    def _changed(self, images: Array, draws: Array) -> Array:
        least, most = self.value_range
        added = (between(self.factor, draws) * (most - least)).astype(images.dtype)
        return np.clip(images + added[:, :, None, None], least, most)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": list(self.factor)}


@register
class RandomGrayscale(RandomImageLayer):
    """In training takes the colour from some pictures: all three channels become 0.2989 R + 0.5870 G + 0.1140 B.

    Args:
        factor: the share of the pictures, from 0 to 1.
        data_format: None or "channels_last".
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.array([100.0, 0.0, 0.0]).reshape(1, 1, 1, 3)
        >>> (lm.layers.RandomGrayscale(1.0)(x, training=True).numpy() * 100).round().ravel().tolist()
        [2989.0, 2989.0, 2989.0]
    """

    def __init__(
        self, factor: float = 0.5, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, data_format=data_format, **kwargs)
        self.factor = share(factor, self.name, "factor")

    def _changed(self, images: Array, draws: Array) -> Array:
        if images.shape[-1] != 3:
            raise ValueError(f"{self.name}: x must have 3 channels, got {images.shape[-1]}")
        red, green, blue = (images.dtype.type(share) for share in LUMINANCE)
        gray = images[..., 0] * red + images[..., 1] * green + images[..., 2] * blue
        return np.where((draws < self.factor)[:, :, None, None], gray[..., None], images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


@register
class RandomInvert(RandomColorLayer):
    """In training turns some pictures into their negatives: the range's upper end less the value.

    Args:
        factor: each picture's chance is drawn from it: (least, most), from 0 to 1; one number draws from 0 up to it.
        value_range: of the values.
        seed: None to go by `lamina.set_seed`, or an integer for a sequence of this layer's own.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.RandomInvert((1.0, 1.0))(np.full((1, 1, 1, 1), 55.0), training=True).item()
        200.0
    """

    numbers = 2

    def __init__(
        self,
        factor: Any = 1.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, seed, data_format=data_format, **kwargs)
        self.factor = span(factor, self.name, "factor", 0.0, 1.0)

    def _changed(self, images: Array, draws: Array) -> Array:
        chosen = draws[:, 0] < between(self.factor, draws[:, 1])
        return np.where(chosen[:, None, None, None], images.dtype.type(self.value_range[1]) - images, images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": list(self.factor)}
