"""Pictures made to fit: Resizing, CenterCrop. What all layers for pictures share."""

from __future__ import annotations

from typing import Any

from lamina import ops
from lamina.layers.checks import channels_last, choice, positive
from lamina.layers.layer import Layer, register

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")  # of those of ops.resize, Keras's


class ImageLayer(Layer):
    """A layer for pictures: (N, H, W, C), or one alone (H, W, C)."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels_last(data_format, self.name)

    def _check(self, x: Any) -> None:
        if x.ndim not in (3, 4):
            raise ValueError(f"{self.name}: x must have shape (N, H, W, C) or (H, W, C), got {x.shape}")
        if 0 in x.shape[-3:]:
            raise ValueError(f"{self.name}: the pictures have no points: x has shape {x.shape}")

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class SizedImageLayer(ImageLayer):
    """A layer for pictures that gives them a size."""

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height = positive(height, self.name, "height")
        self.width = positive(width, self.name, "width")

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-3], self.height, self.width, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width}


@register
class Resizing(SizedImageLayer):
    """Pictures of another size.

    Args:
        height, width: the new size.
        interpolation: "nearest", "bilinear" or "bicubic".
        crop_to_aspect_ratio: whether to cut pictures of other proportions to those of the new size, at the middle,
            rather than to distort them.
        pad_to_aspect_ratio: whether to fill them up to the new proportions instead.
        fill_mode: "constant": pictures are filled up with fill_value.
        fill_value: see above.
        antialias: whether pictures made smaller take in all points, so that fine patterns do not turn into others.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Raises:
        ValueError: for "lanczos3", "lanczos5", "area" and unknown words; for crop and pad at once.

    Example:
        >>> import lamina as lm, numpy as np
        >>> lm.layers.Resizing(2, 3)(np.ones((1, 4, 4, 1), "float32")).shape
        (1, 2, 3, 1)
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(height, width, data_format=data_format, **kwargs)
        self.interpolation = choice(str(interpolation).lower(), INTERPOLATIONS, self.name, "interpolation")
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(f"{self.name}: crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other")
        self.crop_to_aspect_ratio = bool(crop_to_aspect_ratio)
        self.pad_to_aspect_ratio = bool(pad_to_aspect_ratio)
        self.fill_mode = choice(fill_mode, ("constant",), self.name, "fill_mode")
        self.fill_value = float(fill_value)
        self.antialias = bool(antialias)

    def call(self, x: Any) -> Any:
        self._check(x)
        return ops.resize(
            x, (self.height, self.width), self.interpolation, self.antialias, self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio, self.fill_mode, self.fill_value,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "interpolation": self.interpolation,
            "crop_to_aspect_ratio": self.crop_to_aspect_ratio,
            "pad_to_aspect_ratio": self.pad_to_aspect_ratio,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
        }


@register
class CenterCrop(SizedImageLayer):
    """The middle of pictures. Those that are too small are cut to the proportions asked for, then resized (bilinear).

    Args:
        height, width: the size to cut out.
        data_format: None or "channels_last".
        **kwargs: name, trainable, dtype, input_shape: see Layer.

    Example:
        >>> import lamina as lm, numpy as np
        >>> x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
        >>> lm.layers.CenterCrop(2, 2)(x).numpy().ravel().tolist()
        [5.0, 6.0, 9.0, 10.0]
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(height, width, data_format=data_format, **kwargs)

    def call(self, x: Any) -> Any:
        self._check(x)
        if x.shape[-3] >= self.height and x.shape[-2] >= self.width:
            top, left = (x.shape[-3] - self.height) // 2, (x.shape[-2] - self.width) // 2
            return ops.getitem(x, (..., slice(top, top + self.height), slice(left, left + self.width), slice(None)))
        return ops.resize(x, (self.height, self.width), crop_to_aspect_ratio=True)
